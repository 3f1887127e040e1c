"""What passes from agent to agent: one question on its way to an answer. Values; each agent returns a new turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Literal

from medflow.lakehouse.releases import Release
from medflow.specs.glossary import Glossary
from medflow.specs.policy import Policy
from medflow.specs.semantic import SemanticModel
from medflow.specs.table import TableSpec
from rag_backend.cache.caches import Caches
from rag_backend.cache.keys import View
from rag_backend.cache.results import Result
from rag_backend.definitions.catalogue import Catalogue
from rag_backend.definitions.sentences import Explained
from rag_backend.engines.base import Cancellation, QueryEngine, Table
from rag_backend.planners.base import Option, Outcome, Planning, ReasonCode
from rag_backend.planners.claude.wording import Wording
from rag_backend.planners.reader import Alone, Planner, Reader
from rag_backend.query.compile import Compiled
from rag_backend.query.typed_query import TypedQuery
from rag_backend.retrieval.retriever import Retriever
from rag_backend.small_cells.masks import Reason
from rag_backend.small_cells.shown import ShownCells, ShownInProcess
from rag_backend.validator import Approved, Proof

Route = Literal["data", "definition", "greeting", "unanswerable"]
Kind = Literal["data", "definition", "greeting", "sql"]


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
    view: View
    """What everything that is kept of this release and role is kept under."""
    caches: Caches
    spans: Mapping[str, tuple[date, date]] = field(default_factory=dict)
    """First and last day of each date in the release."""
    glossary: Glossary = field(default_factory=Glossary)
    examples: Mapping[str, str] = field(default_factory=dict)
    """Approved examples: the pattern of each query to its id."""
    proofs: dict[tuple[str, str], Proof] = field(default_factory=dict, compare=False)
    shown: ShownCells = field(default_factory=ShownInProcess)
    retriever: Retriever | None = None
    """What finds declarations near a text; without it, nothing is proposed but what the planner proposes."""
    asks: Reader | None = None
    """What reads questions, where that is not the planner alone."""
    spare: QueryEngine | None = None
    """What is asked where the engine cannot answer; it needs no server."""
    wording: Wording | None = None
    """What puts an explanation in words of its own; the template stands without it."""

    @property
    def reader(self) -> Reader:
        """What reads a question; the planner proves follow-ups."""
        return self.asks or Alone(self.planner)

    @cached_property
    def catalogue(self) -> Catalogue:
        """What has a definition that this role may read."""
        return Catalogue(self.model, self.glossary, self.tables, self.policy.tables)

    @cached_property
    def counting_view(self) -> View:
        """The same release under the policy that the service counts by."""
        return replace(self.view, policy=self.policy.counting.hash if self.policy.counting else "")

    @cached_property
    def on_spare(self) -> Services:
        """The same, asking the spare engine, with proofs in its dialect."""
        assert self.spare is not None
        return replace(self, engine=self.spare, spare=None, proofs={})

    def chosen(self, turn: Turn) -> Services:
        """These services, or those on the spare engine, as the turn is asked."""
        return self.on_spare if turn.on_spare and self.spare is not None else self

    @cached_property
    def engine_key(self) -> str:
        """The engine as keys name it."""
        return f"{self.engine.name} {self.engine.dialect}"


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
    planning: Planning | None = None
    """How the question was read, and what that took; none where nothing had to be read."""
    parts: tuple[TypedQuery, ...] = ()
    others: tuple[Turn, ...] = ()
    """The other questions of a compound one, each on its own way; what is said of this turn is said of the first."""
    sql: str = ""
    lane: str = "semantic"
    user: str = ""
    definitions: tuple[Explained, ...] = ()
    examples: tuple[str, ...] = ()
    key: str = ""
    """Under which the measured table is kept; '' = it is not."""
    kept: Result | None = None
    """The measured table, where it came from the cache: then there is no SQL to approve or to run."""
    on_spare: bool = False
    """Whether it is asked of the spare engine."""
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
