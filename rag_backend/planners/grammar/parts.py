"""What a question is made of, once its words are grouped: parts, each with the function words that lead to it."""

from __future__ import annotations

from dataclasses import dataclass

from rag_backend.planners.grammar.nodes import Node, Period
from rag_backend.query.typed_query import Condition


@dataclass(frozen=True)
class Part:
    """Nodes [first, last) of a question; `lead` are the function words directly before."""

    first: int
    last: int
    lead: tuple[Node, ...]

    def led_by(self, *cats: str) -> bool:
        """Whether one of its leading function words is of these categories."""
        return any(node.cat in cats for node in self.lead)

    @property
    def and_said(self) -> bool:
        """Whether a word such as `and` stands before it, not punctuation alone."""
        return any(node.cat == "AND" and any(map(str.isalpha, node.text)) for node in self.lead)

    def led_by_word(self, *words: str) -> bool:
        """Whether one of its leading function words is one of these."""
        return any(word in words for node in self.lead for word in node.text.casefold().split())


@dataclass(frozen=True)
class Measure(Part):
    """A word for a metric."""

    metric: str


@dataclass(frozen=True)
class Predicate(Part):
    """A word that with a counted noun is the name of a metric."""

    metric: str


@dataclass(frozen=True)
class Thing(Part):
    """A noun: an entity, a dimension, both, or a unit of time (`grain`), which may say of which date it is."""

    entity: str = ""
    dim: str = ""
    grain: str = ""
    plural: bool = False


@dataclass(frozen=True)
class Values(Part):
    """Values of one dimension, as groups of alternatives that all must hold. `joined`: what stood between several of them."""

    where: tuple[tuple[Condition, ...], ...]
    joined: str = ""
    negated: bool = False
    named: bool = False

    @property
    def only(self) -> Condition | None:
        """The condition, where it is a single one."""
        return self.where[0][0] if len(self.where) == 1 and len(self.where[0]) == 1 else None


@dataclass(frozen=True)
class Split(Part):
    """What numbers are split by. `each`: said by a word that means one after the other; `entity`: for each of what has no name."""

    groups: tuple[tuple[str, str], ...]
    each: bool
    entity: str = ""
    date: str = ""

    @property
    def period(self) -> str:
        """The stretch of time, where it is for each of one alone: `per month`."""
        return self.groups[0][1] if self.each and len(self.groups) == 1 and self.groups[0][0] == "" else ""


@dataclass(frozen=True)
class When(Part):
    """A stretch of time."""

    period: Period


@dataclass(frozen=True)
class Dated(Part):
    """A date that a window is of; `verb`: said by a verb."""

    dim: str
    verb: bool


@dataclass(frozen=True)
class Threshold(Part):
    """Numbers that a metric is tested against, as (operation, number); `of`: what it is held against instead of a number; `unit`: what
    the numbers are said in."""

    tests: tuple[tuple[str, float], ...]
    percent: bool = False
    of: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Extreme(Part):
    """`highest`, `top 5`, `most common`, `second lowest`. `kind` is top, sup, most or common; `n` 0 = not said."""

    kind: str
    desc: bool
    n: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Mark(Part):
    """A word that says what is to be done with the parts around it; `kind` is its category."""

    kind: str
    number: int = 0
    text: str = ""


Target = Measure | Thing
