"""What users see of a lake, read as a fresh process does, and what must not be at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from pyiceberg.table import StaticTable
from sqlalchemy import create_engine, inspect, select, text

from medflow.lakehouse.database import connect
from medflow.lakehouse.ledger import Ledger
from medflow.lakehouse.ledger_tables import BATCHES
from medflow.lakehouse.releases import ReleasedTable, read_release
from tests.support.lake import Lake


def pointers(catalog: str) -> dict[str, str]:
    """Table -> location of its metadata, as the catalog at this address says now; none before the first table."""
    engine = create_engine(catalog)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("iceberg_tables"):
                return {}
            rows = connection.execute(text("SELECT table_namespace || '.' || table_name, metadata_location FROM iceberg_tables"))
            return {row[0]: row[1] for row in rows}
    finally:
        engine.dispose()


@dataclass(frozen=True)
class State:
    """What users see of a lake: the rows of every table, the ledger's files, batches and releases, and what is wrong with them."""

    content: dict[str, list[str]]
    files: list[tuple[Any, ...]]
    batches: list[tuple[Any, ...]]
    releases: list[tuple[Any, ...]]
    unsound: list[str] = field(default_factory=list)


def state_of(lake: Lake) -> State:
    """Read as a fresh process does: ledger, manifest, and DuckDB on the manifest's files."""
    database = connect(lake.settings.catalog)
    ledger = Ledger(database)
    files = [(f.payer, f.name, f.state, f.reason_code, f.retry, f.release, f.batch_id, f.records, f.billed_cents) for f in ledger.files()]
    with database.connect() as connection:
        chosen = select(BATCHES.c.batch_id, BATCHES.c.kind, BATCHES.c.state, BATCHES.c.release)
        batches = [tuple(row) for row in connection.execute(chosen.order_by(BATCHES.c.batch_id))]
    releases = [(r.release, r.parent, r.batch_id, r.kind, r.restored, r.declarations) for r in ledger.releases()]
    content = {name: _rows(table) for name, table in read_release(database).tables.items()} if releases else {}
    unsound = list(_unsound(lake, ledger, {name: len(rows) for name, rows in content.items()}))
    database.dispose()
    return State(content, sorted(files, key=repr), batches, releases, unsound)


def _rows(table: ReleasedTable) -> list[str]:
    """The rows as a sorted multiset, without what differs from run to run."""
    if not table.files:
        return []
    names = [c.name for c in table.columns if c.name not in ("batch_id", "resolved_by_batch") and not c.name.endswith("_at")]
    chosen = ", ".join(f'"{name}"' for name in names)
    return sorted(map(repr, duckdb.execute(f"SELECT {chosen} FROM read_parquet($1, union_by_name = true)", [table.files]).fetchall()))


def _unsound(lake: Lake, ledger: Ledger, released: dict[str, int]) -> Iterator[str]:
    """What must not be at any moment: a file published that no release holds, a table that cannot be read at one of its refs."""
    current = ledger.current_release()
    held = set(ledger.contents(current.release)) if current else set()
    if {file.key for file in ledger.files(state="published")} != held:
        yield "files are published that the release does not hold, or the other way round"
    where = pointers(lake.settings.catalog)
    if missing := released.keys() - where.keys():
        yield f"the catalog has lost {missing}"
    for name, location in where.items():
        try:
            table = StaticTable.from_metadata(location)
            rows = table.scan().to_arrow().num_rows
            snapshots = {ref.snapshot_id for ref in table.refs().values()}
            paths = {task.file.file_path for one in snapshots for task in table.scan(snapshot_id=one).plan_files()}
        except Exception as error:
            yield f"{name} cannot be read: {error!r}"
            continue
        if rows != released.get(name, 0):
            yield f"{name} has {rows} rows at main and {released.get(name, 0)} in the release"
        if gone := [path for path in paths if not Path(path.removeprefix("file://")).exists()]:
            yield f"{name} names files that are gone: {gone}"
