"""The query engine on Spark: one process a private copy, without a key, a catalog or an environment, here or on a cluster.

A copy holds what the policy may read of a release and nothing else, so that Spark can show no more; see docs/decisions/0030.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medflow.errors import MissingExtraError, UsageError
from medflow.lakehouse.storage import Storage
from medflow.settings import Settings
from rag_backend.engines.base import Cancellation, Query, QueryTooLarge, ReadPolicy, Table
from rag_backend.engines.duckdb import memory_bytes
from rag_backend.engines.duckdb_pool import WorkerPool
from rag_backend.engines.duckdb_process import Limits, WorkerProcess
from rag_backend.engines.one_select import check_one_select
from rag_backend.engines.reader_files import FOLDER
from rag_backend.engines.released import Releases
from rag_backend.engines.spark_tables import private_tables

_AT_ONCE = 2


class SparkEngine:
    """Runs queries on private copies of one lake's releases; `memory` (default: the setting) is each query's."""

    name = "spark"
    dialect = "spark"

    def __init__(self, settings: Settings, *, memory: str | None = None) -> None:
        """Raises MissingExtraError: pyspark is not installed. UsageError: the setting QUERY_ENGINE names no Spark."""
        master = master_of(settings.query_engine)
        _check_installed()
        self._settings, self._releases = settings, Releases(settings)
        self._scratch = Path(tempfile.mkdtemp(prefix="medflow-questions-"))
        limits = Limits(memory_bytes(memory or settings.query_memory), settings.cores)
        java, scratch = settings.java_home, str(self._scratch)
        self._pool = WorkerPool(lambda folder: _SparkProcess(folder, limits, Launch(master, scratch, java)), _AT_ONCE)

    def pin(self, table: str, snapshot: int) -> str:
        """Schema and name: a copy holds one release, so there is nothing else to name."""
        return ".".join(f"`{part}`" for part in table.split("."))

    def row_counts(self, release: int, policy: ReadPolicy) -> Mapping[str, int]:
        return self._releases.row_counts(release, policy)

    def run(self, query: Query, cancel: Cancellation) -> Table:
        cancel.raise_if_cancelled()
        check_one_select(query.sql, self.dialect)
        release = self._releases.release(query.release)
        folder = private_tables(release, query.policy, self._settings.home / FOLDER, Storage.of(self._settings))
        begins_until = time.monotonic() + _SparkProcess.start_seconds + query.timeout_s
        with self._pool.worker(folder, cancel, begins_until) as worker:
            worker.await_ready(cancel)  # a JVM that starts is not the query's time
            return worker.ask(query, cancel, time.monotonic() + query.timeout_s)

    def close(self) -> None:
        self._pool.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def processes(self) -> list[int]:
        """The process ids of the workers."""
        return self._pool.processes()


@dataclass(frozen=True)
class Launch:
    """Where Spark runs ('' = in the worker itself), where it may write while it works, and its Java."""

    master: str
    scratch: str
    java: str


class _SparkProcess(WorkerProcess):
    """A worker with a JVM of its own, which takes a while to start and ends with it."""

    program = "rag_backend.engines.spark_worker"
    start_seconds = 120.0

    def __init__(self, folder: Path, limits: Limits, launch: Launch) -> None:
        self._launch = launch
        super().__init__(folder, limits)

    def ask(self, query: Query, cancel: Cancellation, deadline: float) -> Table:
        """As every worker; one whose memory was full is not asked again."""
        try:
            return super().ask(query, cancel, deadline)
        except QueryTooLarge:
            self.kill()
            raise

    def _stop(self) -> None:
        """End the worker: Spark gives a cancelled job up before its tasks have ended, and they would hold the cores."""
        self.kill()

    def order(self, limits: Limits) -> dict[str, Any]:
        return {**super().order(limits), "master": self._launch.master, "scratch": self._launch.scratch}

    def environment(self) -> dict[str, str]:
        """Where programs are, and no more."""
        java = {"JAVA_HOME": self._launch.java} if self._launch.java else {}
        return {"PATH": os.defpath, "TZ": "UTC", "SPARK_LOCAL_IP": "127.0.0.1", "HOME": self._launch.scratch} | java


def master_of(setting: str) -> str:
    """The master that `spark` or `spark://host:port` names; '' = none but the worker itself.

    Raises:
        UsageError: it names none.
    """
    if setting == "spark":
        return ""
    if re.fullmatch(r"spark://[^\s/:@]+:\d+", setting):
        return setting
    raise UsageError("MEDFLOW_QUERY_ENGINE names no Spark; allowed: spark (on this machine), or spark://host:7077")


def _check_installed() -> None:
    from importlib.util import find_spec

    if find_spec("pyspark") is None:
        raise MissingExtraError("pyspark", "spark")
