"""Random SQL that passes touches only readable tables and columns, by DuckDB's own word, and learns nothing of keys but equality."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_backend.validator import Approved, validate
from tests.support.counts import counted
from tests.validator.corpus import policies, proof, tables
from tests.validator.random_sql import random_sql
from tests.validator.small_database import arrow_tables

_RUN = settings(max_examples=counted(400, 6000), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def database(content: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    for name, rows in content.items():
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
        connection.register("rows", rows)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
    return connection


@pytest.fixture(scope="module")
def whole() -> Iterator[duckdb.DuckDBPyConnection]:
    """Every declared table and column."""
    with database(arrow_tables(tables().values())) as connection:
        yield connection


@pytest.fixture(scope="module")
def readable() -> Iterator[duckdb.DuckDBPyConnection]:
    """Only what an analyst may read: anything else does not exist."""
    with database(arrow_tables(tables().values(), policies()["analyst"].tables)) as connection:
        yield connection


@pytest.fixture(scope="module")
def renamed() -> Iterator[duckdb.DuckDBPyConnection]:
    """The same with every key replaced by another one, in another order."""
    content = arrow_tables(tables().values(), policies()["analyst"].tables)
    lines = content["healthcare.claims_clean"]
    keys = pa.array([f"other-{hash_of(key)}" for key in lines["member_key"].to_pylist()])
    content["healthcare.claims_clean"] = lines.set_column(lines.column_names.index("member_key"), "member_key", keys)
    with database(content) as connection:
        yield connection


def hash_of(key: str) -> int:
    return int(key.removeprefix("key-")) * 7919 % 10_007


@given(sql=random_sql())
@_RUN
def test_what_passes_binds_without_the_closed_columns(
    sql: str, whole: duckdb.DuckDBPyConnection, readable: duckdb.DuckDBPyConnection
) -> None:
    """What DuckDB can plan over everything, it can plan over the readable part alone; its scans read no column that was not approved."""
    approved = validate(sql, proof())
    if not isinstance(approved, Approved):
        return
    plan = _plan(whole, approved.sql)
    if plan is None:
        return  # SUM of a text and the like
    assert _plan(readable, approved.sql) is not None
    assert set(_scanned(plan)) <= approved.tables


@given(sql=random_sql())
@_RUN
def test_keys_are_only_the_same_or_not(sql: str, readable: duckdb.DuckDBPyConnection, renamed: duckdb.DuckDBPyConnection) -> None:
    """With every key renamed, and so ordered otherwise, an approved query gives the same rows."""
    approved = validate(sql, proof())
    if isinstance(approved, Approved):
        assert _rows(readable, approved.sql) == _rows(renamed, approved.sql)


@given(data=st.data())
@settings(_RUN, max_examples=counted(100, 1000))
def test_any_text_is_answered(data: st.DataObject) -> None:
    """Noise is refused, too, and never raises; pieces of SQL in any order are such noise."""
    pieces = st.sampled_from(
        [
            "SELECT",
            "(",
            ")",
            "FROM",
            "claims_clean",
            "*",
            ",",
            "'x'",
            "member_id",
            "WITH",
            "a",
            "AS",
            "JOIN",
            "ON",
            "NOT",
            "-",
            "CASE",
            "[",
            "]",
        ]
    )
    words = data.draw(st.lists(pieces | st.text(max_size=4), max_size=40))
    answered = validate("SELECT " + " ".join(words), proof())
    assert not isinstance(answered, Approved) or answered.tables <= {"healthcare.claims_clean"}


def _plan(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    try:
        return json.loads(connection.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()[0][1])
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ConversionException) as error:
        if any(word in str(error) for word in ("does not have a column", "not found in FROM", "does not exist")):
            return (
                None
                if connection.execute("SELECT COUNT(*) FROM duckdb_tables() WHERE table_name = 'claims_raw'").fetchall() == [(0,)]
                else _fail(error)
            )
        return None


def _fail(error: Exception) -> None:
    raise AssertionError("approved SQL names what is nowhere") from error


def _scanned(plan: Any) -> Iterator[str]:
    for node in plan:
        if table := node.get("extra_info", {}).get("Table"):
            yield ".".join(str(table).split(".")[-2:])
        yield from _scanned(node.get("children", []))


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str] | str:
    try:
        return sorted(map(repr, connection.execute(sql).fetchall()))
    except duckdb.Error as error:
        return type(error).__name__
