"""Tagged phrases: runs of tokens with one meaning each, as the rules read them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Literal

from rag_backend.planners.grammar.lexicon import Reading

Unit = Literal["day", "week", "month", "quarter", "year", "half"]


@dataclass(frozen=True)
class Period:
    """A stretch of days [start, until); None = open. `yearless` is a month or quarter whose year is not said; `several`: of
    several units.
    """

    start: datetime.date | None
    until: datetime.date | None
    unit: str
    label: str
    yearless: tuple[str, int] | None = None
    ends: tuple[Period, ...] = ()
    note: str = ""
    ask: tuple[Period, ...] = ()
    bound: str = ""
    several: bool = False


@dataclass(frozen=True)
class Node:
    """Tokens [first, last) of a question and what they are: a category of English, or a reading of the lexicon."""

    cat: str
    first: int
    last: int
    text: str
    reading: Reading = field(default_factory=lambda: Reading("", ""))
    number: float = 0.0
    percent: bool = False
    money: bool = False
    period: Period | None = None
    readings: tuple[Reading, ...] = ()

    @property
    def may_be_number(self) -> bool:
        """Whether one of its readings is a metric."""
        return any(one.kind == "METRIC" for one in self.readings)
