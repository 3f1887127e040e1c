"""Trino over the lake: the Iceberg catalog in Postgres, its files on S3. The catalog's tables must exist before the first query."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from tests.services.localstack import ACCESS_KEY, REGION, SECRET_KEY, LocalStack
from tests.services.packages import java_home, trino_folder
from tests.services.postgres import PASSWORD, USER, Postgres
from tests.services.server import NotReady, Server, free_ports, running

_HEAP = "1536m"


@dataclass
class Trino:
    """A running coordinator that is its own worker."""

    server: Server
    port: int

    @property
    def url(self) -> str:
        return f"trino://127.0.0.1:{self.port}"


@contextmanager
def trino(folder: Path, catalog: Postgres, files: LocalStack, port: int | None = None) -> Iterator[Trino]:
    """A server whose catalog `lake` is the one in Postgres's database `lake`."""
    port = port or free_ports(1)[0]
    home, etc = trino_folder(), folder / "trino" / "etc"
    (etc / "catalog").mkdir(parents=True, exist_ok=True)
    _write(etc / "node.properties", {"node.environment": "test", "node.id": "one", "node.data-dir": str(folder / "trino" / "data")})
    _write(etc / "config.properties", _config(port, home))
    _write(etc / "catalog" / "lake.properties", _lake(catalog, files))
    (etc / "jvm.config").write_text(f"-server\n-Xmx{_HEAP}\n-XX:+UseG1GC\n-XX:+ExitOnOutOfMemoryError\n", encoding="utf-8")
    java = java_home()
    environment = {"JAVA_HOME": str(java), "PATH": f"{java / 'bin'}:/usr/bin:/bin"}
    server = Server("trino", [str(home / "bin" / "launcher"), "run", "--etc-dir", str(etc)], folder, _ready(port), environment)
    with running(server):
        yield Trino(server, port)


def _config(port: int, home: Path) -> dict[str, str]:
    return {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": str(port),
        "discovery.uri": f"http://127.0.0.1:{port}",
        "plugin.dir": str(home / "plugin"),
        "query.max-memory": "512MB",
        "query.max-memory-per-node": "512MB",
    }


def _lake(catalog: Postgres, files: LocalStack) -> dict[str, str]:
    return {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "jdbc",
        "iceberg.jdbc-catalog.catalog-name": "lake",
        "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
        "iceberg.jdbc-catalog.connection-url": f"jdbc:postgresql://127.0.0.1:{catalog.port}/lake",
        "iceberg.jdbc-catalog.connection-user": USER,
        "iceberg.jdbc-catalog.connection-password": PASSWORD,
        "iceberg.jdbc-catalog.default-warehouse-dir": "s3://medflow-lake/warehouse",
        "iceberg.jdbc-catalog.schema-version": "V1",
        "fs.native-s3.enabled": "true",
        "s3.endpoint": files.endpoint,
        "s3.region": REGION,
        "s3.path-style-access": "true",
        "s3.aws-access-key": ACCESS_KEY,
        "s3.aws-secret-key": SECRET_KEY,
    }


def _write(path: Path, properties: dict[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()), encoding="utf-8")


def _ready(port: int) -> Callable[[], None]:
    def ready() -> None:
        with urlopen(f"http://127.0.0.1:{port}/v1/info", timeout=5) as answer:
            if json.load(answer)["starting"]:
                raise NotReady("it is still starting")

    return ready
