"""One writer: a lock file held by the process and a row with a fencing token. A dead or hung holder is taken over."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy.exc import SQLAlchemyError

from medflow.errors import CatalogError, FencedError, LockedError
from medflow.lakehouse.database import writing
from medflow.lakehouse.ledger_tables import LAKE, LOCK, create_ledger
from medflow.lakehouse.session_lock import SessionLock

TAKEOVER_SECONDS = 60
BEAT_SECONDS = 5
POLL_SECONDS = 0.5
_MISSED_BEATS = 3


class WriterLock:
    """The right to write the lake: `with WriterLock(engine, file, clock).acquire(batch) as lock: …`.

    The lock file says whether the holder's process lives; whoever takes over from a live but silent one puts a new
    file in its place, so that the file at the path always belongs to the holder of the row. Where the catalog is Postgres, a
    lock of the holder's session says the same of holders on other machines, once they have missed a few beats.
    """

    def __init__(self, engine: Engine, lock_file: Path, clock: Callable[[], datetime]) -> None:
        create_ledger(engine)
        self.token = 0
        self._engine, self._path, self._clock = engine, lock_file.absolute(), clock
        self._file: IO[bytes] | None = None
        self._session = SessionLock(engine)
        self._over = threading.Event()

    def acquire(self, holder: str, wait_seconds: float = 0, waiting: Callable[[LockedError], None] | None = None) -> Self:
        """Take the lock for a batch or run id, polling up to `wait_seconds`; `waiting` hears why each poll failed.

        Raises:
            LockedError: another run holds it and gives signs of life.
        """
        give_up = time.monotonic() + wait_seconds
        while True:
            try:
                self._take(holder)
            except LockedError as error:
                if time.monotonic() >= give_up:
                    raise
                if waiting:
                    waiting(error)
                time.sleep(POLL_SECONDS)
            else:
                self._start_beating()
                return self

    def check(self) -> None:
        """Raises FencedError if another run has taken over."""
        with self._engine.connect() as connection:
            ours = connection.execute(select(LOCK.c.token).where(LOCK.c.name == LAKE, LOCK.c.token == self.token)).first()
        if not ours or not self._file:
            raise _fenced()

    def guard(self, connection: Connection) -> None:
        """As `check`, inside a write transaction: no takeover can come between this and its commit."""
        if not self._file or not self._beat(connection):
            raise _fenced()

    def release(self) -> None:
        """Give the lock back; the token stays, so that it never repeats."""
        if not self._file:
            return
        self._over.set()
        self._file.close()
        self._file = None
        self._session.give_back()
        # if the row cannot be cleared, the next run sees by the lock file that nobody holds it
        with suppress(CatalogError, SQLAlchemyError), writing(self._engine) as connection:
            connection.execute(update(LOCK).where(LOCK.c.name == LAKE, LOCK.c.token == self.token).values(holder=None))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give the lock back. Where files failed a run that was taken over, that is why: the new run has removed the old one's."""
        try:
            if isinstance(error, CatalogError) and self._file:
                with suppress(CatalogError, SQLAlchemyError):  # a catalog that does not answer leaves the first error standing
                    self.check()
        finally:
            self.release()

    def _take(self, holder: str) -> None:
        file = _locked(self._path)
        try:
            self._session.take()
            with writing(self._engine) as connection:
                token, held = self._claim(connection, holder, file)
        except BaseException:
            self._session.give_back()
            if file:
                file.close()
            raise
        self.token, self._file = token, held

    def _claim(self, connection: Connection, holder: str, file: IO[bytes] | None) -> tuple[int, IO[bytes]]:
        row, now = connection.execute(select(LOCK).where(LOCK.c.name == LAKE).with_for_update()).one(), self._clock()
        if file and not _is_at(file, self._path):
            raise _locked_by(row, now)  # replaced by a takeover while we waited for the database
        if not (file and self._holder_is_gone(row, now)) and not _is_silent(row, now, TAKEOVER_SECONDS):
            raise _locked_by(row, now)
        values = {
            "holder": holder,
            "token": row.token + 1,
            "since": now,
            "heartbeat": now,
            "who": _who(),
            "file": str(self._path),
        }
        connection.execute(update(LOCK).where(LOCK.c.name == LAKE).values(values))
        return row.token + 1, file or _replaced(self._path)

    def _holder_is_gone(self, row: Row[Any], now: datetime) -> bool:
        # given that our file is free; of a holder on another machine or with another file that says nothing
        same_file = row.who is not None and (row.who.rpartition(":")[0], row.file) == (socket.gethostname(), str(self._path))
        # a session may break while its holder lives, who then goes on beating
        session_ended = self._session.is_ours and _is_silent(row, now, _MISSED_BEATS * BEAT_SECONDS)
        return row.holder is None or same_file or session_ended

    def _start_beating(self) -> None:
        self._over = threading.Event()
        threading.Thread(target=self._beat_until_over, args=(self._over,), name="medflow-lock", daemon=True).start()

    def _beat_until_over(self, over: threading.Event) -> None:
        while not over.wait(BEAT_SECONDS):
            # a busy or full database: the next beat or the next commit tells
            with suppress(CatalogError, SQLAlchemyError), writing(self._engine) as connection:
                if not self._beat(connection):
                    return

    def _beat(self, connection: Connection) -> bool:
        ours = update(LOCK).where(LOCK.c.name == LAKE, LOCK.c.token == self.token).values(heartbeat=self._clock())
        return connection.execute(ours).rowcount == 1


def lock_holder(engine: Engine) -> Mapping[str, Any] | None:
    """Who holds the lake (holder, who, since, heartbeat), or None."""
    with engine.connect() as connection:
        row = connection.execute(select(LOCK).where(LOCK.c.name == LAKE, LOCK.c.holder.is_not(None))).one_or_none()
    return row._asdict() if row else None


def _who() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_silent(row: Row[Any], now: datetime, seconds: float) -> bool:
    return row.heartbeat is not None and now - row.heartbeat > timedelta(seconds=seconds)


def _opened(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as error:
        raise CatalogError(f"the lock file {path} cannot be opened: {error.strerror}; make its folder writable") from None


def _locked(path: Path) -> IO[bytes] | None:
    file = _opened(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _replaced(path: Path) -> IO[bytes]:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    file = _opened(fresh)
    fcntl.flock(file, fcntl.LOCK_EX)
    fresh.replace(path)
    return file


def _is_at(file: IO[bytes], path: Path) -> bool:
    return path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino


def _locked_by(row: Row[Any], now: datetime) -> LockedError:
    if row.holder is None:
        return LockedError("another run is starting on this lake; wait for it to end and run again")
    silent = int((now - row.heartbeat).total_seconds())
    return LockedError(
        f"batch {row.holder} (process {row.who}) holds the lake since {row.since:%Y-%m-%d %H:%M:%S} UTC, last sign of life "
        f"{silent} s ago. Wait for it to end; if it falls silent, a run takes over after {TAKEOVER_SECONDS} s"
    )


def _fenced() -> FencedError:
    return FencedError("a newer run has taken over the lake: this one publishes nothing. `medflow status` shows who holds it")
