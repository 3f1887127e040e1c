"""What the rules have read so far, slot by slot, each with the nodes that licensed it."""

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
    """A metric as it is asked for. `noun`: the entity whose count it is; `per`: for each of which entity."""

    id: str
    stat: str = "default"
    transform: str = "none"
    noun: str = ""
    per: str = ""
    filters: list[Condition] = field(default_factory=list)
    part: list[Condition] = field(default_factory=list)
    first: int = 0
    last: int = 0
    averaged: bool = False
    role: str = ""


@dataclass
class Test:
    """A number that a metric is tested against; `metric` '' is the one that is asked for."""

    metric: str
    op: str
    value: float | None
    of: str
    at: int
    percent: bool = False
    noun: str = ""


@dataclass
class Draft:
    """The slots of a typed query, as far as they are read."""

    asks: list[Ask] = field(default_factory=list)
    groups: list[tuple[str, str]] = field(default_factory=list)
    group_at: int = -1
    subject: tuple[str, str] | None = None
    head: tuple[str, str, int] | None = None
    filters: list[tuple[Condition, int]] = field(default_factory=list)
    periods: list[tuple[Period, int]] = field(default_factory=list)
    date: str = ""
    verb_at: int = -1
    tests: list[Test] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)
    limit: int = 0
    offset: int = 0
    top: str = ""
    per: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    absent: str = ""
    spans: list[tuple[str, int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    part_from: int = -1


@dataclass
class Reading:
    """One tagged question being read; rules move over `nodes` and fill `draft`."""

    nodes: list[Node]
    lexicon: Lexicon
    today: datetime.date
    draft: Draft = field(default_factory=Draft)

    def cat(self, place: int) -> str:
        return self.nodes[place].cat if 0 <= place < len(self.nodes) else "END"

    def node(self, place: int) -> Node:
        return self.nodes[place]

    def skip(self, place: int, *cats: str) -> int:
        """The first place from here on that is of none of the categories."""
        while self.cat(place) in cats:
            place += 1
        return place

    def before(self, place: int, *cats: str) -> str:
        """The category before a place, those given left out."""
        place -= 1
        while self.cat(place) in ("FILL", "ALL", "TOTAL", "DISTINCT", *cats):
            place -= 1
        return self.cat(place)

    def span(self, slot: str, first: int, last: int) -> None:
        """Say that nodes [first, last) license a slot."""
        self.draft.spans.append((slot, first, last))

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
