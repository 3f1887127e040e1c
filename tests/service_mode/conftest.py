"""The real servers, each started at its first use for the whole session, and lakes of their own on them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_mode.lake_of_airflow import Scene
from tests.services.airflow import Airflow, airflow
from tests.services.chroma import Chroma, chroma
from tests.services.localstack import LANDING, WAREHOUSE, LocalStack, localstack
from tests.services.postgres import Postgres, postgres
from tests.services.redis import Redis, redis
from tests.services.spark import SparkCluster
from tests.services.spark import spark_cluster as cluster
from tests.services.trino import Trino, trino
from tests.support.lake import Lake


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers' data and logs lie; pytest keeps those of the last runs."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def postgres_server(logs: Path) -> Iterator[Postgres]:
    with postgres(logs) as server:
        yield server


@pytest.fixture(scope="session")
def s3(logs: Path) -> Iterator[LocalStack]:
    with localstack(logs) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(logs: Path) -> Iterator[Redis]:
    with redis(logs) as server:
        yield server


@pytest.fixture(scope="session")
def chroma_server(logs: Path) -> Iterator[Chroma]:
    with chroma(logs) as server:
        yield server


@pytest.fixture(scope="session")
def trino_server(logs: Path, postgres_server: Postgres, s3: LocalStack) -> Iterator[Trino]:
    """Trino over the catalog in the database `lake`."""
    with trino(logs, postgres_server, s3) as server:
        yield server


@pytest.fixture(scope="session")
def spark_cluster(logs: Path) -> Iterator[SparkCluster]:
    with cluster(logs) as server:
        yield server


@pytest.fixture
def service_settings(postgres_server: Postgres, s3: LocalStack, tmp_path: Path) -> dict[str, str]:
    """The environment of a lake of its own: catalog in a fresh database, warehouse and landing files below fresh prefixes."""
    name = f"t{uuid.uuid4().hex[:12]}"
    return {
        "MEDFLOW_HOME": str(tmp_path / "home"),
        "MEDFLOW_CATALOG": postgres_server.make_database(name),
        "MEDFLOW_APP_DB": postgres_server.url("app"),
        "MEDFLOW_WAREHOUSE": f"s3://{WAREHOUSE}/{name}/warehouse",
        "MEDFLOW_LANDING": f"s3://{LANDING}/{name}",
        "MEDFLOW_PSEUDONYM_KEY": "a key of members for tests",
        **s3.settings,
    }


@pytest.fixture(scope="session")
def airflow_lake(logs: Path) -> Lake:
    """The lake that Airflow's tasks work on."""
    lake = Lake(logs / "airflow-lake")
    lake.landing.mkdir(parents=True)
    return lake


@pytest.fixture(scope="session")
def airflow_server(logs: Path, postgres_server: Postgres, airflow_lake: Lake) -> Iterator[Airflow]:
    """Airflow over our DAGs, all of them switched on."""
    settings = {name: value for name, value in airflow_lake.environment().items() if name.startswith("MEDFLOW_")}
    with airflow(logs, postgres_server, settings) as server:
        for dag in server.dags():
            server.pause(dag, False)
        yield server


@pytest.fixture(scope="session")
def airflow_scene(logs: Path, airflow_server: Airflow, airflow_lake: Lake) -> Scene:
    """Airflow, its lake and a twin of that lake."""
    twin = Lake(logs / "twin")
    twin.landing.mkdir(parents=True)
    return Scene(airflow_server, airflow_lake, twin, logs)
