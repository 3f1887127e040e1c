"""Numbers over time: the change between the last two complete periods, and a trend by the Mann-Kendall test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from statistics import NormalDist

_ENOUGH = 8
_CHANCE = 0.05
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Point:
    """A period's number: `row` of the table, first day of the period, value."""

    row: int
    start: date
    value: float


def following(start: date, grain: str) -> date:
    """The first day of the period after the one that begins on a day.

    Raises:
        KeyError: a grain that is no stretch of time, as the day of the week.
    """
    if grain in ("none", "day", "week"):
        return start + timedelta(days=7 if grain == "week" else 1)
    count = start.year * 12 + start.month - 1 + _MONTHS[grain]
    return date(count // 12, count % 12 + 1, 1)


def complete(points: Sequence[Point], grain: str, first: date, until: date) -> list[Point]:
    """The periods that lie wholly in [first, until), in their order."""
    inside = [one for one in points if one.start >= first and following(one.start, grain) <= until]
    return sorted(inside, key=lambda one: one.start)


def last_two(points: Sequence[Point], grain: str) -> tuple[Point, Point] | None:
    """The last two periods, where one follows the other and the first is not 0."""
    if len(points) < len(("before", "after")):
        return None
    before, after = points[-2], points[-1]
    return (before, after) if following(before.start, grain) == after.start and before.value else None


def mann_kendall(values: Sequence[float]) -> float:
    """The probability of as clear a trend by chance; 1 where there is none.

    Two-sided, by the normal approximation, corrected for ties (M. G. Kendall, Rank Correlation Methods, 1975).
    """
    n = len(values)
    score = sum((later > earlier) - (later < earlier) for place, earlier in enumerate(values) for later in values[place + 1 :])
    ties = sum(t * (t - 1) * (2 * t + 5) for t in Counter(values).values())
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    if score == 0 or variance <= 0:
        return 1.0
    z = (abs(score) - 1) / sqrt(variance)
    return 2 * (1 - NormalDist().cdf(z))


def trend(points: Sequence[Point]) -> tuple[str, float] | None:
    """(`rises` or `falls`, probability by chance) of at least eight periods, or None where chance may be it."""
    if len(points) < _ENOUGH:
        return None
    chance = mann_kendall([one.value for one in points])
    if chance >= _CHANCE:
        return None
    ups = sum((b.value > a.value) - (b.value < a.value) for place, a in enumerate(points) for b in points[place + 1 :])
    return ("rises" if ups > 0 else "falls"), chance
