"""A measured table, before anything is masked in it, as bytes and back: every cell comes back as what it was, of the type it was.

JSON, in which what JSON has no form for is an object of one tag: decimals and instants as text at full length, a dict as its pairs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rag_backend.cache.base import VALUE_BYTES
from rag_backend.engines.base import Cell, ResultColumn, Table
from rag_backend.query.compile import OutputColumn

_PLAIN = (str, int, float, bool, type(None))
_OF_TAG: dict[str, Callable[[Any], Any]] = {
    "decimal": Decimal,
    "date": date.fromisoformat,
    "instant": datetime.fromisoformat,
    "dict": dict,
}


@dataclass(frozen=True)
class Result:
    """A table, the SQL that gave it, what its columns mean, and the source that it was read from ('' = the lines).

    The SQL is told, never run.
    """

    sql: str
    columns: tuple[OutputColumn, ...]
    source: str
    table: Table


def written(result: Result) -> bytes:
    """The result as bytes that `read` gives it back from.

    Raises:
        TypeError: a cell is of no type that a table holds. ValueError: it is too big to be kept.
    """
    table = result.table
    if len(table.rows) * len(table.columns) * 2 > VALUE_BYTES:  # a cell and a comma: it need not be tried
        raise ValueError("too many cells to be kept")
    rows = [[cell if type(cell) in _PLAIN else _tagged(cell) for cell in row] for row in table.rows]
    columns = [astuple(column) for column in table.columns]
    content = [result.sql, result.source, [astuple(column) for column in result.columns], columns, rows, table.truncated, table.elapsed]
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def read(text: bytes) -> Result:
    """The inverse of `written`.

    Raises:
        ValueError, TypeError, LookupError, ArithmeticError: the text is of another form.
    """
    content = json.loads(text.decode("utf-8", "surrogatepass"), object_hook=_untagged)
    sql, source, meanings, columns, rows, truncated, elapsed = content
    if not all(len(row) == len(columns) for row in rows):
        raise ValueError("rows and columns do not fit")
    table = Table(tuple(ResultColumn(*column) for column in columns), [tuple(row) for row in rows], truncated, elapsed)
    return Result(sql, tuple(OutputColumn(*meaning) for meaning in meanings), source, table)


def _tagged(cell: Cell) -> Any:
    if type(cell) in _PLAIN:
        return cell
    if isinstance(cell, Decimal):
        return {"decimal": str(cell)}
    if isinstance(cell, datetime):
        return {"instant": cell.isoformat()}
    if isinstance(cell, date):
        return {"date": cell.isoformat()}
    if isinstance(cell, list):
        return [_tagged(item) for item in cell]
    if isinstance(cell, dict) and all(isinstance(name, str) for name in cell):
        return {"dict": [[name, _tagged(item)] for name, item in cell.items()]}
    raise TypeError(f"a cell of type {type(cell).__name__} cannot be kept")


def _untagged(found: dict[str, Any]) -> Any:
    ((tag, content),) = found.items()
    return _OF_TAG[tag](content)
