"""The ledger's tables in the catalog database, beside Iceberg's own, so that a release is one transaction. Shapes only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.types import TypeDecorator

from medflow.lakehouse.database import writing


class UtcTimestamp(TypeDecorator[datetime]):
    """An instant; SQLite keeps no zone, so it is stored as UTC and read back as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """To UTC; without the zone where the database has none."""
        if value is None:
            return None
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Back to an aware instant."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


METADATA = MetaData()
LAKE = "lake"  # the one row of medflow_lock

FILES = Table(
    "medflow_files",
    METADATA,
    Column("payer", String(64), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("ingest_date", Date, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("reason_code", String(64)),
    Column("reason", Text),
    Column("declarations", String(64)),
    Column("batch_id", String(64)),
    Column("release", Integer),
    Column("records", BigInteger),
    Column("lines", BigInteger),
    Column("billed_cents", BigInteger),
    Column("warnings", JSON, nullable=False),
    Column("retry", Boolean, nullable=False),
)

BATCHES = Table(
    "medflow_batches",
    METADATA,
    Column("batch_id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("release", Integer),
    Column("run_date", Date, nullable=False),
    Column("declarations", String(64), nullable=False),
    Column("heads", JSON, nullable=False),
    Column("result", JSON, nullable=False),
    Column("message", Text),
)

RELEASES = Table(
    "medflow_releases",
    METADATA,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("parent", Integer),
    Column("batch_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("run_date", Date, nullable=False),
    Column("created_at", UtcTimestamp, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("declarations", String(64), nullable=False),
    Column("restored", Integer),
)

# Which files a release brought: after a restore, what its content is made of can be told from the lineage alone.
RELEASE_FILES = Table(
    "medflow_release_files",
    METADATA,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("payer", String(64), primary_key=True),
    Column("sha256", String(64), primary_key=True),
)

# Releases that retention has given up: their rows stay, for lineage and contents are told from them; their files go.
EXPIRED = Table(
    "medflow_expired_releases",
    METADATA,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("expired_on", Date, nullable=False),
)

LOCK = Table(
    "medflow_lock",
    METADATA,
    Column("name", String(16), primary_key=True),
    Column("holder", String(64)),
    Column("token", BigInteger, nullable=False),
    Column("since", UtcTimestamp),
    Column("heartbeat", UtcTimestamp),
    Column("who", String(255)),
    Column("file", Text),
)


def create_ledger(engine: Engine) -> None:
    """Make the tables that are missing, and the lock's one row. Two processes may do it at once."""
    if _is_complete(engine):
        return
    try:
        with writing(engine) as connection:
            METADATA.create_all(connection)
            if connection.execute(select(LOCK.c.name)).first() is None:
                connection.execute(insert(LOCK).values(name=LAKE, token=0))
    except (ProgrammingError, IntegrityError):  # Postgres lets both try
        if not _is_complete(engine):
            raise


def _is_complete(engine: Engine) -> bool:
    present = set(inspect(engine).get_table_names())
    return all(table.name in present for table in METADATA.tables.values())
