"""What has been understood of a question, slot by slot, each with the nodes that licensed it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from rag_backend.planners.base import ReasonCode
from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.nodes import Node, Period
from rag_backend.query.typed_query import Condition


class Stop(Exception):
    """This way of reading the question ends here; caught by the planner and made a refusal."""

    def __init__(self, reason: ReasonCode, message: str, word: str = "") -> None:
        super().__init__(message)
        self.reason, self.message, self.word = reason, message, word


@dataclass
class Ask:
    """A metric as it is asked for. `noun`: the entity whose count it is; `per`: for each of which entity; `of`: the whole of a share;
    `text`: the words that name it."""

    id: str
    stats: list[str] = field(default_factory=list)
    transform: str = "none"
    noun: str = ""
    counted: bool = False
    per: str = ""
    averaged: bool = False
    of: str = ""
    text: str = ""
    of_entity: str = ""
    first: int = 0


@dataclass
class Test:
    """A number that a metric is tested against; `metric` '' is the one that is asked for. `after_split`: it follows a group directly.

    `unit`: what the number is said in. `noun`: the entity that it limits, where that is named beside it."""

    metric: str
    op: str
    value: float | None
    of: str = ""
    percent: bool = False
    after_split: bool = False
    unit: str = ""
    noun: str = ""


@dataclass
class Filter:
    """Conditions of which one must hold. `part`: it says which part of a total; `maybe`: it does where nothing is split."""

    group: tuple[Condition, ...]
    at: int
    role: str = ""


@dataclass
class Draft:
    """The slots of a typed query, as far as they are read. A group is (dimension or '', grain); '' is the date that the metric goes by."""

    asks: list[Ask] = field(default_factory=list)
    groups: list[tuple[str, str]] = field(default_factory=list)
    subject: tuple[str, str] | None = None
    head: str = ""
    filters: list[Filter] = field(default_factory=list)
    periods: list[tuple[Period, int]] = field(default_factory=list)
    date: str = ""
    maybe_date: str = ""
    either: str = ""
    both: tuple[Condition, ...] = ()
    both_of: str = ""
    group_at: int = -1
    tests: list[Test] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)
    by_change: bool | None = None
    limit: int = 0
    offset: int = 0
    per: list[tuple[str, str]] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    absent: str = ""
    spans: list[tuple[str, int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Reading:
    """One tagged question being read."""

    nodes: list[Node]
    lexicon: Lexicon
    today: datetime.date

    def cat(self, place: int) -> str:
        return self.nodes[place].cat if 0 <= place < len(self.nodes) else "END"

    def node(self, place: int) -> Node:
        """The node at a place; beyond the ends, one that says nothing."""
        return self.nodes[place] if 0 <= place < len(self.nodes) else Node("END", place, place, "")

    def skip(self, place: int, *cats: str) -> int:
        """The first place from here on that is of none of the categories."""
        while self.cat(place) in cats:
            place += 1
        return place

    def entity(self, place: int) -> str:
        return self.node(place).reading.id if self.cat(place) == "NOUN" else ""

    def dim(self, place: int) -> str:
        """The dimension that a noun names, if it is not a date."""
        dim = self.node(place).reading.dim if self.cat(place) == "NOUN" else ""
        return dim if dim and self.lexicon.model.dimensions[dim].type != "date" else ""

    def date_dim(self, place: int) -> str:
        """The date that a noun or a verb names."""
        dim = self.node(place).reading.dim if self.cat(place) in ("NOUN", "VERB") else ""
        return dim if dim and self.lexicon.model.dimensions[dim].type == "date" else ""
