"""Cells on the way from a worker to the asker: a shape per column says how each travels as JSON. Nothing is rounded or renamed.

A shape is a word (`plain`, `text`, `decimal`, `date`, `timestamp`), or ["list", shape], ["struct", {name: shape}], ["map", shape].
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Shape = Any  # str, or a list whose first item names the kind
Conversion = Callable[[Any], Any]

_INTEGERS = {"tinyint": "tinyint", "smallint": "smallint", "integer": "int", "bigint": "bigint", "hugeint": "bigint", "uhugeint": "bigint"}
_INTEGERS |= {"utinyint": "smallint", "usmallint": "int", "uinteger": "bigint", "ubigint": "bigint"}
_PLAIN = _INTEGERS | {"boolean": "boolean", "float": "float", "double": "double", "varchar": "string"}
_INSTANT = "timestamp with time zone"


def described(kind: Any) -> tuple[str, Shape]:
    """The lake's word for a type of DuckDB's Python client, and the shape in which its cells travel."""
    if kind.id in _PLAIN:
        return _PLAIN[kind.id], "plain"
    if kind.id == "decimal":
        given = dict(kind.children)
        return f"decimal({given['precision']},{given['scale']})", "decimal"
    if kind.id == "date" or kind.id == _INSTANT or kind.id.startswith("timestamp"):
        word = "date" if kind.id == "date" else "timestamp"
        return word, word
    if kind.id in ("list", "array"):
        word, shape = described(kind.children[0][1])
        return f"array<{word}>", ["list", shape]
    if kind.id in ("struct", "map"):
        return _described_fields(kind)
    return ("void", "plain") if kind.id == "null" else ("string", "text")


def _described_fields(kind: Any) -> tuple[str, Shape]:
    fields = {name: described(child) for name, child in kind.children if name != "size"}
    words = {name: word for name, (word, _) in fields.items()}
    if kind.id == "map":
        return f"map<{words['key']},{words['value']}>", ["map", fields["value"][1]]
    listed = ",".join(f"{name}:{word}" for name, word in words.items())
    return f"struct<{listed}>", ["struct", {name: shape for name, (_, shape) in fields.items()}]


def outward(shape: Shape) -> Conversion | None:
    """How a cell of this shape is made JSON; None = as it stands."""
    return _converted(shape, {"text": _as_text, "decimal": str, "date": _iso, "timestamp": _iso, "instant": _iso_utc})


def inward(shape: Shape) -> Conversion | None:
    """The inverse of `outward`; None = as it stands."""
    return _converted(shape, {"decimal": Decimal, "date": date.fromisoformat, "timestamp": _instant, "instant": _instant})


def _converted(shape: Shape, words: dict[str, Conversion]) -> Conversion | None:
    if isinstance(shape, str):
        return _unless_null(words.get(shape))
    if shape[0] == "list":
        item = _converted(shape[1], words) or _same
        return _unless_null(lambda cells: [item(cell) for cell in cells])
    if shape[0] == "map":
        value = _converted(shape[1], words) or _same
        return _unless_null(lambda cells: {str(key): value(cell) for key, cell in cells.items()})
    fields = {name: _converted(inner, words) or _same for name, inner in shape[1].items()}
    return _unless_null(lambda cells: {name: convert(cells[name]) for name, convert in fields.items()})


def _unless_null(convert: Conversion | None) -> Conversion | None:
    return convert and (lambda cell: None if cell is None else convert(cell))


def _same(cell: Any) -> Any:
    return cell


def _as_text(cell: Any) -> str:
    return cell.hex() if isinstance(cell, bytes) else str(cell)


def _iso(cell: Any) -> str:
    return str(cell.isoformat())  # a year that Python cannot hold comes as a text and fails here


def _iso_utc(cell: Any) -> str:
    return _iso(cell.replace(tzinfo=UTC))  # a clock that shows UTC without saying so


def _instant(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    return read.astimezone(UTC) if read.tzinfo else read
