"""All servers of service mode together, and the settings that name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.airflow import Airflow, airflow
from tests.services.chroma import Chroma, chroma
from tests.services.localstack import LANDING, WAREHOUSE, LocalStack, localstack
from tests.services.postgres import Postgres, postgres
from tests.services.redis import Redis, redis
from tests.services.spark import SparkCluster, spark_cluster
from tests.services.trino import Trino, trino

# Where `make services` puts them: the ports of docker-compose.yml.
PORTS = {"postgres": 5432, "localstack": 4566, "redis": 6379, "chroma": 8002, "trino": 8081, "spark": 7077, "airflow": 8088}


@dataclass
class Stack:
    """Every server, running."""

    postgres: Postgres
    localstack: LocalStack
    redis: Redis
    chroma: Chroma
    trino: Trino
    spark: SparkCluster
    airflow: Airflow | None = None

    @property
    def settings(self) -> dict[str, str]:
        """The environment of a MedFlow process that uses all of them."""
        return {
            "MEDFLOW_CATALOG": self.postgres.url("lake"),
            "MEDFLOW_APP_DB": self.postgres.url("app"),
            "MEDFLOW_WAREHOUSE": f"s3://{WAREHOUSE}/warehouse",
            "MEDFLOW_LANDING": f"s3://{LANDING}",
            "MEDFLOW_BUILD_ENGINE": self.spark.url,
            "MEDFLOW_QUERY_ENGINE": self.trino.url,
            "MEDFLOW_CACHE": self.redis.url,
            "MEDFLOW_VECTOR_STORE": self.chroma.url,
            "MEDFLOW_PSEUDONYM_KEY": "a key of members for tests",
            **self.localstack.settings,
        }


@contextmanager
def stack(folder: Path, ports: dict[str, int] | None = None) -> Iterator[Stack]:
    """Every server with its data and logs below `folder`, on these ports or on free ones."""
    at = ports or {}
    with ExitStack() as open_until:
        enter = open_until.enter_context
        catalog = enter(postgres(folder, at.get("postgres"), data=folder / "postgres" if ports else None))
        files = enter(localstack(folder, at.get("localstack")))
        servers = Stack(
            catalog,
            files,
            enter(redis(folder, at.get("redis"))),
            enter(chroma(folder, at.get("chroma"))),
            enter(trino(folder, catalog, files, at.get("trino"))),
            enter(spark_cluster(folder, at.get("spark"))),
        )
        servers.airflow = enter(airflow(folder, catalog, {"MEDFLOW_HOME": str(folder.parent), **servers.settings}, at.get("airflow")))
        yield servers
