"""What passes from agent to agent: one question on its way to an answer. Values; each agent returns a new turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Literal, Protocol

from medflow.lakehouse.releases import Release
from medflow.specs.glossary import Glossary
from medflow.specs.policy import Policy
from medflow.specs.semantic import SemanticModel
from medflow.specs.table import TableSpec
from rag_backend.definitions.catalogue import Catalogue
from rag_backend.definitions.sentences import Explained
from rag_backend.engines.base import Cancellation, QueryEngine, Table
from rag_backend.planners.base import Option, Outcome, ReasonCode
from rag_backend.query.compile import Compiled
from rag_backend.query.typed_query import TypedQuery
from rag_backend.small_cells.masks import Reason
from rag_backend.small_cells.shown import ShownCells, ShownInProcess
from rag_backend.validator import Approved, Proof

Route = Literal["data", "definition", "greeting", "unanswerable"]
Kind = Literal["data", "definition", "greeting", "sql"]


class Planner(Protocol):
    """Turns a question into a typed query or says why not; never raises."""

    @property
    def name(self) -> str: ...

    def plan(self, question: str, today: date) -> Outcome:
        """One question of at most 1,000 characters; `today` is what relative dates count from."""
        ...


@dataclass(frozen=True)
class Limits:
    """What one question may cost."""

    rows: int
    seconds: float


@dataclass(frozen=True)
class Services:
    """What the agents work with: one release seen by one role."""

    release: Release
    policy: Policy
    model: SemanticModel
    tables: Mapping[str, TableSpec]
    planner: Planner
    engine: QueryEngine
    limits: Limits
    spans: Mapping[str, tuple[date, date]] = field(default_factory=dict)
    """First and last day of each date in the release."""
    glossary: Glossary = field(default_factory=Glossary)
    examples: Mapping[str, str] = field(default_factory=dict)
    """Approved examples: the pattern of each query to its id."""
    proofs: dict[tuple[str, str], Proof] = field(default_factory=dict, compare=False)
    shown: ShownCells = field(default_factory=ShownInProcess)

    @cached_property
    def catalogue(self) -> Catalogue:
        """What has a definition that this role may read."""
        return Catalogue(self.model, self.glossary, self.tables, self.policy.tables)


@dataclass(frozen=True)
class Refusal:
    """Why there is no answer, and what could be asked instead."""

    reason_code: ReasonCode
    message: str
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notice:
    """Something that the reader of an answer must know."""

    code: str
    text: str


@dataclass(frozen=True)
class Finding:
    """Something that the numbers show, said in words; `cells` are (row, column) of the table."""

    kind: Literal["concentration", "change", "outlier", "trend"]
    text: str
    cells: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Turn:
    """One question and what is known of its answer so far."""

    question: str
    today: date
    cancel: Cancellation = field(default_factory=Cancellation)
    kind: Kind = "data"
    route: Route = "data"
    outcome: Outcome | None = None
    parts: tuple[TypedQuery, ...] = ()
    sql: str = ""
    lane: str = "semantic"
    user: str = ""
    definitions: tuple[Explained, ...] = ()
    examples: tuple[str, ...] = ()
    compiled: Compiled | None = None
    approved: Approved | None = None
    table: Table | None = None
    suppressed: tuple[tuple[int, str, Reason], ...] = ()
    refusal: Refusal | None = None
    options: tuple[Option, ...] = ()
    clarification: str = ""
    findings: tuple[Finding, ...] = ()
    interpretation: str = ""
    explanation: str = ""
    notices: tuple[Notice, ...] = ()
    follow_ups: tuple[str, ...] = ()
    trace: tuple[tuple[str, float], ...] = ()

    @property
    def query(self) -> TypedQuery | None:
        return self.parts[0] if self.parts else None
