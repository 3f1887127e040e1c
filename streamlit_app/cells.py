"""Cells as people read them: rates in percent, money with two places, thousands apart, a month by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

NOTHING = "\N{EN DASH}"
_QUARTER = 3


@dataclass(frozen=True)
class Column:
    """A column of a table; `grain` is how long its dates' periods are, or ''."""

    name: str
    label: str
    type: str = "string"
    unit: str = ""
    kind: str = "derived"
    grain: str = ""

    @property
    def numeric(self) -> bool:
        return bool(self.unit) or self.type.partition("(")[0] in ("int", "bigint", "smallint", "tinyint", "double", "float", "decimal")

    @property
    def dated(self) -> bool:
        return self.type == "date" or self.type.startswith("timestamp")


def columns_of(part: Mapping[str, Any]) -> list[Column]:
    """The columns of an answer or of one of its parts, each date with the grain that was asked for."""
    groups = (part.get("typed_query") or {}).get("group_by", ())
    grains = {one["dim"]: one["grain"] for one in groups if one.get("grain") not in (None, "none")}
    return [Column(**{**column, "grain": grains.get(column["name"], "")}) for column in part["columns"]]


def part_of(columns: Sequence[Column], found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is no answer, in an answer's form: these columns of what was found."""
    rows = [[one.get(column.name) for column in columns] for one in found]
    return {"columns": [asdict(column) for column in columns], "rows": rows, "row_count": len(rows)}


def shown(value: Any, column: Column) -> str:
    """A cell's text."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.dated:
        return _moment(str(value), column.grain)
    return _number(value, column.unit) if column.numeric else str(value)


def number_of(value: Any) -> float | None:
    """A cell as a number to sort and draw by; None where it is none."""
    if isinstance(value, (bool, type(None))):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < float("inf") else None


def _number(value: Any, unit: str) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    if not number.is_finite():
        return str(value)
    if unit == "rate":
        return f"{100 * number:.1f}%"
    if unit == "points":
        return f"{100 * number:+.1f} points"
    if unit == "USD":
        return f"{'-' if number < 0 else ''}${abs(number):,.2f}"
    return f"{number:,.0f}" if number == number.to_integral_value() else f"{number:,.2f}"


def _moment(text: str, grain: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if "T" in text or " " in text:
        return f"{moment:%Y-%m-%d %H:%M}"
    return period(moment.date(), grain)


def period(day: date, grain: str) -> str:
    """The period that begins on this day."""
    if grain == "month":
        return f"{day:%b %Y}"
    if grain == "quarter":
        return f"Q{(day.month - 1) // _QUARTER + 1} {day.year}"
    return str(day.year) if grain == "year" else day.isoformat()
