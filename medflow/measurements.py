"""What `medflow eval` and `medflow bench` measured, kept in the application's database: each figure with when, and on what.

No row is ever changed: a newer figure stands beside the older ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path

from sqlalchemy import Column, Engine, Float, Integer, MetaData, String, Table, insert, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from medflow.digests import sha256_of
from medflow.errors import CatalogError, MedflowError
from medflow.lakehouse.database import connect, make_tables, writing
from medflow.lakehouse.ledger_tables import UtcTimestamp
from medflow.specs.declarations import digest_of

_METADATA = MetaData()
_MEASUREMENTS = Table(
    "medflow_measurements",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, index=True),
    Column("value", Float, nullable=False),
    Column("unit", String(16), nullable=False),
    Column("at", UtcTimestamp, nullable=False),
    Column("knowledge_base", String(64), nullable=False),
    Column("asked", String(255), nullable=False),
    Column("asked_sha256", String(64), nullable=False),
    Column("askings", Integer, nullable=False),
    Column("planner", String(32), nullable=False),
    Column("load", Float, nullable=False),
    Column("release", Integer),
    Column("claims", Integer),
    Column("seed", Integer),
    Column("model_seconds", Float),
)


@dataclass(frozen=True)
class MeasuredOn:
    """What a figure is of: the declarations (their SHA-256), the questions (name and SHA-256 of their file) and how many were asked, the
    planner, the machine's load before; a release, or a sample of so many claims and a seed; how long a scripted model took.
    """

    knowledge_base: str
    asked: str
    asked_sha256: str
    askings: int
    planner: str
    load: float
    release: int | None = None
    claims: int | None = None
    seed: int | None = None
    model_seconds: float | None = None


@dataclass(frozen=True)
class Measurement:
    """One figure; rates are shares of one, times milliseconds."""

    name: str
    value: float
    unit: str
    at: datetime
    on: MeasuredOn


def keep(app_db: str, measured: Sequence[Measurement]) -> None:
    """Keep figures, all or none.

    Raises:
        MedflowError: the database cannot be written.
    """
    if not measured:
        return
    rows = [{"name": one.name, "value": one.value, "unit": one.unit, "at": one.at, **asdict(one.on)} for one in measured]
    with opened(app_db, "written") as engine:
        make_tables(engine, _METADATA)
        with writing(engine) as connection:
            connection.execute(insert(_MEASUREMENTS), rows)


def newest_first(app_db: str) -> list[Measurement]:
    """All figures; none where there is no database yet.

    Raises:
        MedflowError: the database cannot be read.
    """
    if not exists(app_db):
        return []
    with opened(app_db, "read") as engine:
        if not inspect(engine).has_table(_MEASUREMENTS.name):
            return []
        with engine.connect() as connection:
            found = connection.execute(select(_MEASUREMENTS).order_by(_MEASUREMENTS.c.at.desc(), _MEASUREMENTS.c.id.desc())).mappings()
            names = [field.name for field in fields(MeasuredOn)]
            return [
                Measurement(row["name"], row["value"], row["unit"], row["at"], MeasuredOn(**{name: row[name] for name in names}))
                for row in found
            ]


def exists(app_db: str) -> bool:
    """Whether there is something to read: a server, or a file."""
    try:
        address = make_url(app_db)
    except ArgumentError:
        return True  # whoever opens it says what is wrong with it
    return address.get_backend_name() != "sqlite" or Path(address.database or "").is_file()


@contextmanager
def opened(app_db: str, purpose: str) -> Iterator[Engine]:
    """The application's database, closed at the end; `purpose` is what an error says that cannot be done.

    Raises:
        CatalogError: it cannot be opened, or fails within the block.
    """
    try:
        engine = connect(app_db)
        try:
            yield engine
        finally:
            engine.dispose()
    except (MedflowError, SQLAlchemyError, OSError) as error:
        raise CatalogError(f"the database that MEDFLOW_APP_DB names cannot be {purpose}; put it right, or name another one") from error


def version_of_declarations(root: Path) -> str:
    """SHA-256 over every file of a knowledge base."""
    return digest_of({path.relative_to(root).as_posix(): sha256_of(path) for path in sorted(root.rglob("*")) if path.is_file()})
