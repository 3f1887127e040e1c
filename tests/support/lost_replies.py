"""Replies to a COMMIT that are lost, by the commit's number or by what it commits, and a second writer that knows no lock."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.schema import Schema
from pyiceberg.table import StaticTable
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.types import NestedField, StringType
from sqlalchemy import Engine, event, select
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as Dialect

from medflow.lakehouse.database import connect
from medflow.lakehouse.ledger import Ledger
from medflow.lakehouse.ledger_tables import BATCHES
from medflow.lakehouse.releases import ReleasedTable, read_release
from medflow.settings import Settings
from tests.support.lake import Lake

Change = Literal["property", "branch", "main", "new table"]
CHANGES: tuple[Change, ...] = ("property", "branch", "main")
OWN_TABLE = "healthcare.notes_of_another_writer"
_MARK = "second-writer"


class ReplyLostError(sqlite3.OperationalError):
    """What the client sees: a server that is gone, as psycopg2 tells it, or SQLite's own disk error after a COMMIT."""

    @classmethod
    def told_by(cls, teller: Literal["server", "disk"]) -> ReplyLostError:
        error = cls("server closed the connection unexpectedly" if teller == "server" else "disk I/O error")
        if teller == "disk":
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        return error


def lose_reply(engine: Engine, beginning: str, *, landed: bool, then: Callable[[], object] = lambda: None) -> None:
    """The next COMMIT after a statement that begins so raises, having taken effect or not; `then` comes in between."""
    armed = [False]
    commit, rollback = engine.dialect.do_commit, engine.dialect.do_rollback

    def statement(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        armed[0] = armed[0] or text.startswith(beginning)

    def do_commit(connection: Any) -> None:
        if not armed[0]:
            return commit(connection)
        engine.dialect.do_commit = commit  # type: ignore[method-assign]
        event.remove(engine, "before_cursor_execute", statement)
        (commit if landed else rollback)(connection)
        then()
        raise sqlite3.OperationalError("server closed the connection unexpectedly")

    event.listen(engine, "before_cursor_execute", statement)
    engine.dialect.do_commit = do_commit  # type: ignore[method-assign]


@dataclass(frozen=True)
class Loss:
    """A reply to lose: that of the transaction with this number of BEGIN, and what else happens around it."""

    begin: int
    landed: bool
    teller: Literal["server", "disk"]
    before_begin: Callable[[], None] | None = None
    after_commit: Callable[[], None] | None = None


@dataclass
class Replies:
    """Every transaction of one thread, on any SQLite engine, by number; loses the reply to one commit.

    Only the thread that made this object counts, since the pipeline commits on that one alone: the heartbeat of the lock
    comes by the clock, so that numbers that counted it would not be the same twice. Reads are numbered too, but end in a
    rollback, never in a COMMIT. Which other threads committed is kept.
    """

    loss: Loss | None = None
    note: Callable[[int], None] = lambda _: None
    lost: bool = False
    other_threads: set[str] = field(default_factory=set)
    _begun: int = 0
    _open: dict[int, int] = field(default_factory=dict)
    _thread: int = field(default_factory=threading.get_ident)
    _elsewhere: bool = False

    @contextmanager
    def watched(self) -> Iterator[Replies]:
        """Watch, and disturb, for the time of the block."""
        commit, is_disconnect = Dialect.do_commit, Dialect.is_disconnect

        def do_commit(dialect: Dialect, connection: Any) -> None:
            if self._is_counted():
                self._commit(dialect, connection)
                return
            if not self._elsewhere:
                self.other_threads.add(threading.current_thread().name)
            commit(dialect, connection)

        def told_by_server(dialect: Dialect, error: Any, connection: Any, cursor: Any) -> bool:
            gone = isinstance(error, ReplyLostError) and not hasattr(error, "sqlite_errorname")
            return gone or is_disconnect(dialect, error, connection, cursor)

        Dialect.do_commit, Dialect.is_disconnect = do_commit, told_by_server  # type: ignore[method-assign]
        event.listen(Engine, "before_cursor_execute", self._statement)
        try:
            yield self
        finally:
            event.remove(Engine, "before_cursor_execute", self._statement)
            del Dialect.do_commit
            Dialect.is_disconnect = is_disconnect  # type: ignore[method-assign]

    def _is_counted(self) -> bool:
        return threading.get_ident() == self._thread and not self._elsewhere

    def _statement(self, connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if not self._is_counted() or not text.startswith("BEGIN"):
            return
        self._begun += 1
        self._open[id(connection.connection.dbapi_connection)] = self._begun
        if self.loss and self.loss.begin == self._begun:
            self._let(self.loss.before_begin)

    def _commit(self, dialect: Dialect, connection: Any) -> None:
        begin = self._open[id(connection.dbapi_connection)]
        if not self.loss or self.loss.begin != begin:
            connection.commit()
            self.note(begin)
            return
        if self.loss.landed:
            connection.commit()
        else:
            connection.rollback()
        self.lost = True
        self._let(self.loss.after_commit)
        raise ReplyLostError.told_by(self.loss.teller)

    def _let(self, act: Callable[[], None] | None) -> None:
        """Another program's turn: its transactions are not counted."""
        if act:
            self._elsewhere = True
            try:
                act()
            finally:
                self._elsewhere = False


def pointers(catalog: Path) -> dict[str, str]:
    """Table -> location of its metadata, as the catalog file says now; none before the first table."""
    connection = sqlite3.connect(catalog)
    try:
        rows = connection.execute("SELECT table_namespace || '.' || table_name, metadata_location FROM iceberg_tables")
        return dict(rows.fetchall())
    except sqlite3.OperationalError:
        return {}
    finally:
        connection.close()


@dataclass
class SecondWriter:
    """A foreign program with the stock PyIceberg catalog, for one commit: it takes no lock and compares and swaps."""

    settings: Settings
    turns: int = 0
    told: list[tuple[str, Change]] = field(default_factory=list)

    def change(self, table: str, change: Change) -> None:
        """Commit a property, a branch, a snapshot on main (without rows) or a new table; in `told` if it was told that it is done."""
        self.turns += 1
        with self._catalog() as catalog, suppress(CommitFailedException):
            if change == "new table":
                catalog.create_namespace_if_not_exists("healthcare")
                catalog.create_table(table, schema=Schema(NestedField(1, "note", StringType(), required=False)))
            elif change == "property":
                with catalog.load_table(table).transaction() as transaction:
                    transaction.set_properties({_MARK: "told that this is done"})
            elif change == "branch":
                held = catalog.load_table(table)
                held.manage_snapshots().create_branch(held.current_snapshot().snapshot_id, _MARK).commit()
            else:
                held = catalog.load_table(table)
                held.append(held.schema().as_arrow().empty_table(), snapshot_properties={_MARK: "told that this is done"})
            self.told.append((table, change))

    def missing(self) -> list[tuple[str, Change]]:
        """What it was told is done and cannot be reached from the table's current metadata."""
        with self._catalog() as catalog:
            return [(table, change) for table, change in self.told if not _is_kept(catalog, table, change)]

    @contextmanager
    def _catalog(self) -> Iterator[SqlCatalog]:
        catalog = SqlCatalog("lake", uri=self.settings.catalog, warehouse=self.settings.warehouse, schema_version="v1")
        yield catalog
        catalog.engine.dispose()


def _is_kept(catalog: SqlCatalog, name: str, change: Change) -> bool:
    if change == "new table":
        return catalog.table_exists(name)
    table = catalog.load_table(name)
    if change == "property":
        return _MARK in table.properties
    if change == "branch":
        return _MARK in table.refs()
    heads = [table.metadata.snapshot_by_id(ref.snapshot_id) for ref in table.refs().values()]
    reached = (snapshot for head in heads for snapshot in ancestors_of(head, table.metadata))
    return any(snapshot.summary and snapshot.summary.get(_MARK) for snapshot in reached)


@dataclass(frozen=True)
class State:
    """What users see of a lake: the rows of every table, the ledger's files, batches and releases, and what is wrong with them."""

    content: dict[str, list[str]]
    files: list[tuple[Any, ...]]
    batches: list[tuple[Any, ...]]
    releases: list[tuple[Any, ...]]
    unsound: list[str] = field(default_factory=list)


def state_of(lake: Lake) -> State:
    """Read as a fresh process does: ledger, manifest, and DuckDB on the manifest's files."""
    database = connect(lake.settings.catalog)
    ledger = Ledger(database)
    files = [(f.payer, f.name, f.state, f.reason_code, f.retry, f.release, f.batch_id, f.records, f.billed_cents) for f in ledger.files()]
    with database.connect() as connection:
        chosen = select(BATCHES.c.batch_id, BATCHES.c.kind, BATCHES.c.state, BATCHES.c.release)
        batches = [tuple(row) for row in connection.execute(chosen.order_by(BATCHES.c.batch_id))]
    releases = [(r.release, r.parent, r.batch_id, r.kind, r.restored, r.declarations) for r in ledger.releases()]
    content = {name: _rows(table) for name, table in read_release(database).tables.items()} if releases else {}
    unsound = list(_unsound(lake, ledger, {name: len(rows) for name, rows in content.items()}))
    database.dispose()
    return State(content, sorted(files, key=repr), batches, releases, unsound)


def _rows(table: ReleasedTable) -> list[str]:
    """The rows as a sorted multiset, without what differs from run to run."""
    if not table.files:
        return []
    names = [c.name for c in table.columns if c.name not in ("batch_id", "resolved_by_batch") and not c.name.endswith("_at")]
    chosen = ", ".join(f'"{name}"' for name in names)
    return sorted(map(repr, duckdb.execute(f"SELECT {chosen} FROM read_parquet($1, union_by_name = true)", [table.files]).fetchall()))


def _unsound(lake: Lake, ledger: Ledger, released: dict[str, int]) -> Iterator[str]:
    """What must not be at any moment: a file published that no release holds, a table that cannot be read at one of its refs."""
    current = ledger.current_release()
    held = set(ledger.contents(current.release)) if current else set()
    if {file.key for file in ledger.files(state="published")} != held:
        yield "files are published that the release does not hold, or the other way round"
    where = pointers(lake.settings.home / "lake.db")
    if missing := released.keys() - where.keys():
        yield f"the catalog has lost {missing}"
    for name, location in where.items():
        try:
            table = StaticTable.from_metadata(location)
            rows = table.scan().to_arrow().num_rows
            snapshots = {ref.snapshot_id for ref in table.refs().values()}
            paths = {task.file.file_path for one in snapshots for task in table.scan(snapshot_id=one).plan_files()}
        except Exception as error:
            yield f"{name} cannot be read: {error!r}"
            continue
        if rows != released.get(name, 0):
            yield f"{name} has {rows} rows at main and {released.get(name, 0)} in the release"
        if gone := [path for path in paths if not Path(path.removeprefix("file://")).exists()]:
            yield f"{name} names files that are gone: {gone}"
