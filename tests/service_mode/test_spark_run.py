"""Whole runs on Postgres, S3 and a Spark cluster: the tables of an embedded run, row for row; workers that die in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyarrow.fs import FileSelector

from medflow.errors import CatalogError
from medflow.settings import load_settings
from spark_jobs.steps import JOBS
from spark_jobs.submit import submit_arguments
from tests.service_mode.lakes import ServiceLake, settled
from tests.services.localstack import SECRET_KEY
from tests.services.spark import PATH, SparkCluster
from tests.support.lake import KEY, ROOT, RUN_DATE, Lake

RUN = (sys.executable, "-m", "medflow", "run", "--date", str(RUN_DATE))
_WITHIN_S = 600
Content = dict[str, Counter[str]]


@dataclass(frozen=True)
class ClusterLake:
    """A lake on the services, its landing files in place, worked on by processes in a folder of their own."""

    lake: ServiceLake
    folder: Path

    def start(self, *command: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MEDFLOW_")}
        kept |= {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", "PYTHONPATH": str(ROOT), "PATH": PATH}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=kept | dict(self.lake.environment), cwd=self.folder, text=True, **streams)

    def do(self, *command: str) -> dict[str, Any]:
        """The JSON that a command says which must succeed."""
        process = self.start(*command)
        said, problem = process.communicate(timeout=_WITHIN_S)
        assert process.returncode == 0, problem
        assert SECRET_KEY not in said + problem
        told: dict[str, Any] = json.loads(said[said.index("{") :])
        return told

    def content(self) -> Content:
        return settled(self.lake.site())

    def has_release(self) -> bool:
        try:
            return bool(self.lake.release())
        except CatalogError:
            return False

    def objects(self, folder: str) -> list[str]:
        """What lies below a folder of the warehouse."""
        files, place = self.lake.storage.filesystem(f"{self.lake.settings.warehouse}/{folder}")
        return [found.path for found in files.get_file_info(FileSelector(place, recursive=True, allow_not_found=True)) if found.is_file]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """300 claims, built by DuckDB in process."""
    lake = Lake(tmp_path_factory.mktemp("embedded") / "lake")
    lake.generate(300)
    lake.run()
    return lake


@pytest.fixture
def lake(embedded: Lake, service_settings: dict[str, str], spark_cluster: SparkCluster, tmp_path: Path) -> ClusterLake:
    """The same files in a landing bucket."""
    mine = {"MEDFLOW_BUILD_ENGINE": spark_cluster.url, "MEDFLOW_PSEUDONYM_KEY": KEY, "MEDFLOW_MEMORY": "1GB", "MEDFLOW_THREADS": "2"}
    (folder := tmp_path / "elsewhere").mkdir()
    made = ClusterLake(ServiceLake(service_settings | mine), folder)
    made.lake.land(embedded.landing)
    return made


def until(true: Callable[[], Any], run: subprocess.Popen[str]) -> None:
    """Wait for something that a run does on its way."""
    latest = time.monotonic() + _WITHIN_S
    while not true():
        assert run.poll() is None, run.communicate()[1]
        assert time.monotonic() < latest
        time.sleep(0.2)


def test_a_run_on_the_services_is_the_embedded_run(lake: ClusterLake, embedded: Lake) -> None:
    """Row for row; recomputed by DuckDB from S3; nothing is left in the work folder, and the next run has nothing to do."""
    assert lake.do(*RUN, "--json")["release"] == 1
    assert lake.content() == settled(embedded.site())
    assert lake.objects("_work") == []
    assert lake.do(*RUN, "--json")["release"] is None


def test_steps_under_spark_submit_are_the_embedded_run(lake: ClusterLake, embedded: Lake, spark_cluster: SparkCluster) -> None:
    """Those that build by spark-submit, as an order to run starts them; the others by Python."""
    submitted = submit_arguments(load_settings(build_engine=spark_cluster.url, warehouse=lake.lake.settings.warehouse, memory="1GB"))
    for job in JOBS:
        step = (job.name, "--date", str(RUN_DATE), "--json")
        command = submitted.command(*step) if job.builds else [sys.executable, "-m", "spark_jobs", *step]
        assert SECRET_KEY not in str(command)
        told = lake.do(*command)
    assert told["release"] == 1
    assert lake.content() == settled(embedded.site())


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_worker_that_dies_in_a_run(comes_back: bool, lake: ClusterLake, embedded: Lake, spark_cluster: SparkCluster) -> None:
    """Killed while bronze is written. The run ends in words or, with a worker again, may go on; the next one makes it good."""
    run = lake.start(*RUN)
    until(lambda: any("claims_raw/data" in path for path in lake.objects("healthcare")), run)
    spark_cluster.worker.kill()
    if comes_back:
        spark_cluster.worker.start()
    _, problem = run.communicate(timeout=_WITHIN_S)
    if not comes_back:
        assert not lake.has_release()
        assert run.returncode == 1
        assert f"no worker of Spark at {spark_cluster.url} is left" in problem
        spark_cluster.worker.start()
    elif run.returncode:
        assert not lake.has_release()
        assert f"worker of Spark at {spark_cluster.url}" in problem
    assert "Traceback" not in problem
    spark_cluster.worker.wait()
    lake.do(*RUN, "--json")
    assert lake.content() == settled(embedded.site())
