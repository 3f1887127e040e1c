"""The databases: the URL of a setting in, an engine out whose errors say what to do. Knows no table of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, func, inspect, make_url, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError

from medflow.errors import CatalogError, MissingExtraError, UsageError

BUSY_SECONDS = 15
_WRITES = "medflow_writes"
# A server that is gone without a word is noticed: seconds to connect, then to miss a sign of life; milliseconds unacknowledged.
_PATIENCE = {"connect_timeout": 10, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
_MAKING = 0x6D656466  # a number that all processes use, of no other meaning


@dataclass(frozen=True)
class Named:
    """What a database is, and the setting that names it, as errors tell."""

    what: str
    setting: str

    @property
    def told(self) -> str:
        return f"It is named by {self.setting}."


CATALOG = Named("catalog", "MEDFLOW_CATALOG")
APPLICATION = Named("application's database", "MEDFLOW_APP_DB")

# SQLite's name of an error (its beginning) -> what happened and what to do
_SQLITE_PROBLEMS = {
    "SQLITE_NOTADB": "is not a SQLite database. Name another file, or move this one away and run again.",
    "SQLITE_CORRUPT": "is damaged. Put back a copy of it, or move it away and run again: all files are read anew.",
    "SQLITE_CANTOPEN": "cannot be opened. Check that its folder exists and that you may write there.",
    "SQLITE_PERM": "cannot be opened: you may not. Ask for the right to read and write it.",
    "SQLITE_AUTH": "cannot be opened: you may not. Ask for the right to read and write it.",
    "SQLITE_READONLY": "cannot be written: file or folder is read-only. Make it writable, or name another file.",
    "SQLITE_FULL": "cannot grow: the disk is full. Free some space and run again; what was published is safe.",
    "SQLITE_IOERR": "cannot be read or written: the disk reports an error. Check the disk and run again.",
    "SQLITE_BUSY": f"has been held by another process for more than {BUSY_SECONDS} s. Wait for it to end and run again.",
    "SQLITE_LOCKED": f"has been held by another process for more than {BUSY_SECONDS} s. Wait for it to end and run again.",
}


def connect(url: str, *, create: bool = True, named: Named = CATALOG) -> Engine:
    """An engine for the database at `url`, tried once; `create` makes a missing SQLite file and its folder.

    Raises:
        UsageError: the URL cannot be read.
        CatalogError: the database is missing, damaged, full, not a database, not allowed or does not answer.
        MissingExtraError: its driver is not installed.
    """
    address = _address(url, named)
    if address.get_backend_name() == "sqlite" and address.database and not address.database.startswith("file:"):
        _prepare_folder(Path(address.database), create, named)
    engine = _engine(address, named)
    with engine.connect():
        return engine


def writing(engine: Engine) -> AbstractContextManager[Connection]:
    """One write transaction; SQLite takes its write lock at the start, so that what is read in it stays true."""
    return engine.execution_options(**{_WRITES: True}).begin()


@contextmanager
def making(engine: Engine) -> Iterator[Connection]:
    """A write transaction that makes tables, one at a time among all processes: Postgres would let two both try, and one fail."""
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
        yield connection


def make_tables(engine: Engine, tables: MetaData) -> None:
    """Make the tables that are missing. Several processes may do it at once."""
    if all(inspect(engine).has_table(name) for name in tables.tables):
        return
    with making(engine) as connection:
        tables.create_all(connection)


def _address(url: str, named: Named) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise UsageError(f"{named.setting} is not a database URL; allowed: sqlite:///path/lake.db or postgresql://…") from None
    if address.get_backend_name() not in ("sqlite", "postgresql"):
        raise UsageError(f"{named.setting} names {address.drivername}; allowed: sqlite:///path/lake.db or postgresql://…")
    # the driver that pyiceberg[sql-postgres] brings
    return address.set(drivername="postgresql+psycopg2") if address.drivername == "postgresql" else address


def _prepare_folder(file: Path, create: bool, named: Named) -> None:
    if not create and not file.exists():
        raise CatalogError(f"there is no {named.what} at {file}: `medflow run` makes one. {named.told}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(f"the folder of the {named.what} {file} cannot be made: {error.strerror}. {named.told}") from None


def _engine(address: URL, named: Named) -> Engine:
    is_sqlite = address.get_backend_name() == "sqlite"
    try:
        engine = create_engine(
            address, connect_args={"timeout": BUSY_SECONDS} if is_sqlite else dict(_PATIENCE), pool_pre_ping=not is_sqlite
        )
    except ModuleNotFoundError:
        raise MissingExtraError("psycopg2", "services") from None
    if is_sqlite:
        event.listen(engine, "connect", _tune_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "handle_error", _explain(address, named))
    return engine


def _tune_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begin_sqlite
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may take back the last commit, never half of it


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _explain(address: URL, named: Named) -> Callable[[ExceptionContext], None]:
    as_set = address.set(drivername=address.get_backend_name())  # without the driver, which nobody named
    shown = address.database if address.get_backend_name() == "sqlite" else as_set.render_as_string(hide_password=True)

    def explain(context: ExceptionContext) -> None:
        name = getattr(context.original_exception, "sqlite_errorname", "") or ""
        for beginning, problem in _SQLITE_PROBLEMS.items():
            if name.startswith(beginning):
                raise CatalogError(f"the {named.what} {shown} {problem} {named.told}") from context.original_exception
        if context.is_disconnect or (context.connection is None and not name):
            raise CatalogError(f"the {named.what} {shown} does not answer. Start it, or name another. {named.told}") from (
                context.original_exception
            )

    return explain
