"""All tables of a published lake in one DuckDB, named as in the lake, without any policy: for SQL that a person wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tests.support.lake import Lake


@contextmanager
def reader_of(folder: Path, claims: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Generate, run, and copy the release's tables into a database in memory."""
    lake = Lake(folder / "lake")
    lake.generate(claims)
    lake.run()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, table in lake.release().tables.items():
        if table.files:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet($1, union_by_name = true)", [table.files])
    with connection:
        yield connection
