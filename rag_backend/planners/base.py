"""What a planner returns: a typed query, a question back, a definition, a greeting, or a refusal. Values; no planner raises."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from rag_backend.query.typed_query import TypedQuery

ReasonCode = Literal[
    "not_in_data",
    "unknown_value",
    "not_permitted",
    "ambiguous",
    "needs_definition",
    "not_understood",
    "unsafe",
    "off_topic",
    "prediction_or_advice",
    "engine_unavailable",
    "over_limit",
]


@dataclass(frozen=True)
class Span:
    """The characters [start, end) of the question that license one slot of the typed query."""

    slot: str
    start: int
    end: int


@dataclass(frozen=True)
class Planned:
    """A typed query without problems; `notes` say what was read into the question."""

    query: TypedQuery
    spans: tuple[Span, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    """One reading of an ambiguous question, complete."""

    id: str
    label: str
    query: TypedQuery


@dataclass(frozen=True)
class Clarify:
    """The question has several readings: which one is asked back."""

    question: str
    options: tuple[Option, ...]
    reason: ReasonCode = "ambiguous"


@dataclass(frozen=True)
class Definition:
    """What something means is asked: metrics or dimensions of the semantic model, as `metric:<id>` or `dimension:<id>`."""

    terms: tuple[str, ...]


@dataclass(frozen=True)
class Greeting:
    """Nothing is asked."""


@dataclass(frozen=True)
class Refused:
    """No query is written. `word` is what stopped the planner, `nearest` are questions that it answers."""

    reason_code: ReasonCode
    message: str
    word: str = ""
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compound:
    """Several questions in one, each of which stands alone."""

    parts: tuple[Planned, ...]


@dataclass(frozen=True)
class AdHoc:
    """SQL that a model wrote by itself; nothing is known of it but that the validator has to look at it."""

    sql: str


Outcome = Planned | Clarify | Definition | Greeting | Refused | Compound | AdHoc


@dataclass(frozen=True)
class Spent:
    """What a model took: tokens, those of them that it had kept from before, and US dollars where a price is known."""

    tokens: int = 0
    cached_tokens: int = 0
    cost: Decimal | None = None

    def and_then(self, more: Spent) -> Spent:
        """Both together."""
        cost = None if self.cost is None and more.cost is None else (self.cost or Decimal(0)) + (more.cost or Decimal(0))
        return Spent(self.tokens + more.tokens, self.cached_tokens + more.cached_tokens, cost)


@dataclass(frozen=True)
class Planning:
    """How a question was read, by which planner. `notices` are (code, text); `lasting`: the same question would be read so again."""

    outcome: Outcome
    planner: str
    notices: tuple[tuple[str, str], ...] = ()
    spent: Spent = Spent()
    lasting: bool = True
