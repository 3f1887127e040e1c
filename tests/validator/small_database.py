"""Every declared table with a few rows, closed columns filled with values that can be told apart when they come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from medflow.specs.table import Column, TableSpec
from tests.validator.corpus import CANARY

ROWS = 60
_SECRET = {"member_id": f"{CANARY}-M-", "raw_line": f"{CANARY}-RAW-", "file_name": f"{CANARY}-FILE-"}
_OWN = {"claim_id", "row_id", "npi"}


def arrow_tables(specs: Iterable[TableSpec], columns: Mapping[str, Iterable[str]] | None = None) -> dict[str, pa.Table]:
    """Full name -> rows; `columns` keeps only these tables and columns."""
    found = {}
    for spec in specs:
        kept = [c for c in spec.columns if columns is None or c.name in columns.get(spec.name, ())]
        if kept:
            found[spec.name] = pa.table({c.name: pa.array([_value(c, i) for i in range(ROWS)], _arrow(c.type)) for c in kept})
    return found


_ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "array<string>": pa.list_(pa.string()),
    "map<string,string>": pa.map_(pa.string(), pa.string()),
}


def _arrow(kind: str) -> pa.DataType:
    if kind.startswith("decimal"):
        precision, scale = kind.removeprefix("decimal(").removesuffix(")").split(",")
        return pa.decimal128(int(precision), int(scale))
    if kind.startswith("array<struct"):
        return pa.list_(pa.struct([("rule_id", pa.string()), ("column", pa.string()), ("message", pa.string())]))
    return _ARROW[kind]


def _value(column: Column, row: int) -> Any:
    name, kind = column.name, column.type
    if name in _SECRET:
        return f"{_SECRET[name]}{row}"
    if name == "member_key":
        return f"key-{row % 20}"
    if name == "birth_year":
        return 1950 + row % 40
    return _plain(kind, name, row)


def _plain(kind: str, name: str, row: int) -> Any:
    if kind == "string":
        return f"{name}-{row if name in _OWN else row % 3}"
    if kind.startswith("decimal"):
        return Decimal(100 + row)
    if kind in ("int", "bigint"):
        return 1 + row % 7
    if kind == "date":
        return date(2025, 1, 1) + timedelta(days=row * 9)
    if kind == "timestamp":
        return datetime(2025, 1, 1) + timedelta(hours=row)
    return {"double": row / ROWS, "boolean": row % 2 == 0}.get(kind, None if "struct" in kind or "map" in kind else [f"{name}-{row % 3}"])
