"""Retention: releases and batches' branches past their days lose their refs, and with them the snapshots that nothing else holds.

Judged by run dates in the ledger, never by Iceberg's clock. Changes metadata, all tables in one transaction; deletes no file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots
from sqlalchemy import Connection

from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.database import writing
from medflow.lakehouse.ledger import Ledger
from medflow.lakehouse.ledger_entries import ReleaseEntry
from medflow.lakehouse.lock import WriterLock
from medflow.lakehouse.releases import Release, ReleasedTable, read_release
from medflow.lakehouse.staging import Draft, Staged, land, stage
from spark_jobs.release import release_tag
from spark_jobs.stored_files import readable
from spark_jobs.writer import BATCH_PROPERTY, branch_of

KEPT_RELEASES = 30
KEPT_DAYS = timedelta(days=30)
# A refused batch is read by `quarantine list --batch` until somebody has mended its files or rules.
REFUSED_DAYS = timedelta(days=30)
# The branch of a killed run is never taken up again; a week is for whoever wants to see what it had built.
BROKEN_OFF_DAYS = timedelta(days=7)


@dataclass(frozen=True)
class Retired:
    """What retention gave up: releases, branches, and how many snapshots of each table went with them."""

    releases: tuple[int, ...] = ()
    branches: tuple[str, ...] = ()
    snapshots: Mapping[str, int] = field(default_factory=dict)


def retire(lake: Lake, ledger: Ledger, lock: WriterLock, on: date) -> Retired:
    """Expire releases and drop branches that are past their days on `on`; a release once expired stays so.

    Raises:
        CatalogError: a kept release's manifest or a table cannot be read, or another writer moved a table; nothing has changed.
        FencedError: a newer run has taken over; nothing has changed.
    """
    lock.check()
    tables, before = current_tables(lake), ledger.expired()
    expired = [entry.release for entry in past_releases(ledger.releases(), on) if entry.release not in before]
    kept = kept_releases(lake, ledger, leaving=expired)
    branches = _past_branches(ledger, tables.values(), on)
    going = _Going({*branches, *(release_tag(number) for number in (*before, *expired))}, _batches(tables.values(), leaving=branches))
    changes = {name: _Change.of(table, going, [one.tables[name] for one in kept if name in one.tables]) for name, table in tables.items()}
    staged = [one for name, change in changes.items() if change.matters and (one := change.stage(lake, tables[name]))]

    def record(connection: Connection) -> None:
        lock.guard(connection)
        ledger.add_expired(connection, expired, on)

    if staged:
        land(lake, staged, record)
    elif expired:
        with writing(lake.engine) as connection:
            record(connection)
    return Retired(tuple(expired), tuple(sorted(branches)), {name: len(change.gone) for name, change in changes.items() if change.gone})


def past_releases(releases: Sequence[ReleaseEntry], on: date) -> list[ReleaseEntry]:
    """Those that are neither among the newest 30 nor of a run date within 30 days before `on`; `releases` are all, oldest first."""
    return [entry for entry in releases[:-KEPT_RELEASES] if on - entry.run_date > KEPT_DAYS]


def current_tables(lake: Lake) -> dict[str, Table]:
    """Every table, read from the warehouse anew. Raises CatalogError: the metadata of one cannot be read."""
    lake.forget()
    tables = {}
    for name, location in lake.pointers().items():
        with readable(lake.storage, location):
            tables[name] = lake.table(name)
    return tables


def kept_releases(lake: Lake, ledger: Ledger, leaving: Collection[int] = ()) -> list[Release]:
    """The manifests of all releases that are kept, `leaving` left out. Raises CatalogError: one of them cannot be read."""
    gone = {*ledger.expired(), *leaving}
    return [read_release(lake.engine, entry.release, lake.storage) for entry in ledger.releases() if entry.release not in gone]


@dataclass(frozen=True)
class _Going:
    """Refs that go, and the batches whose branches stay: one that is built job by job may go back to any snapshot of its own."""

    refs: Collection[str]
    batches: Collection[str]

    def holds(self, snapshot: Snapshot) -> bool:
        return snapshot.summary is not None and snapshot.summary.get(BATCH_PROPERTY) in self.batches


@dataclass(frozen=True)
class _Change:
    """What a table lets go: refs that it has, snapshots that nothing else holds, and whether its metadata log is to be cut.

    `manifested` are the metadata files that kept releases name.
    """

    refs: tuple[str, ...]
    gone: tuple[int, ...]
    cuts_log: bool
    manifested: frozenset[str]

    @classmethod
    def of(cls, table: Table, going: _Going, released: Sequence[ReleasedTable]) -> _Change:
        manifested = frozenset(one.metadata for one in released)
        held = {ref.snapshot_id for name, ref in table.refs().items() if name not in going.refs} | {one.snapshot for one in released}
        gone = (one.snapshot_id for one in table.metadata.snapshots if one.snapshot_id not in held and not going.holds(one))
        # the newest entry stays: whoever has just read the pointer before the last swap is about to open that file
        cuts_log = any(entry.metadata_file not in manifested for entry in table.metadata.metadata_log[:-1])
        return cls(tuple(sorted(table.refs().keys() & set(going.refs))), tuple(gone), cuts_log, manifested)

    @property
    def matters(self) -> bool:
        return bool(self.refs or self.gone or self.cuts_log)

    def stage(self, lake: Lake, table: Table) -> Staged | None:
        draft = Draft(table)
        managing = ManageSnapshots(draft)
        for name in self.refs:
            managing = managing.remove_tag(name)  # branches too
        managing.commit()
        ExpireSnapshots(draft).by_ids(list(self.gone)).commit()  # without any, a change that leaves all but the log as it is
        return stage(lake, draft, self.manifested)


def _past_branches(ledger: Ledger, tables: Iterable[Table], on: date) -> set[str]:
    """Branches of batches past their days. One whose batch the ledger does not know is not ours to drop."""
    return {branch for branch in {name for table in tables for name in table.refs()} if _is_past(ledger, branch, on)}


def _batches(tables: Iterable[Table], leaving: Collection[str]) -> set[str]:
    """Of which batches there are branches, `leaving` left out."""
    branches = {name for table in tables for name in table.refs() if name.startswith(branch_of(""))}
    return {branch.removeprefix(branch_of("")) for branch in branches.difference(leaving)}


def _is_past(ledger: Ledger, branch: str, on: date) -> bool:
    batch = ledger.batch(branch.removeprefix(branch_of(""))) if branch.startswith(branch_of("")) else None
    return batch is not None and on - batch.run_date > (REFUSED_DAYS if batch.state == "refused" else BROKEN_OFF_DAYS)
