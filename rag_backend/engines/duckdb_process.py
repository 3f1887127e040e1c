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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_backend.engines.base import Cancellation, EngineUnavailable, Query, QueryCancelled, QueryError, QueryTimeout, ResultColumn, Table
from rag_backend.engines.cells import inward
from rag_backend.engines.failures import failure, too_slow
from rag_backend.engines.frames import HEADER, packed

ROOT = Path(__file__).parents[2]
_REPLY_BYTES = 96 << 20
_GRACE_SECONDS = 0.2  # for a worker to stop by itself and stay warm
_GLANCE_SECONDS = 0.05


class ReaderGone(Exception):
    """The reader file was cleared away between finding and opening it."""


@dataclass(frozen=True)
class Limits:
    """What a worker may use: bytes of memory, and threads."""

    memory: int
    threads: int


class WorkerProcess:
    """One process on one reader file. Used by one thread at a time. An engine of another kind says which program it runs, and how."""

    program = "rag_backend.engines.duckdb_worker"
    start_seconds = 20.0

    def __init__(self, reader: Path, limits: Limits) -> None:
        self.reader = reader
        self._limits = limits
        self._asked = 0
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-m", self.program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=self.environment(),
            process_group=0,  # Ctrl-C is for the asker, who stops it by its own means
        )
        assert self._process.stdin and self._process.stdout
        self._into, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._out.fileno(), False)
        self._received = bytearray()
        self._send({"file": str(reader), **self.order(limits)})
        self._ready = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def order(self, limits: Limits) -> dict[str, Any]:
        """What the process is told beside the file."""
        return {"memory": limits.memory, "threads": limits.threads}

    def environment(self) -> dict[str, str]:
        """What the process is given: it holds no secret, so it can tell none."""
        return {}

    @property
    def alive(self) -> bool:
        return self._process.poll() is None and not _is_ending(self._process.pid)

    def ask(self, query: Query, cancel: Cancellation, deadline: float) -> Table:
        """The query's table; `deadline` is on the monotonic clock, in seconds.

        Raises:
            QueryError: there is none; the worker then is idle again, or has ended.
            ReaderGone: its file could not be opened.
        """
        self.await_ready(cancel)
        self._asked += 1
        started = time.monotonic()
        cpu = (query.timeout_s + self.start_seconds) * self._limits.threads
        self._send({"id": self._asked, "sql": query.sql, "rows": query.row_limit, "cpu_s": cpu})
        reply = self._reply(cancel, deadline)
        if "failed" in reply:
            raise failure(reply["failed"])
        return _table(reply, time.monotonic() - started)

    def end(self) -> None:
        """End the process while another thread may be asking it: that thread is told."""
        self._end_group()

    def kill(self) -> None:
        """End the process now and wait for its end."""
        self._end_group()
        self._process.wait()
        for pipe in (self._into, self._out):
            pipe.close()

    def _end_group(self) -> None:
        """With whatever processes it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def await_ready(self, cancel: Cancellation) -> None:
        """Wait until it has opened its file.

        Raises:
            EngineUnavailable: it does not start. ReaderGone: its file could not be opened. QueryCancelled.
        """
        if self._ready:
            return
        latest = time.monotonic() + self.start_seconds
        while not (reply := self._message(_GLANCE_SECONDS)):
            if cancel.cancelled or time.monotonic() > latest:
                self.kill()
                cancel.raise_if_cancelled()
                raise EngineUnavailable(
                    f"the query worker has not started within {self.start_seconds:.0f} s; the machine may be overloaded"
                )
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
                raise QueryTimeout(too_slow())

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
            raise failure("result_size")
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
            return QueryTimeout(too_slow())
        if code == signal.SIGABRT:  # what a failed allocation in a thread of the engine ends in
            return failure("memory")
        return EngineUnavailable(f"the query worker has ended (signal {max(code, 0)}); ask again")


def _is_ending(pid: int) -> bool:
    """Whether a process has ended but for threads that are still to go: until then nobody can wait for it."""
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # no such process, or no /proc
        return False


def _table(reply: dict[str, Any], elapsed: float) -> Table:
    columns = reply["columns"]
    convert: list[Callable[[Any], Any] | None] = [inward(shape) for _, _, shape in columns]
    rows = [tuple(change(cell) if change else cell for change, cell in zip(convert, row, strict=True)) for row in reply["rows"]]
    return Table(tuple(ResultColumn(name, word) for name, word, _ in columns), rows, reply["truncated"], elapsed)
