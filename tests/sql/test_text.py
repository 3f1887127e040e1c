"""A text that becomes a literal stays that text, whatever is in it."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medflow.sql.compile import compile_sql
from medflow.sql.text import literal, native_literal

_TEXTS = [
    "O'Neil",
    "'",
    "''",
    "\\",
    "\\'",
    "a\\'b",
    "x\\' OR 1=1 --",
    "'; DROP TABLE t; --",
    "a\nb\tc",
    "\\n",
    "\\u0041",
    "é✓日本",
    "%_",
    '"',
    "`",
    "",
]
_NASTY = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])) | st.text("'\\\"`%_-;nrtu0/* ")


@pytest.mark.parametrize("text", _TEXTS)
def test_these_texts(text: str) -> None:
    """By way of Spark's SQL and as DuckDB's own, in a list and beside DATE too."""
    for sql in (compile_sql(f"SELECT {literal(text)} AS a", "duckdb"), f"SELECT {native_literal(text)}"):
        assert duckdb.execute(sql).fetchall() == [(text,)]
    listed = compile_sql(f"SELECT 1 AS a WHERE 'z' IN ({literal(text)}, {literal(text)})", "duckdb")
    assert duckdb.execute(listed).fetchall() == []
    dated = compile_sql(f"SELECT TRY_CAST({literal(text)} AS DATE) AS a", "duckdb")
    assert duckdb.execute(dated).fetchall() == [(None,)]


@settings(max_examples=300, deadline=None)
@given(_NASTY)
def test_any_text(text: str) -> None:
    assert duckdb.execute(compile_sql(f"SELECT {literal(text)} AS a", "duckdb")).fetchall() == [(text,)]
    assert duckdb.execute(f"SELECT {native_literal(text)}").fetchall() == [(text,)]
