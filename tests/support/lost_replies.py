"""Replies to a COMMIT that are lost, by the commit's number or by what it commits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as Dialect


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
