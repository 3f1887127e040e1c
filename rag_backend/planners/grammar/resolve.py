"""Periods that need more than the question: a month without its year, a phrase with two meanings, a window against the data there are."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from rag_backend.planners.grammar import calendar
from rag_backend.planners.grammar.dates import bounded
from rag_backend.planners.grammar.nodes import Period

Days = tuple[datetime.date, datetime.date]


def candidates(period: Period, span: Days | None, today: datetime.date) -> tuple[Period, ...]:
    """The periods that a phrase can mean; one, where it is plain."""
    if period.ask:
        return period.ask
    if period.yearless is None:
        return (period,)
    if period.bound == "range":
        return ()
    unit, number = period.yearless
    last = today if span is None else max(today, span[1])
    first = datetime.date(today.year - 3, 1, 1) if span is None else span[0]
    years = range(first.year, last.year + 1)
    all_of_them = [calendar.part_of_year(unit, number, year) for year in years]
    inside = [one for one in all_of_them if one.start and one.until and one.start <= last and one.until > first and one.start <= today]
    if period.bound in ("since", "on or after", "after") and inside:
        inside = inside[-1:]
    return tuple(bounded(one, period.bound) if period.bound else one for one in inside)


@dataclass(frozen=True)
class Fit:
    """How a window lies to the days that there are: `outside`, or with a note where it is not wholly inside."""

    outside: bool
    note: str = ""


def fit(period: Period, span: Days | None) -> Fit:
    """Compare a window with the first and last day of the data."""
    if span is None:
        return Fit(False)
    first, last = span
    if (period.start and period.start > last) or (period.until and period.until <= first):
        return Fit(True)
    # A month in which the data start or end counts as covered: the first and the last day seen need not be its first and last.
    early = period.start is not None and calendar.start_of(period.start, "month") < calendar.start_of(first, "month")
    late = period.until is not None and calendar.plus_months(period.until - datetime.timedelta(days=1), 1) > calendar.plus_months(last, 1)
    if early or late:
        return Fit(False, f"the data run from {first.isoformat()} to {last.isoformat()}: {period.label} is covered in part")
    return Fit(False)
