"""A cell of any engine's client as one text, so that the same cell is the same text: a struct is its values in order, a map its sorted pairs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


def spelled(cell: Any) -> str:
    """Of a client's value; instants are in UTC."""
    if hasattr(cell, "asDict"):  # Spark's row
        return _listed(cell)
    if isinstance(cell, datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(cell, Mapping):
        return _listed(cell.values())
    if isinstance(cell, (list, tuple)):
        return _listed(cell)
    if isinstance(cell, (Decimal, date)) or cell is None:
        return str(cell)
    return repr(cell)


def _listed(cells: Any) -> str:
    return f"[{', '.join(spelled(cell) for cell in cells)}]"
