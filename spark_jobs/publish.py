"""One release: the heads of a batch's branches become main, and readers see all of them or none.

Builds nothing. Every file is looked at before anyone can see the release; afterwards the release is proved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of
from sqlalchemy import Connection

from medflow.errors import CatalogError, VerificationError
from medflow.lakehouse.batch_ids import FileKey
from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.ledger import Ledger
from medflow.lakehouse.ledger_entries import BatchKind, ReleaseEntry
from medflow.lakehouse.lock import WriterLock
from medflow.lakehouse.releases import Release
from spark_jobs.release import Proposal, holds, land_release, main_of, own_tables
from spark_jobs.writer import BATCH_PROPERTY, branch_of


@dataclass(frozen=True)
class Publication:
    """What is to be published. `heads` = each table's branch head as verified, other tables stay; `result` is for the ledger.

    `waived` are the row ids that it closes for good; `expires` older releases that can no longer be read.
    """

    batch_id: str
    kind: BatchKind
    heads: Mapping[str, int]
    run_date: date
    created_at: datetime
    declarations: str
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[FileKey] = ()
    result: Mapping[str, Any] = field(default_factory=dict)
    waived: Sequence[str] = ()
    expires: Sequence[int] = ()


def publish(lake: Lake, ledger: Ledger, lock: WriterLock, publication: Publication) -> int:
    """Publish the heads of a batch, which is in the ledger; returns the number of the release.

    Raises:
        VerificationError: a branch is not at its verified head, a file is missing, or the proof afterwards fails.
        FencedError: a newer run has taken over. CatalogError: another writer moved a table or its main, or the catalog fails.
    """
    lock.check()
    parent = ledger.current_release()
    tables = own_tables(lake, publication.heads)
    _check_verified(tables, publication)
    _check_built_on_main(tables, publication)
    formers = {name: main_of(table) for name, table in tables.items()}
    heads = {**formers, **publication.heads}
    release = _facts(publication, parent)

    def record(connection: Connection, entry: ReleaseEntry) -> None:
        ledger.add_release(connection, entry, publication.result)
        ledger.add_files(connection, entry, publication.files)
        ledger.add_waivers(connection, entry, publication.waived)
        ledger.add_expired(connection, publication.expires, publication.run_date)

    land_release(lake, lock, Proposal(release, tables, heads, record, branch_of(publication.batch_id)))
    _prove(lake, release, heads, formers)
    return release.number


def _facts(publication: Publication, parent: ReleaseEntry | None) -> Release:
    return Release(
        number=parent.release + 1 if parent else 1,
        parent=parent.release if parent else None,
        restored=None,
        batch_id=publication.batch_id,
        kind=publication.kind,
        run_date=publication.run_date,
        created_at=publication.created_at,
        declarations=publication.declarations,
        fingerprints=publication.fingerprints,
        tables={},
    )


def _check_verified(tables: Mapping[str, Table], publication: Publication) -> None:
    branch = branch_of(publication.batch_id)
    heads = {name: ref.snapshot_id for name, table in tables.items() if (ref := table.refs().get(branch))}
    if wrong := sorted(name for name, head in publication.heads.items() if heads.get(name) != head):
        raise VerificationError(f"the branch of {', '.join(wrong)} is not at the head that was verified; run again")


def _check_built_on_main(tables: Mapping[str, Table], publication: Publication) -> None:
    for name, head in publication.heads.items():
        table = tables[name]
        if not holds(table, head, main_of(table)):
            raise CatalogError(f"main of {name} was changed by another writer since this batch began; nothing was published. Run again")


def _prove(lake: Lake, release: Release, heads: Mapping[str, int], formers: Mapping[str, int]) -> None:
    """From what is stored now: each main has come to the verified head, which since the former one holds this batch and no other.

    What another writer has put on top of the head since is no part of the release.
    """
    lake.forget()
    tables = lake.tables(list(heads))
    problems = [problem for name in heads for problem in _disproofs(tables[name], release, heads[name], formers[name])]
    if problems:
        raise VerificationError(
            f"release {release.number} is visible but not proved: {'; '.join(problems)}. "
            f"`medflow releases restore {release.parent}` takes it back"
        )


def _disproofs(table: Table, release: Release, head: int, former: int) -> Iterator[str]:
    name = ".".join(table.name())
    if not holds(table, main_of(table), head):
        yield f"main of {name} is not the verified snapshot"
    line = list(ancestors_of(table.metadata.snapshot_by_id(head), table.metadata))
    places = [snapshot.snapshot_id for snapshot in line]
    if former not in places:
        yield f"the former state of {name} is not an ancestor"
        return
    since = places.index(former)
    # a table's first snapshot is empty and carries the batch that made it
    ours = [snapshot.summary and snapshot.summary.get(BATCH_PROPERTY) == release.batch_id for snapshot in line]
    if not all(ours[:since]):
        yield f"{name} holds a commit of another batch"
    if any(mine and snapshot.parent_snapshot_id is not None for mine, snapshot in zip(ours[since:], line[since:], strict=True)):
        yield f"{name} holds this batch twice"
