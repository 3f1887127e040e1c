"""The embedded query engine: DuckDB on a file that holds what the policy may read and nothing else, in processes that can do nothing else.

The asking process never opens the lake's data, and imports neither DuckDB nor the lake's table format.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

from medflow.errors import UsageError
from medflow.settings import Settings
from rag_backend.engines.base import Cancellation, EngineUnavailable, Query, ReadPolicy, Table
from rag_backend.engines.duckdb_pool import WorkerPool
from rag_backend.engines.duckdb_process import Limits, ReaderGone, WorkerProcess
from rag_backend.engines.failures import SQL_BYTES, too_long
from rag_backend.engines.reader_files import ReaderFiles

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_TRIES = 3


class DuckDBEngine:
    """Runs queries on the reader files of one lake; `memory` (default: the setting) is each query's, `workers` how many run at once."""

    name = "duckdb"
    dialect = "duckdb"

    def __init__(self, settings: Settings, *, memory: str | None = None, workers: int = 2) -> None:
        limits = Limits(memory_bytes(memory or settings.query_memory), settings.cores)
        self._readers = ReaderFiles(settings)
        self._pool = WorkerPool(lambda reader: WorkerProcess(reader, limits), workers)

    def pin(self, table: str, snapshot: int) -> str:
        """Schema and name: a reader file holds one release, so there is nothing else to name."""
        return ".".join(f'"{part}"' for part in table.split("."))

    def row_counts(self, release: int, policy: ReadPolicy) -> Mapping[str, int]:
        return self._readers.ensure(release, policy, Cancellation()).rows

    def run(self, query: Query, cancel: Cancellation) -> Table:
        cancel.raise_if_cancelled()
        if len(query.sql.encode()) > SQL_BYTES:
            raise too_long()
        for _ in range(_TRIES):
            reader = self._readers.ensure(query.release, query.policy, cancel)
            try:
                return self._run_on(reader.path, query, cancel)
            except ReaderGone:  # cleared away since: it is built again
                continue
        raise EngineUnavailable(f"the reader file of release {query.release} cannot be opened; remove {reader.path}, it is built again")

    def close(self) -> None:
        self._pool.close()
        self._readers.close()

    def processes(self) -> list[int]:
        """The process ids of the workers."""
        return self._pool.processes()

    def _run_on(self, reader: Path, query: Query, cancel: Cancellation) -> Table:
        deadline = time.monotonic() + query.timeout_s
        with self._pool.worker(reader, cancel, deadline) as worker:
            return worker.ask(query, cancel, deadline)


def memory_bytes(text: str) -> int:
    """`1GB`, `512 MiB` as bytes.

    Raises:
        UsageError: it is no such size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]I?B)", text.strip().upper())
    if not found:
        raise UsageError(f"MEDFLOW_QUERY_MEMORY is {text!r}; allowed: a size such as 512MB or 1GB")
    return int(float(found[1]) * _UNITS[found[2]])
