"""The pipeline's DAG as it runs in production: landing files and warehouse on S3, catalog in Postgres, steps submitted to a Spark cluster."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_mode.lake_of_airflow import CLAIMS, process_of
from tests.service_mode.lakes import ServiceLake, settled
from tests.services.airflow import Airflow, airflow
from tests.services.localstack import LANDING, WAREHOUSE, LocalStack
from tests.services.postgres import Postgres
from tests.services.redis import Redis
from tests.services.spark import SparkCluster
from tests.support.lake import KEY, Lake

_NAME = "airflow_on_services"


@pytest.fixture(scope="module")
def lake(
    postgres_server: Postgres, s3: LocalStack, redis_server: Redis, spark_cluster: SparkCluster, tmp_path_factory: pytest.TempPathFactory
) -> ServiceLake:
    """A lake in buckets, built by the cluster."""
    return ServiceLake(
        {
            "MEDFLOW_HOME": str(tmp_path_factory.mktemp("on-services") / "home"),
            "MEDFLOW_CATALOG": postgres_server.make_database("lake_of_airflow"),
            "MEDFLOW_APP_DB": postgres_server.make_database("app_of_airflow"),
            "MEDFLOW_WAREHOUSE": f"s3://{WAREHOUSE}/{_NAME}/warehouse",
            "MEDFLOW_LANDING": f"s3://{LANDING}/{_NAME}",
            "MEDFLOW_CACHE": redis_server.url,
            "MEDFLOW_CACHE_KEY": "a key of the cache for tests",
            "MEDFLOW_BUILD_ENGINE": spark_cluster.url,
            "MEDFLOW_PSEUDONYM_KEY": KEY,
            "MEDFLOW_MEMORY": "1GB",
            "MEDFLOW_THREADS": "2",
            **s3.settings,
        }
    )


@pytest.fixture(scope="module")
def scheduled(lake: ServiceLake, postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Airflow whose tasks work on that lake."""
    with airflow(tmp_path_factory.mktemp("airflow"), postgres_server, lake.environment, name=_NAME) as server:
        server.pause(CLAIMS, False)
        yield server


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """300 claims in a landing folder."""
    lake = Lake(tmp_path_factory.mktemp("embedded") / "lake")
    lake.generate(300)
    return lake


def started(server: Airflow, within: float = 300.0) -> str:
    """The run that new files start."""
    latest = time.monotonic() + within
    while True:
        runs = [run["dag_run_id"] for run in server.runs(CLAIMS) if run["run_type"] == "asset_triggered"]
        if runs:
            return str(runs[0])
        assert time.monotonic() < latest, server.parts["triggerer"].last_words()
        time.sleep(0.5)


def test_files_in_a_bucket_become_a_release(scheduled: Airflow, lake: ServiceLake, embedded: Lake) -> None:
    """They start a run; a driver of Spark killed on the way is started again; the release is that of an embedded run, row for row."""
    lake.land(embedded.landing)
    run = started(scheduled)
    driver = process_of("spark_jobs/__main__.py silver --batch", scheduled.parts["scheduler"].process.pid)
    time.sleep(5)  # it has begun to work
    os.kill(driver, signal.SIGKILL)
    assert scheduled.wait(CLAIMS, run, within=1200) == "success", scheduled.states(CLAIMS, run)
    states, tries = scheduled.states(CLAIMS, run), scheduled.tries(CLAIMS, run)
    assert set(states.values()) == {"success"}, states
    assert tries["silver"] > 1 and tries["bronze"] == 1, tries
    embedded.run(lake.release().run_date)
    assert settled(lake.site()) == settled(embedded.site())


def test_secrets_stand_in_no_log(scheduled: Airflow, lake: ServiceLake) -> None:
    """Neither the keys of S3 nor of members nor the catalog's password, in whatever Airflow wrote."""
    secret = [lake.environment[name] for name in ("MEDFLOW_S3_SECRET_KEY", "MEDFLOW_PSEUDONYM_KEY", "MEDFLOW_CACHE_KEY")]
    home = Path(scheduled.parts["scheduler"].folder)
    logs = [path for path in home.rglob("*.log") if path.is_file()]
    assert any("silver" in str(path) for path in logs)
    for path in logs:
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not [number for number, word in enumerate(secret) if word in text], path.name
