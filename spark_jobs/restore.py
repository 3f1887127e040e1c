"""Going back: a new release with the content of an older one. Deletes nothing; the state left stays under its own tag."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from pyiceberg.table import Table
from sqlalchemy import Connection

from medflow.errors import CatalogError, UsageError, VerificationError
from medflow.lakehouse.batch_ids import derived_batch_id
from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.ledger import Ledger, new_batch
from medflow.lakehouse.ledger_entries import ReleaseEntry
from medflow.lakehouse.lock import WriterLock
from medflow.lakehouse.releases import Release, read_release
from spark_jobs.release import Proposal, holds, land_release, main_of, own_tables, release_tag
from spark_jobs.writer import EMPTY_TAG


def restore(lake: Lake, ledger: Ledger, lock: WriterLock, number: int, *, run_date: date, created_at: datetime) -> int:
    """Publish a release with the snapshots of release `number`; files that only later releases hold become withdrawn.

    Raises:
        UsageError: no such release, the current one, or one that is no longer kept.
        FencedError, CatalogError, VerificationError: as `publish`.
    """
    lock.check()
    wanted, current = (read_release(lake.engine, one, lake.storage) for one in (number, None))
    if number == current.number:
        raise UsageError(f"release {number} is the current one; `medflow releases list` shows the others")
    tables = own_tables(lake, {*wanted.tables, *current.tables})
    heads = {name: _restored_head(name, table, wanted) for name, table in tables.items()}
    release = _facts(ledger, wanted, current, (run_date, created_at))
    ledger.start_batch(new_batch(release.batch_id, "restore", run_date, release.declarations))

    def record(connection: Connection, entry: ReleaseEntry) -> None:
        ledger.add_release(connection, entry, {"restored": number})
        ledger.restore_files(connection, number)

    land_release(lake, lock, Proposal(release, tables, heads, record))
    _prove(lake, release, heads, current)
    return release.number


def _restored_head(name: str, table: Table, wanted: Release) -> int:
    if name not in wanted.tables:
        if EMPTY_TAG not in table.refs():
            raise CatalogError(f"{name} has lost its first snapshot (tag {EMPTY_TAG}) and cannot go back to before it was made")
        return table.refs()[EMPTY_TAG].snapshot_id
    snapshot = wanted.tables[name].snapshot
    if table.metadata.snapshot_by_id(snapshot) is None:
        raise UsageError(f"release {wanted.number} is no longer kept: {name} has lost its snapshot. Choose a later release")
    return snapshot


def _facts(ledger: Ledger, wanted: Release, current: Release, when: tuple[date, datetime]) -> Release:
    before, after = ledger.contents(current.number), ledger.contents(wanted.number)
    context = (wanted.declarations, current.number)
    return Release(
        number=current.number + 1,
        parent=wanted.number,
        restored=wanted.number,
        batch_id=derived_batch_id(f"restore {wanted.number}", before.keys() ^ after.keys(), current.tables, context),
        kind="restore",
        run_date=when[0],
        created_at=when[1],
        declarations=wanted.declarations,
        fingerprints=wanted.fingerprints,
        tables={},
    )


def _is_at(table: Table, head: int, former: int | None) -> bool:
    """Whether main is at the restored head, or another writer has since built on it; from the former head it has gone away."""
    main = main_of(table)
    left = former is None or holds(table, head, former) or not holds(table, main, former)
    return main == head or (left and holds(table, main, head))


def _prove(lake: Lake, release: Release, heads: Mapping[str, int], former: Release) -> None:
    """From what is stored now: each main has come to the restored snapshot, and the former one is still reachable by its tag."""
    lake.forget()
    tables = lake.tables()
    tags = {name: tables[name].refs().get(release_tag(former.number)) for name in former.tables}
    snapshots = {name: table.snapshot for name, table in former.tables.items()}
    wrong = sorted(name for name, head in heads.items() if not _is_at(tables[name], head, snapshots.get(name)))
    wrong += sorted(name for name, tag in tags.items() if not tag or tag.snapshot_id != former.tables[name].snapshot)
    if wrong:
        raise VerificationError(
            f"release {release.number} is visible but not proved: {', '.join(wrong)} is not at its restored snapshot, or what it "
            f"held before is out of reach. `medflow releases restore {former.number}` takes it back"
        )
