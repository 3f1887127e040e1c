"""Workers kept warm: one per reader file and thread of asking, few at a time. A worker that has ended is forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rag_backend.engines.base import Cancellation, EngineUnavailable, QueryTimeout
from rag_backend.engines.duckdb_process import WorkerProcess

_GLANCE_SECONDS = 0.05


class WorkerPool:
    """At most `size` processes, busy or warm; whoever comes when all are busy waits for one."""

    def __init__(self, start: Callable[[Path], WorkerProcess], size: int) -> None:
        self._start = start
        self._size = size
        self._changed = threading.Condition()
        self._busy: set[WorkerProcess] = set()
        self._taken = 0
        self._warm: list[WorkerProcess] = []  # the one used last is the last

    @contextmanager
    def worker(self, reader: Path, cancel: Cancellation, deadline: float) -> Iterator[WorkerProcess]:
        """A worker on this reader file, for one query.

        Raises:
            QueryCancelled, QueryTimeout: before one was free.
        """
        worker = self._take(reader, cancel, deadline)
        try:
            worker = worker or self._start(reader)
            with self._changed:
                self._busy.add(worker)
            yield worker
        finally:
            with self._changed:
                self._taken -= 1
                if worker:
                    self._busy.discard(worker)
                    self._keep_warm(worker)
                self._changed.notify()

    def processes(self) -> list[int]:
        """The process ids of all workers."""
        with self._changed:
            return [worker.pid for worker in [*self._busy, *self._warm] if worker.alive]

    def close(self) -> None:
        """Kill every worker: a query that still runs ends with EngineUnavailable."""
        with self._changed:
            self._size = 0
            for worker in self._warm:
                worker.kill()
            self._warm.clear()
            for worker in self._busy:
                worker.end()

    def _take(self, reader: Path, cancel: Cancellation, deadline: float) -> WorkerProcess | None:
        with self._changed:
            while self._taken >= self._size:
                if not self._size:
                    raise EngineUnavailable("the query engine is closed; open it again")
                cancel.raise_if_cancelled()
                if time.monotonic() >= deadline:
                    raise QueryTimeout("the query waited for others until its time was over (MEDFLOW_QUERY_TIMEOUT_S); ask again")
                self._changed.wait(_GLANCE_SECONDS)
            self._taken += 1
            return self._warm_worker(reader)

    def _keep_warm(self, worker: WorkerProcess) -> None:
        if not self._size:
            worker.kill()
        elif worker.alive:
            self._warm.append(worker)

    def _warm_worker(self, reader: Path) -> WorkerProcess | None:
        self._warm = [worker for worker in self._warm if worker.alive]
        found = next((worker for worker in reversed(self._warm) if worker.reader == reader), None)
        if found:
            self._warm.remove(found)
        while len(self._warm) + self._taken > self._size:
            self._warm.pop(0).kill()
        return found
