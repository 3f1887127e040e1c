"""Every DuckDB attack does what it says where nothing guards the engine: a corpus of harmless text would prove nothing."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.validator.corpus import CANARY, Attack, attacks, tables
from tests.validator.small_database import arrow_tables

_SECONDS = 0.4
_CHANGES = (
    "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL",
    "SELECT function_name FROM duckdb_functions() WHERE NOT internal",
    "SELECT name, value FROM duckdb_settings() WHERE name = 'memory_limit'",
    "SELECT database_name FROM duckdb_databases() ORDER BY ALL",
    "SELECT name FROM duckdb_prepared_statements()",
    "SELECT name FROM duckdb_variables()",
    "SELECT SUM(paid_amount), COUNT(*) FROM healthcare.claims_clean",
    "SELECT COUNT(*) FROM healthcare.providers",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file and a data file that nobody may read."""
    (tmp_path / "secret.csv").write_text(f"a,b\n{CANARY},1\n{CANARY},2\n", encoding="utf-8")
    pq.write_table(pa.table({"a": [CANARY]}), tmp_path / "secret.parquet")
    return tmp_path


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every declared table, in a database file."""
    path = tmp_path_factory.mktemp("template") / "tables.duckdb"
    connection = duckdb.connect(str(path), config={"threads": 1})
    for name, rows in arrow_tables(tables().values()).items():
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
        connection.register("rows", rows)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
    connection.unregister("rows")
    connection.close()
    return path


@pytest.fixture
def unguarded(template: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of them, in a DuckDB as it comes."""
    connection = duckdb.connect(shutil.copy(template, tmp_path / "tables.duckdb"), config={"threads": 1, "memory_limit": "500MB"})
    yield connection
    connection.close()


@pytest.mark.parametrize("attack", attacks("duckdb"), ids=lambda attack: attack.id)
def test_the_attack_does_harm(attack: Attack, unguarded: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Rows, a canary, a key, a change or no end, as the corpus says."""
    assert harm_seen(attack, unguarded, folder)


def harm_seen(attack: Attack, connection: duckdb.DuckDBPyConnection, folder: Path) -> bool:
    sql = attack.aimed(folder)
    if attack.shown == "exhaust":
        return _does_not_end(sql, connection)
    if attack.shown == "change":
        before = _state(connection, folder)
        connection.execute(sql)
        return _state(connection, folder) != before
    result = connection.execute(sql)
    rows = result.fetchall()
    told = repr(rows)
    return bool(rows) and {"canary": CANARY in told, "key": "key-" in told, "rows": True}[attack.shown]


def _state(connection: duckdb.DuckDBPyConnection, folder: Path) -> str:
    found = []
    for sql in _CHANGES:
        with suppress(duckdb.Error):
            found.append(repr(connection.execute(sql).fetchall()))
    return repr((found, sorted(path.name for path in folder.rglob("*"))))


def _does_not_end(sql: str, connection: duckdb.DuckDBPyConnection) -> bool:
    """Interrupted after its time, or grown past its memory; the table is 3,000 rows long, of which a release has thousands of times more."""
    connection.execute("INSERT INTO healthcare.claims_clean SELECT c.* FROM healthcare.claims_clean AS c, range(50)")
    done, interrupted = threading.Event(), []

    def interrupt() -> None:
        while not done.wait(_SECONDS):  # again, should the first fall before the query has begun
            interrupted.append(True)
            connection.interrupt()

    clock = threading.Thread(target=interrupt)
    clock.start()
    try:
        connection.execute(sql).fetchall()
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        return True
    finally:
        done.set()
        clock.join()
    return bool(interrupted)  # longer than its time, and deaf to the interruption
