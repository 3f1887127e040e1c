"""The real servers as fixtures of every test: each is started at its first use, for the whole session."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # a test without servers does not wait for their clients to load
    from tests.services.chroma import Chroma
    from tests.services.localstack import LocalStack
    from tests.services.postgres import Postgres
    from tests.services.redis import Redis
    from tests.services.spark import SparkCluster
    from tests.services.trino import Trino


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers' data and logs lie; pytest keeps those of the last runs."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def postgres_server(logs: Path) -> Iterator[Postgres]:
    from tests.services.postgres import postgres

    with postgres(logs) as server:
        yield server


@pytest.fixture(scope="session")
def s3(logs: Path) -> Iterator[LocalStack]:
    from tests.services.localstack import localstack

    with localstack(logs) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(logs: Path) -> Iterator[Redis]:
    from tests.services.redis import redis

    with redis(logs) as server:
        yield server


@pytest.fixture(scope="session")
def chroma_server(logs: Path) -> Iterator[Chroma]:
    from tests.services.chroma import chroma

    with chroma(logs) as server:
        yield server


@pytest.fixture(scope="session")
def trino_server(logs: Path, postgres_server: Postgres, s3: LocalStack) -> Iterator[Trino]:
    """Trino over the catalog in the database `lake`."""
    from tests.services.trino import trino

    with trino(logs, postgres_server, s3) as server:
        yield server


@pytest.fixture(scope="session")
def spark_cluster(logs: Path) -> Iterator[SparkCluster]:
    from tests.services.spark import spark_cluster as started

    with started(logs) as server:
        yield server


@pytest.fixture
def service_settings(postgres_server: Postgres, s3: LocalStack, tmp_path: Path) -> dict[str, str]:
    """The environment of a lake of its own: catalog in a fresh database, warehouse and landing files below fresh prefixes."""
    from tests.services.localstack import LANDING, WAREHOUSE

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
