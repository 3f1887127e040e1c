"""What a cluster needs beside a session: our own code on the executors, workers that are there, and a word when they are gone."""

from __future__ import annotations

import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

import medflow
import spark_jobs
from medflow.errors import UsageError

_FIRST_WITHIN = 180.0  # seconds that a cluster may take to give the first executor
_OTHERS_AFTER = 1.0  # seconds between the first executor and the others
_GONE_AFTER = 60.0  # seconds without any executor, in which a worker may come back
_LOOK_EVERY = 2.0
# Spark's words for what an executor took with it; the rest of its message may hold data.
_LOSSES = ("ExecutorLostFailure", "CHECKPOINT_RDD_BLOCK_ID_NOT_FOUND", "Checkpoint block", "FetchFailed", "SparkContext was shut down")


def packed_code(folder: Path) -> Path:
    """The driver's own modules as one archive, so that executors run the very same; what they import must be installed there."""
    archive = folder / "medflow-code.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for package in (medflow, spark_jobs):
            root = Path(package.__path__[0])
            for path in sorted(root.rglob("*.py")):
                packed.write(path, Path(package.__name__, path.relative_to(root)))
    return archive


def await_workers(session: SparkSession, seconds: float = _FIRST_WITHIN) -> None:
    """Wait until the cluster has given an executor.

    Raises:
        UsageError: it has given none in time.
    """
    latest = time.monotonic() + seconds
    while not executors(session):
        if time.monotonic() > latest:
            raise UsageError(
                f"no worker of Spark at {session.sparkContext.master} took this run within {seconds:.0f} s: none is running, none has "
                "the memory of MEDFLOW_MEMORY free, or another application holds their cores. Look at the master's page, then run again"
            )
        time.sleep(0.2)
    time.sleep(_OTHERS_AFTER)


def executors(session: SparkSession) -> int:
    """How many executors answer; the driver is none."""
    return int(session.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1


class WorkerWatch:
    """Looks after the executors of a cluster beside the run: Spark itself waits for ever when the last one is gone."""

    def __init__(self, session: SparkSession, gone_after: float = _GONE_AFTER) -> None:
        self._session, self._gone_after = session, gone_after
        self._all_gone = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="spark-workers", daemon=True)
        self._thread.start()

    def reason(self, error: BaseException) -> str | None:
        """What happened to the workers, if that is why Spark broke off."""
        master = self._session.sparkContext.master
        if self._all_gone:
            return f"no worker of Spark at {master} is left; nothing was published. Start one and run again"
        if any(word in str(error) for word in _LOSSES):
            return f"a worker of Spark at {master} ended, and what it had worked out is lost; nothing was published: run again"
        return None

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        last_seen = time.monotonic()
        with suppress(Py4JError, OSError):  # Spark has ended: its own error tells it
            while not self._ended.wait(_LOOK_EVERY):
                if executors(self._session):
                    last_seen = time.monotonic()
                self._all_gone = time.monotonic() - last_seen > self._gone_after
                if self._all_gone:
                    self._session.sparkContext.cancelAllJobs()
