"""Trino's types and cells as its protocol writes them, and as the seam wants them: the lake's words, nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Reading = Callable[[Any], Any]

_WORDS = {"boolean": "boolean", "tinyint": "tinyint", "smallint": "smallint", "integer": "int", "bigint": "bigint", "date": "date"}
_WORDS |= {"real": "float", "double": "double", "varchar": "string", "char": "string", "unknown": "void"}
_INSTANT = "timestamp with time zone"
_MICROSECONDS = 6


def read_as(signature: dict[str, Any]) -> tuple[str, Reading]:
    """The lake's word for a type of a result, and how its cells are read."""
    kind, arguments = signature["rawType"], [argument["value"] for argument in signature.get("arguments", [])]
    if kind == "decimal":
        return f"decimal({arguments[0]},{arguments[1]})", _unless_null(Decimal)
    if kind in (_INSTANT, "timestamp"):
        return "timestamp", _unless_null(_instant)
    if kind == "array":
        word, item = read_as(arguments[0])
        return f"array<{word}>", _unless_null(lambda cells: [item(cell) for cell in cells])
    if kind == "map":
        (key, _), (word, value) = read_as(arguments[0]), read_as(arguments[1])
        return f"map<{key},{word}>", _unless_null(lambda cells: {str(name): value(cell) for name, cell in cells.items()})
    if kind == "row":
        return _fields(arguments)
    readings: dict[str, Reading] = {"date": date.fromisoformat, "real": float, "double": float}
    return _WORDS.get(kind, "string"), _unless_null(readings.get(kind, _same if kind in _WORDS else str))


def _fields(arguments: list[Any]) -> tuple[str, Reading]:
    """A row: its fields by name; one without a name goes by its place, as `SELECT` columns do."""
    fields = []
    for place, argument in enumerate(arguments):
        name = (argument.get("fieldName") or {}).get("name") or f"_{place}"
        fields.append((name, *read_as(argument["typeSignature"])))
    listed = ",".join(f"{name}:{word}" for name, word, _ in fields)

    def read(cells: list[Any]) -> dict[str, Any]:
        return {name: item(cell) for (name, _, item), cell in zip(fields, cells, strict=True)}

    return f"struct<{listed}>", _unless_null(read)


def _unless_null(read: Reading) -> Reading:
    return lambda cell: None if cell is None else read(cell)


def _same(cell: Any) -> Any:
    return cell


def _instant(text: str) -> datetime:
    """`2026-07-01 06:00:00.123456 UTC`: the session's zone is UTC, and finer than microseconds is not kept anywhere in the lake."""
    day, clock, *zone = text.split(" ")
    whole, _, fraction = clock.partition(".")
    read = datetime.fromisoformat(f"{day}T{whole}.{fraction[:_MICROSECONDS].ljust(_MICROSECONDS, '0')}")
    if not zone:
        return read
    if zone != ["UTC"]:  # an offset or a place that the SQL itself asked for
        return read.replace(tzinfo=_zone(zone[0])).astimezone(UTC)
    return read.replace(tzinfo=UTC)


def _zone(name: str) -> Any:
    from zoneinfo import ZoneInfo

    return datetime.fromisoformat(f"2000-01-01T00:00:00{name}").tzinfo if name[0] in "+-" else ZoneInfo(name)
