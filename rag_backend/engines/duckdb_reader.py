"""Builds one reader file, in a process of its own: an order on standard input, a file in its place; a problem is told on standard output.

Copies the ordered columns of the ordered tables, and nothing else ever enters the file: a view over Parquet is no wall.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

_BUILDING = ".building"


class NotBuilt(Exception):
    """Why there is no file; the message holds no cell's value."""


def build(order: dict[str, Any]) -> None:
    """Build the ordered file under another name, then put it and its description in place. Two may do so at once: the last stands.

    Raises:
        NotBuilt: a data file is gone or damaged, or disk or memory do not suffice.
    """
    target = Path(order["path"])
    with _workshop(target.parent.parent) as workshop, _problems_told(order):
        made, described = workshop / "reader.duckdb", workshop / "reader.json"
        _copy(order, made)
        rows = {table["name"]: table["rows"] for table in order["tables"]}
        described.write_text(json.dumps({"made": order["made"], "grants": order["grants"], "rows": rows}), encoding="utf-8")
        target.parent.mkdir(exist_ok=True)
        for file, place in ((described, target.with_suffix(".json")), (made, target)):  # the description first: a file is never without
            _make_durable(file)
            file.replace(place)


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """A folder of this process's own beside the releases; what killed builders left is cleared away."""
    os.umask(0o077)  # what is in here is for the owner alone
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_BUILDING}-*"):
        if not _is_running(int(left.name.split("-")[1])):
            shutil.rmtree(left, ignore_errors=True)
    workshop = folder / f"{_BUILDING}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    workshop.mkdir()
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _is_running(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def _copy(order: dict[str, Any], file: Path) -> None:
    spill = {"temp_directory": str(file.parent / "spill"), "memory_limit": order["memory"], "threads": order["threads"]}
    with duckdb.connect(str(file), config=spill) as database:
        database.execute("SET TimeZone = 'UTC'")
        _open_remote(database, order)
        for table in order["tables"]:
            schema, name = table["name"].split(".")
            database.execute(f"CREATE SCHEMA IF NOT EXISTS {_name(schema)}")
            database.execute(f"CREATE TABLE {_name(schema)}.{_name(name)} AS {_select(table)}")
            found = database.execute(f"SELECT count(*) FROM {_name(schema)}.{_name(name)}").fetchall()[0][0]
            if found != table["rows"]:
                raise NotBuilt(f"{table['name']} has {found} rows in its files, and {table['rows']} by the release; run `medflow verify`")
        database.execute("CHECKPOINT")


def _open_remote(database: duckdb.DuckDBPyConnection, order: dict[str, Any]) -> None:
    """Let DuckDB read from S3, by the client that the build uses too."""
    if any("://" in path for table in order["tables"] for path in table["files"]):
        from medflow.lakehouse.duckdb_files import open_s3
        from medflow.lakehouse.storage import Storage

        open_s3(database, Storage(**order.get("storage", {})))


def _select(table: dict[str, Any]) -> str:
    """The readable columns, typed; a column that a file was written without is NULL in its rows."""
    typed = ", ".join(f"NULL::{_duckdb_type(column['type'])} AS {_name(column['name'])}" for column in table["columns"])
    empty = f"SELECT {typed} LIMIT 0"
    if not table["files"]:
        return empty
    files = ", ".join(_text(path) for path in table["files"])
    source = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
    columns = ", ".join(f"CAST({_name(c['name'])} AS {_duckdb_type(c['type'])}) AS {_name(c['name'])}" for c in table["columns"])
    return f"SELECT {columns} FROM (({empty}) UNION ALL BY NAME SELECT * FROM {source})"


def _duckdb_type(kind: str) -> str:
    return exp.DataType.build(kind, dialect="spark").sql("duckdb")


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _make_durable(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


@contextmanager
def _problems_told(order: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise NotBuilt("it needs more memory than MEDFLOW_MEMORY allows; raise it and ask again") from None
    except (duckdb.IOException, duckdb.HTTPException, OSError) as error:
        full = "No space left" in str(error) or getattr(error, "errno", None) == errno.ENOSPC
        told = "the disk is full; free space below MEDFLOW_HOME" if full else "a data file is gone or unreadable; check MEDFLOW_WAREHOUSE"
        raise NotBuilt(told) from None
    except duckdb.Error as error:
        from medflow.lakehouse.duckdb_files import s3_problem
        from medflow.lakehouse.storage import Storage

        if problem := s3_problem(error, Storage(**order.get("storage", {}))):
            raise NotBuilt(problem) from None
        raise NotBuilt(f"a data file does not fit its table ({type(error).__name__}); run `medflow verify`") from None


def main() -> int:
    """Build what the order says; 1 if that is not possible."""
    try:
        build(json.load(sys.stdin))
    except NotBuilt as problem:
        print(problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
