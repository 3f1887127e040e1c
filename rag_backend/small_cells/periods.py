"""The days of a group of dates."""

from __future__ import annotations

from datetime import date, timedelta

from medflow.specs.semantic import Grain

LONGEST: dict[str, int] = {"day": 1, "none": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
"""Days of a group of dates, at most."""
_MONTHS: dict[str, int] = {"day": 0, "none": 0, "month": 1, "quarter": 3}


def period(value: object, grain: Grain) -> tuple[date, date] | None:
    """From the first day of a group of dates to the day after its last; none where they are not one stretch."""
    if grain == "year" and isinstance(value, int):
        return date(value, 1, 1), date(value + 1, 1, 1)
    if not isinstance(value, date):
        return None
    if grain == "week":
        return value, value + timedelta(days=7)
    months = _MONTHS.get(grain)
    if months is None:
        return None
    following = value + timedelta(days=1) if not months else value
    for _ in range(months):
        following = (following.replace(day=1) + timedelta(days=31)).replace(day=1)
    return value, following
