"""The ledger's tables in the catalog database, beside Iceberg's own, so that a release is one transaction. Shapes only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    inspect,
    select,
)
from sqlalchemy.types import TypeDecorator

from medflow.errors import CatalogError
from medflow.lakehouse.database import making


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

# Lines that a person waived: what a queue that is lost would have told.
WAIVERS = Table(
    "medflow_waivers",
    METADATA,
    Column("release", Integer, primary_key=True, autoincrement=False),
    Column("row_id", String(64), primary_key=True),
)

# How far the tables above have come, in one row: see `_STEPS`.
VERSION = Table("medflow_version", METADATA, Column("name", String(16), primary_key=True), Column("version", Integer, nullable=False))

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


# What changes a ledger of version n to n + 1, in order; never changed once released. A table that is new needs no step.
_STEPS: tuple[Callable[[Connection], None], ...] = ()
_NEWEST = 1 + len(_STEPS)


def create_ledger(engine: Engine) -> None:
    """Make the tables that are missing, bring older ones up to date, and the lock's one row. Several processes may do it at once.

    Raises:
        CatalogError: a newer MedFlow made them.
    """
    if _is_complete(engine):
        return
    with making(engine) as connection:
        known = VERSION.name in inspect(connection).get_table_names()
        version = connection.execute(select(VERSION.c.version)).scalar() if known else None
        is_new = FILES.name not in inspect(connection).get_table_names()
        METADATA.create_all(connection)
        _bring_up(connection, _NEWEST if is_new else version or 1)
        if connection.execute(select(LOCK.c.name)).first() is None:
            connection.execute(insert(LOCK).values(name=LAKE, token=0))


def _bring_up(connection: Connection, version: int) -> None:
    if version > _NEWEST:
        raise CatalogError(
            f"the ledger in MEDFLOW_CATALOG is of version {version}, made by a newer MedFlow; this one knows {_NEWEST}. Upgrade this one"
        )
    for step in _STEPS[version - 1 :]:
        step(connection)
    connection.execute(delete(VERSION))
    connection.execute(insert(VERSION).values(name=LAKE, version=_NEWEST))


def _is_complete(engine: Engine) -> bool:
    present = set(inspect(engine).get_table_names())
    if not all(table.name in present for table in METADATA.tables.values()):
        return False
    with engine.connect() as connection:
        return connection.execute(select(VERSION.c.version)).scalar() == _NEWEST
