"""How far the batch has come that is built one job at a time: a row a finished job, in the catalog database.

One such batch at a time: the next one takes the place of the one before. Says what was found; does none of the work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Engine, String, Table, delete, insert, select

from medflow.lakehouse.database import writing
from medflow.lakehouse.ledger_tables import METADATA, UtcTimestamp, create_ledger
from medflow.lakehouse.lock import WriterLock

BATCH_STEPS = Table(
    "medflow_batch_steps",
    METADATA,
    Column("batch_id", String(64), primary_key=True),
    Column("job", String(32), primary_key=True),
    Column("heads", JSON, nullable=False),
    Column("carried", JSON, nullable=False),
    Column("finished_at", UtcTimestamp, nullable=False),
)


@dataclass(frozen=True)
class FinishedJob:
    """A job that came to its end: the snapshot of every table on the batch's branch, and what later jobs go on from."""

    batch_id: str
    job: str
    heads: Mapping[str, int]
    carried: Mapping[str, Any]
    finished_at: datetime


class BatchSteps:
    """The finished jobs in the catalog database behind `engine`; the table is made if missing.

    Whoever changes them holds the lock: a FencedError says that a newer run has taken over, and nothing has changed.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        create_ledger(engine)

    def batch_under_way(self) -> str | None:
        """The batch that was begun last, if any ever was; it may be published by now."""
        with self._engine.connect() as connection:
            return connection.execute(select(BATCH_STEPS.c.batch_id)).scalars().first()

    def finished(self, batch_id: str) -> dict[str, FinishedJob]:
        """The finished jobs of a batch by name; none if another batch has taken its place."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(BATCH_STEPS).where(BATCH_STEPS.c.batch_id == batch_id)).all()
        return {row.job: FinishedJob(**row._asdict()) for row in rows}

    def begin(self, lock: WriterLock) -> None:
        """Forget every job of every batch: another one begins."""
        with writing(self._engine) as connection:
            lock.guard(connection)
            connection.execute(delete(BATCH_STEPS))

    def forget(self, lock: WriterLock, batch_id: str, jobs: Collection[str]) -> None:
        """Jobs of a batch as not finished."""
        with writing(self._engine) as connection:
            lock.guard(connection)
            connection.execute(delete(BATCH_STEPS).where(BATCH_STEPS.c.batch_id == batch_id, BATCH_STEPS.c.job.in_(jobs)))

    def record(self, lock: WriterLock, job: FinishedJob) -> None:
        """A job as finished, which it was not before."""
        with writing(self._engine) as connection:
            lock.guard(connection)
            connection.execute(insert(BATCH_STEPS).values(asdict(job)))
