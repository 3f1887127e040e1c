"""What the pipeline has done, for people to look at: releases, batches and files as the ledger has them, newest first, a page at a time.

Reads; makes no table, and never shows a file's content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, Select, Table, func, inspect, select

from medflow.lakehouse.ledger_entries import FileState
from medflow.lakehouse.ledger_tables import BATCHES, EXPIRED, FILES, RELEASES


@dataclass(frozen=True)
class Page:
    """So many rows, after those."""

    limit: int
    offset: int = 0


@dataclass(frozen=True)
class ReleaseSeen:
    """A release; `expired_on`: when retention gave it up."""

    release: int
    parent: int | None
    restored: int | None
    batch_id: str
    kind: str
    run_date: date
    created_at: datetime
    expired_on: date | None


@dataclass(frozen=True)
class BatchSeen:
    """A batch, and of how many files it is; `message` says why it was refused or failed."""

    batch_id: str
    kind: str
    state: str
    release: int | None
    run_date: date
    message: str | None
    files: int


@dataclass(frozen=True)
class FileSeen:
    """A file of a source, by its name and hash."""

    source: str
    name: str
    sha256: str
    bytes: int
    ingest_date: date
    state: FileState
    reason_code: str | None
    reason: str | None
    batch_id: str | None
    release: int | None
    records: int | None
    lines: int | None


@dataclass(frozen=True)
class FilesSeen:
    """A page of files; `states`: how many there are of each."""

    total: int
    states: Mapping[str, int] = field(default_factory=dict)
    files: Sequence[FileSeen] = ()


def releases(engine: Engine, page: Page) -> tuple[int, list[ReleaseSeen]]:
    """How many releases there are, and a page of them."""
    if not _is_there(engine, RELEASES):
        return 0, []
    given_up = _is_there(engine, EXPIRED)
    columns = [RELEASES.c[name] for name in ReleaseSeen.__dataclass_fields__ if name != "expired_on"]
    with engine.connect() as connection:
        total = connection.execute(select(func.count()).select_from(RELEASES)).scalar_one()
        rows = connection.execute(_paged(select(*columns).order_by(RELEASES.c.release.desc()), page)).all()
        found = connection.execute(select(EXPIRED.c.release, EXPIRED.c.expired_on)).all() if given_up else []
    expired = {row.release: row.expired_on for row in found}
    return total, [ReleaseSeen(**row._asdict(), expired_on=expired.get(row.release)) for row in rows]


def batches(engine: Engine, page: Page) -> tuple[int, list[BatchSeen]]:
    """How many batches there are, and a page of them."""
    if not _is_there(engine, BATCHES):
        return 0, []
    columns = [BATCHES.c[name] for name in BatchSeen.__dataclass_fields__ if name != "files"]
    order = (BATCHES.c.run_date.desc(), func.coalesce(BATCHES.c.release, 0).desc(), BATCHES.c.batch_id)
    with engine.connect() as connection:
        total = connection.execute(select(func.count()).select_from(BATCHES)).scalar_one()
        rows = connection.execute(_paged(select(*columns).order_by(*order), page)).all()
        shown = [row.batch_id for row in rows]
        counted = select(FILES.c.batch_id, func.count().label("n")).where(FILES.c.batch_id.in_(shown)).group_by(FILES.c.batch_id)
        files = {row.batch_id: row.n for row in connection.execute(counted)}
    return total, [BatchSeen(**row._asdict(), files=files.get(row.batch_id, 0)) for row in rows]


def files(engine: Engine, page: Page, state: FileState | None = None) -> FilesSeen:
    """A page of the files, those of the newest ingest first; optionally of one state."""
    if not _is_there(engine, FILES):
        return FilesSeen(0)
    columns = [FILES.c[name] for name in FileSeen.__dataclass_fields__ if name != "source"]
    wanted = (FILES.c.state == state) if state else FILES.c.state.is_not(None)
    asked = select(FILES.c.payer.label("source"), *columns).where(wanted)
    asked = asked.order_by(FILES.c.ingest_date.desc(), FILES.c.payer, FILES.c.name, FILES.c.sha256)
    with engine.connect() as connection:
        counted = select(FILES.c.state, func.count().label("n")).group_by(FILES.c.state)
        states = {row.state: row.n for row in connection.execute(counted)}
        rows = connection.execute(_paged(asked, page)).all()
    total = states.get(state, 0) if state else sum(states.values())
    return FilesSeen(total, states, [FileSeen(**row._asdict()) for row in rows])


def _paged(asked: Select[Any], page: Page) -> Select[Any]:
    return asked.limit(page.limit).offset(page.offset)


def _is_there(engine: Engine, table: Table) -> bool:
    return inspect(engine).has_table(table.name)
