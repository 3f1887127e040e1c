"""A Spark standalone cluster: one master and one worker, from pyspark's own jars."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.server import Server, answers, free_ports, listens, running

_MASTER = "org.apache.spark.deploy.master.Master"
_WORKER = "org.apache.spark.deploy.worker.Worker"
_HOST = "127.0.0.1"
# As in an environment that was activated: spark-submit is beside this Python, and finds Spark by the first Python of the PATH.
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


@dataclass
class SparkCluster:
    """A running cluster; the worker may be killed and started again."""

    master: Server
    worker: Server
    port: int

    @property
    def url(self) -> str:
        return f"spark://{_HOST}:{self.port}"


@contextmanager
def spark_cluster(folder: Path, port: int | None = None, *, cores: int = 2, memory: str = "3g") -> Iterator[SparkCluster]:
    """A master and a worker that have found each other. Executors run this Python."""
    import pyspark

    ui, worker_port, worker_ui, free = free_ports(4)
    port = port or free
    home = Path(pyspark.__file__).parent
    environment = {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": _HOST,
        "SPARK_WORKER_DIR": str(folder / "spark-work"),
        "SPARK_LOCAL_DIRS": str(folder / "spark-local"),
        "SPARK_DAEMON_MEMORY": "256m",
        "PYSPARK_PYTHON": sys.executable,
        "PATH": PATH,
    }
    start = str(home / "bin" / "spark-class")
    master = Server(
        "spark-master",
        [start, _MASTER, "--host", _HOST, "--port", str(port), "--webui-port", str(ui)],
        folder,
        answers(f"http://{_HOST}:{ui}/json/"),
        environment,
    )
    own = ["--host", _HOST, "--port", str(worker_port), "--webui-port", str(worker_ui), "--cores", str(cores), "--memory", memory]
    worker = Server(
        "spark-worker", [start, _WORKER, *own, f"spark://{_HOST}:{port}"], folder, answers(f"http://{_HOST}:{worker_ui}/json/"), environment
    )
    with ExitStack() as stack:
        stack.enter_context(running(master))
        listens(port)()
        stack.enter_context(running(worker))
        yield SparkCluster(master, worker, port)
