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
from spark_jobs.release import Proposal, land_release, main_of, release_tag
from spark_jobs.writer import EMPTY_TAG


def restore(lake: Lake, ledger: Ledger, lock: WriterLock, number: int, *, run_date: date, created_at: datetime) -> int:
    """Publish a release with the snapshots of release `number`; files that only later releases hold become withdrawn.

    Raises:
        UsageError: no such release, the current one, or one that is no longer kept.
        FencedError, CatalogError, VerificationError: as `publish`.
    """
    lock.check()
    wanted, current = read_release(lake.engine, number), read_release(lake.engine)
    if number == current.number:
        raise UsageError(f"release {number} is the current one; `medflow releases list` shows the others")
    heads = {name: _restored_head(name, table, wanted) for name, table in lake.tables().items()}
    release = _facts(ledger, wanted, current, (run_date, created_at))
    ledger.start_batch(new_batch(release.batch_id, "restore", run_date, release.declarations))

    def record(connection: Connection, entry: ReleaseEntry) -> None:
        ledger.add_release(connection, entry, {"restored": number})
        ledger.restore_files(connection, number)

    land_release(lake, ledger, lock, Proposal(release, heads, record))
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


def _prove(lake: Lake, release: Release, heads: Mapping[str, int], former: Release) -> None:
    """From what is stored now: each main is the restored snapshot, and the former one is still reachable by its tag."""
    lake.forget()
    tables = lake.tables()
    tags = {name: tables[name].refs().get(release_tag(former.number)) for name in former.tables}
    wrong = sorted(name for name, head in heads.items() if main_of(tables[name]) != head)
    wrong += sorted(name for name, tag in tags.items() if not tag or tag.snapshot_id != former.tables[name].snapshot)
    if wrong:
        raise VerificationError(
            f"release {release.number} is visible but not proved: {', '.join(wrong)} is not at its restored snapshot, or what it "
            f"held before is out of reach. `medflow releases restore {former.number}` takes it back"
        )
