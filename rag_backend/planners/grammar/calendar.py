"""Calendar periods: months, quarters, halves, years, weeks and days, and those before today's. Windows are [start, until)."""

from __future__ import annotations

import datetime

from rag_backend.planners.grammar.nodes import Period

Day = datetime.date
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
_LENGTH = {"month": 1, "quarter": 3, "half": 6, "year": 12}


def plus_months(day: Day, months: int) -> Day:
    """The first of the month that many months after the month of a day.

    Raises:
        ValueError: the year is none that a date can have.
    """
    count = day.year * 12 + day.month - 1 + months
    return Day(count // 12, count % 12 + 1, 1)


def start_of(day: Day, unit: str) -> Day:
    """The first day of the period that holds a day."""
    if unit == "week":
        return day - datetime.timedelta(days=day.weekday())
    if unit == "day":
        return day
    size = _LENGTH[unit]
    return Day(day.year, (day.month - 1) // size * size + 1, 1)


def shifted(day: Day, unit: str, count: int) -> Day:
    """The start of the period `count` periods after the one that holds a day."""
    first = start_of(day, unit)
    if unit in ("day", "week"):
        return first + datetime.timedelta(days=count * (7 if unit == "week" else 1))
    return plus_months(first, count * _LENGTH[unit])


def year_back(day: Day) -> Day:
    """The same day of the year before; a leap day is the first of March."""
    leap = day.month == 2 and day.day == 29
    return Day(day.year - 1, 3, 1) if leap else day.replace(year=day.year - 1)


def period(start: Day, unit: str) -> Period:
    """The whole period that starts on a day."""
    return Period(start, shifted(start, unit, 1), unit, label(start, unit))


def label(start: Day, unit: str) -> str:
    """How a period is called."""
    if unit == "year":
        return str(start.year)
    if unit == "quarter":
        return f"Q{(start.month + 2) // 3} {start.year}"
    if unit == "half":
        return f"H{(start.month + 5) // 6} {start.year}"
    if unit == "month":
        return f"{MONTHS[start.month - 1]} {start.year}"
    return start.isoformat()


def year(number: int) -> Period:
    """A calendar year."""
    return period(Day(number, 1, 1), "year")


def part_of_year(unit: str, number: int, of_year: int) -> Period:
    """The n-th month, quarter or half of a year."""
    return period(Day(of_year, (number - 1) * _LENGTH[unit] + 1, 1), unit)


def last_complete(today: Day, unit: str, count: int) -> Period:
    """The `count` complete periods before the one that holds today."""
    start, until = shifted(today, unit, -count), start_of(today, unit)
    name = label(start, unit) if count == 1 else f"last {count} {unit}s"
    return Period(start, until, unit, name, several=count > 1)


def so_far(today: Day, unit: str) -> Period:
    """The period that holds today, up to and with today."""
    return Period(start_of(today, unit), today + datetime.timedelta(days=1), unit, f"this {unit} to {today.isoformat()}")
