"""Pieces of SQL text made from our own values: literals and lists. Never from a file's cells."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

_LAST_BIT = 30  # billions of the greatest power still fit a BIGINT


def literal(value: str | int | date) -> str:
    """A Spark SQL literal. To Spark a backslash escapes, and two quotes are an end and a beginning: `'a''b'` is `ab`."""
    if isinstance(value, date):
        return f"DATE '{value}'"
    return str(value) if isinstance(value, int) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def native_literal(text: str) -> str:
    """A text in DuckDB's own SQL, where two quotes are one and a backslash is nothing special."""
    return "'" + text.replace("'", "''") + "'"


def in_list(expression: str, values: Collection[str] | Collection[int] | Collection[date]) -> str:
    """`expression IN (...)`; an empty list is false."""
    return f"{expression} IN ({', '.join(sorted(map(literal, values)))})" if values else "FALSE"


def power(number: str) -> str:
    """A power of two for an integer up to 30, else NULL: over a group whose numbers differ, SUM and BIT_OR of it are equal."""
    return f"CASE WHEN {number} BETWEEN 0 AND {_LAST_BIT} THEN SHIFTLEFT(CAST(1 AS BIGINT), {number}) END"


def same(left: str, right: str, columns: str) -> str:
    """A join condition: equal in each of the comma-separated columns."""
    return " AND ".join(f"{left}.{name} = {right}.{name}" for name in columns.split(", "))
