"""A worker as the asker sees it: a process that is started, asked, interrupted and, if it does not listen, killed. Trusts no reply."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_backend.engines.base import (
    Cancellation,
    EngineUnavailable,
    FailureReason,
    Query,
    QueryCancelled,
    QueryError,
    QueryFailed,
    QueryTimeout,
    QueryTooLarge,
    ResultColumn,
    Table,
)
from rag_backend.engines.cells import inward
from rag_backend.engines.frames import HEADER, packed

ROOT = Path(__file__).parents[2]
SQL_BYTES = 32_000  # fits into a pipe that nobody reads; the validator allows far less
_REPLY_BYTES = 96 << 20
_START_SECONDS = 20.0
_GRACE_SECONDS = 0.2  # for a worker to stop by itself and stay warm
_GLANCE_SECONDS = 0.05

_FAILURES: dict[FailureReason, str] = {
    "syntax": "the engine cannot read this SQL; check its spelling",
    "unknown_name": "the SQL names a table or function that there is not, or that may not be read",
    "types": "the SQL names a column that there is not or that may not be read, or uses one in a way that does not fit its type",
    "conversion": "a value cannot be converted to the type that the SQL asks for; use TRY_CAST, or leave such rows out",
    "out_of_range": "a value computed by the SQL is too big for its type; cast to a wider one",
    "not_allowed": "only one SELECT over the tables that may be read is allowed",
    "unsupported": "the engine cannot do what the SQL asks for; write it another way",
    "engine": "the engine could not finish this query; write it another way",
}


class ReaderGone(Exception):
    """The reader file was cleared away between finding and opening it."""


@dataclass(frozen=True)
class Limits:
    """What a worker may use: bytes of memory, and threads."""

    memory: int
    threads: int


class WorkerProcess:
    """One process on one reader file. Used by one thread at a time."""

    def __init__(self, reader: Path, limits: Limits) -> None:
        self.reader = reader
        self._limits = limits
        self._asked = 0
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-m", "rag_backend.engines.duckdb_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={},  # it holds no secret, so it can tell none
            process_group=0,  # Ctrl-C is for the asker, who stops it by its own means
        )
        assert self._process.stdin and self._process.stdout
        self._into, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._out.fileno(), False)
        self._received = bytearray()
        self._send({"file": str(reader), "memory": limits.memory, "threads": limits.threads})
        self._ready = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None and not _is_ending(self._process.pid)

    def ask(self, query: Query, cancel: Cancellation, deadline: float) -> Table:
        """The query's table; `deadline` is on the monotonic clock, in seconds.

        Raises:
            QueryError: there is none; the worker then is idle again, or has ended.
            ReaderGone: its file could not be opened.
        """
        self._await_ready(cancel)
        self._asked += 1
        started = time.monotonic()
        cpu = (query.timeout_s + _START_SECONDS) * self._limits.threads
        self._send({"id": self._asked, "sql": query.sql, "rows": query.row_limit, "cpu_s": cpu})
        reply = self._reply(cancel, deadline)
        if "failed" in reply:
            raise _failure(reply["failed"])
        return _table(reply, time.monotonic() - started)

    def end(self) -> None:
        """End the process while another thread may be asking it: that thread is told."""
        self._process.kill()

    def kill(self) -> None:
        """End the process now and wait for its end."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._into, self._out):
            pipe.close()

    def _await_ready(self, cancel: Cancellation) -> None:
        if self._ready:
            return
        latest = time.monotonic() + _START_SECONDS
        while not (reply := self._message(_GLANCE_SECONDS)):
            if cancel.cancelled or time.monotonic() > latest:
                self.kill()
                cancel.raise_if_cancelled()
                raise EngineUnavailable(f"the query worker has not started within {_START_SECONDS:.0f} s; the machine may be overloaded")
        if "ready" not in reply:
            self.kill()
            raise ReaderGone
        self._ready = True

    def _reply(self, cancel: Cancellation, deadline: float) -> dict[str, Any]:
        while True:
            if reply := self._message(max(0.0, min(_GLANCE_SECONDS, deadline - time.monotonic()))):
                return reply
            if cancel.cancelled:
                self._stop()
                raise QueryCancelled("the query was cancelled")
            if time.monotonic() >= deadline:
                self._stop()
                raise QueryTimeout(_too_slow())

    def _stop(self) -> None:
        """Interrupt; a worker that does not answer in time, deep in one long function, is killed."""
        self._send({"cancel": self._asked})
        latest = time.monotonic() + _GRACE_SECONDS
        try:
            while time.monotonic() < latest:
                if self._message(max(0.0, latest - time.monotonic())):
                    return
        except QueryError:  # it ended instead
            return
        self.kill()

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._into.write(packed(message))
            self._into.flush()
        except BrokenPipeError:  # its end is told where the reply is read
            pass

    def _message(self, seconds: float) -> dict[str, Any] | None:
        """The next message, if it is whole within `seconds`, or is on its way."""
        readable, _, _ = select.select([self._out], [], [], seconds)
        if not readable:
            return None
        chunk = self._out.read(1 << 20)
        if not chunk:
            raise self._ended()
        self._received += chunk
        return self._whole_message()

    def _whole_message(self) -> dict[str, Any] | None:
        if len(self._received) < HEADER.size:
            return None
        size: int = HEADER.unpack_from(self._received)[0]
        if size > _REPLY_BYTES:
            self.kill()
            raise _failure("result_size")
        if len(self._received) < HEADER.size + size:
            return None
        message: dict[str, Any] = json.loads(self._received[HEADER.size : HEADER.size + size])
        self._received.clear()  # one question, one reply
        return message

    def _ended(self) -> QueryError:
        self._process.wait()
        code = -self._process.returncode
        self.kill()
        if code == signal.SIGXCPU:
            return QueryTimeout(_too_slow())
        if code == signal.SIGABRT:  # what a failed allocation in a thread of the engine ends in
            return _failure("memory")
        return EngineUnavailable(f"the query worker has ended (signal {max(code, 0)}); ask again")


def _is_ending(pid: int) -> bool:
    """Whether a process has ended but for threads that are still to go: until then nobody can wait for it."""
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # no such process, or no /proc
        return False


def _failure(word: str) -> QueryError:
    """The error of a reply; an unknown word is no reason to trust it."""
    if word == "interrupted":
        return QueryTimeout(_too_slow())
    if word == "memory":
        return QueryTooLarge("the query needs more memory than MEDFLOW_QUERY_MEMORY allows; ask for fewer rows, groups or columns")
    if word == "result_size":
        return QueryTooLarge("the result is too big to be sent; ask for fewer rows or columns")
    reason: FailureReason = next((known for known in _FAILURES if known == word), "engine")
    return QueryFailed(reason, _FAILURES[reason])


def too_long() -> QueryFailed:
    """The error of SQL beyond SQL_BYTES."""
    return QueryFailed("syntax", f"the SQL is longer than {SQL_BYTES} bytes; shorten it")


def _too_slow() -> str:
    return "the query took longer than its time limit (MEDFLOW_QUERY_TIMEOUT_S) and was stopped; ask for less, or raise the limit"


def _table(reply: dict[str, Any], elapsed: float) -> Table:
    columns = reply["columns"]
    convert: list[Callable[[Any], Any] | None] = [inward(shape) for _, _, shape in columns]
    rows = [tuple(change(cell) if change else cell for change, cell in zip(convert, row, strict=True)) for row in reply["rows"]]
    return Table(tuple(ResultColumn(name, word) for name, word, _ in columns), rows, reply["truncated"], elapsed)
