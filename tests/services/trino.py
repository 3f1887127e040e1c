"""Trino over the lake: the Iceberg catalog in Postgres, its files on S3, set up by the files that `medflow setup --trino` writes.

The catalog's tables must exist before the first query; its database user may read those two tables alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg2
from pyiceberg.catalog.sql import SqlCatalogBaseTable
from sqlalchemy import create_engine

from medflow.settings import Settings, load_settings
from rag_backend.engines.base import ReadPolicy
from rag_backend.engines.trino_files import (
    CATALOG_PASSWORD,
    CATALOG_USER,
    READER,
    RULES,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    access_control,
    as_properties,
    lake_catalog,
    limits,
    packaged_rules,
)
from rag_backend.engines.trino_rules import rules_of
from tests.services.localstack import ACCESS_KEY, SECRET_KEY, LocalStack
from tests.services.packages import java_home, trino_folder
from tests.services.postgres import PASSWORD, Postgres
from tests.services.server import NotReady, Server, free_ports, running

OPERATOR = "operator"  # a user of tests alone, who may do all that the catalog's own wall leaves
MEMORY = "256MB"
TIMEOUT_S = 55.0
# Runs of minutes: the compiler that makes long runs fast would take half of the machine.
_JVM = ("-server", "-Xmx1536m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", "-XX:TieredStopAtLevel=1")
_STARTS_WITHIN = 300.0
_REFRESH_SECONDS = 0.5


@dataclass
class Trino:
    """A running coordinator that is its own worker."""

    server: Server
    port: int
    rules: Path

    @property
    def url(self) -> str:
        return f"trino://127.0.0.1:{self.port}"

    def grant(self, policies: Iterable[ReadPolicy], columns: dict[str, list[str]]) -> None:
        """Let these roles read too, by rules that are made as the product's are."""
        _add(self.rules, rules_of(policies, columns))
        time.sleep(2 * _REFRESH_SECONDS)


@contextmanager
def trino(folder: Path, catalog: Postgres, files: LocalStack, port: int | None = None) -> Iterator[Trino]:
    """A server whose catalog `lake` is the one in Postgres's database `lake`, with the rules of the packaged policy."""
    port = port or free_ports(1)[0]
    home, etc = trino_folder(), folder / "trino" / "etc"
    (etc / "catalog").mkdir(parents=True, exist_ok=True)
    settings = _settings(folder, catalog, files)
    make_reader(catalog)
    rules = etc / RULES
    rules.write_text(json.dumps(_with_operator(packaged_rules(settings))), encoding="utf-8")
    _write(etc / "access-control.properties", access_control(str(rules)) | {"security.refresh-period": f"{_REFRESH_SECONDS}s"})
    _write(etc / "node.properties", _node(folder))
    _write(etc / "config.properties", _config(port, home) | limits(settings))
    _write(etc / "catalog" / "lake.properties", lake_catalog(settings))
    (etc / "jvm.config").write_text("\n".join(_JVM) + "\n", encoding="utf-8")
    java = java_home()
    environment = {"JAVA_HOME": str(java), "PATH": f"{java / 'bin'}:/usr/bin:/bin"}
    environment |= {CATALOG_USER: READER, CATALOG_PASSWORD: PASSWORD, S3_ACCESS_KEY: ACCESS_KEY, S3_SECRET_KEY: SECRET_KEY}
    server = Server("trino", [str(home / "bin" / "launcher"), "run", "--etc-dir", str(etc)], folder, _ready(port), environment)
    server.starts_within = _STARTS_WITHIN
    with running(server):
        yield Trino(server, port, rules)


def make_reader(catalog: Postgres) -> None:
    """The catalog's tables, if they are missing, and the user who may read them and nothing else."""
    engine = create_engine(catalog.url("lake").replace("postgresql:", "postgresql+psycopg2:"))
    SqlCatalogBaseTable.metadata.create_all(engine)
    engine.dispose()
    connection = psycopg2.connect(catalog.url("lake"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,))
        if not cursor.fetchall():
            cursor.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}' NOSUPERUSER NOCREATEDB NOCREATEROLE")
            cursor.execute(f"ALTER ROLE {READER} SET default_transaction_read_only = on")
        cursor.execute(f"GRANT SELECT ON iceberg_tables, iceberg_namespace_properties TO {READER}")
    connection.close()


def _settings(folder: Path, catalog: Postgres, files: LocalStack) -> Settings:
    given = {"catalog": catalog.url("lake"), "warehouse": "s3://medflow-lake/warehouse", "s3_endpoint": files.endpoint}
    return load_settings(home=folder / "trino", query_memory=MEMORY, query_timeout_s=TIMEOUT_S, **given)


def _node(folder: Path) -> dict[str, str]:
    home = {"node.environment": "test", "node.id": "one", "node.data-dir": str(folder / "trino" / "data")}
    return home | {"node.bind-ip": "127.0.0.1", "node.internal-address": "127.0.0.1"}


def _config(port: int, home: Path) -> dict[str, str]:
    return {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": str(port),
        "discovery.uri": f"http://127.0.0.1:{port}",
        "plugin.dir": str(home / "plugin"),
    }


def _with_operator(rules: dict[str, Any]) -> dict[str, Any]:
    mine = {
        "catalogs": {"user": OPERATOR, "allow": "all"},
        "queries": {"user": OPERATOR, "allow": ["execute", "view", "kill"]},
        "schemas": {"user": OPERATOR, "owner": True},
        "tables": {"user": OPERATOR, "privileges": ["SELECT", "INSERT", "DELETE", "UPDATE", "OWNERSHIP"]},
    }
    return {name: [mine[name], *listed] if name in mine else listed for name, listed in rules.items()}


def _add(path: Path, rules: dict[str, Any]) -> None:
    """Put rules before those that are there; a file is replaced whole, for the server reads it at any moment."""
    there = json.loads(path.read_text(encoding="utf-8"))
    for name in ("catalogs", "queries", "tables"):
        there[name] = [*rules[name][:-1], *there[name]]
    made = path.with_suffix(".new")
    made.write_text(json.dumps(there), encoding="utf-8")
    made.replace(path)


def _write(path: Path, properties: dict[str, str]) -> None:
    path.write_text(as_properties(properties), encoding="utf-8")


def _ready(port: int) -> Callable[[], None]:
    def ready() -> None:
        with urlopen(f"http://127.0.0.1:{port}/v1/info", timeout=5) as answer:
            if json.load(answer)["starting"]:
                raise NotReady("it is still starting")

    return ready
