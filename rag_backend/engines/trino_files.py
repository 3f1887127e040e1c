"""The files that a Trino server for a lake is set up with: access rules, limits and the catalog. They hold no secret.

What is secret stands in the server's environment, under the names that the catalog's file gives.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from medflow.errors import UsageError
from medflow.lakehouse.locations import warehouse_location
from medflow.settings import Settings
from medflow.specs.policy import load_policies
from medflow.specs.tables import load_tables
from rag_backend.engines.duckdb import memory_bytes
from rag_backend.engines.trino_rules import LAKE, rules_of

CATALOG_USER, CATALOG_PASSWORD = "TRINO_CATALOG_USER", "TRINO_CATALOG_PASSWORD"
S3_ACCESS_KEY, S3_SECRET_KEY = "TRINO_S3_ACCESS_KEY", "TRINO_S3_SECRET_KEY"
READER = "trino_reader"
RULES = "rules.json"
_BEYOND_SECONDS = 5  # the asker's own limit comes first
_CLIENT_GONE = "15s"  # a statement that nobody fetches ends

# What the catalog's database user needs, and no more: where tables stand. It is the owner's to run, once, after the first release.
_READER_SQL = f"""-- psql -v password="'...'" -f catalog-reader.sql, as the owner of the catalog's tables
CREATE ROLE {READER} LOGIN PASSWORD :password NOSUPERUSER NOCREATEDB NOCREATEROLE;
ALTER ROLE {READER} SET default_transaction_read_only = on;
GRANT SELECT ON iceberg_tables, iceberg_namespace_properties TO {READER};
"""


def write_trino_files(settings: Settings, folder: Path) -> list[str]:
    """Write the files below `folder`, over those that are there; their names.

    Raises:
        UsageError: the lake is not one that a server can read. DeclarationError: the knowledge base.
    """
    files = {
        "access-control.properties": as_properties(access_control(f"etc/{RULES}")),
        RULES: json.dumps(packaged_rules(settings), indent=1) + "\n",
        "config.properties": as_properties({**_COORDINATOR, **limits(settings)}),
        f"catalog/{LAKE}.properties": as_properties(lake_catalog(settings)),
        "catalog-reader.sql": _READER_SQL,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(files)


def packaged_rules(settings: Settings) -> dict[str, Any]:
    """The rules of the settings' knowledge base: its roles, and what the service itself counts by."""
    tables = load_tables(settings.knowledge_base)
    policies = load_policies(settings.knowledge_base, tables)
    counting = {policy.counting.role: policy.counting for policy in policies.values() if policy.counting}
    return rules_of([*policies.values(), *counting.values()], {name: table.column_names for name, table in tables.items()})


def access_control(rules: str) -> dict[str, str]:
    """Where the server finds its rules; it looks at them again every few seconds."""
    return {"access-control.name": "file", "security.config-file": rules, "security.refresh-period": "5s"}


def limits(settings: Settings) -> dict[str, str]:
    """What one statement may take in the server, whoever sends it; no user may set it otherwise."""
    seconds, size = f"{math.ceil(settings.query_timeout_s) + _BEYOND_SECONDS}s", f"{memory_bytes(settings.query_memory)}B"
    return {
        "query.max-run-time": seconds,
        "query.max-execution-time": seconds,
        "query.max-memory": size,
        "query.max-memory-per-node": size,
        "query.client.timeout": _CLIENT_GONE,
        "query.max-length": "100000",
        "web-ui.enabled": "false",
    }


def lake_catalog(settings: Settings) -> dict[str, str]:
    """The catalog `lake`, read-only, by its own names for secrets.

    Raises:
        UsageError: catalog or warehouse are files of this machine.
    """
    address, warehouse = make_url(settings.catalog), warehouse_location(settings.warehouse)
    if address.get_backend_name() != "postgresql" or not warehouse.startswith("s3://"):
        raise UsageError(
            "Trino reads a lake whose catalog is in Postgres and whose warehouse is on S3: "
            "set MEDFLOW_CATALOG=postgresql://… and MEDFLOW_WAREHOUSE=s3://…"
        )
    return {
        "connector.name": "iceberg",
        "iceberg.security": "read-only",
        "iceberg.catalog.type": "jdbc",
        "iceberg.jdbc-catalog.catalog-name": LAKE,
        "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
        "iceberg.jdbc-catalog.connection-url": f"jdbc:postgresql://{address.host}:{address.port or 5432}/{address.database}",
        "iceberg.jdbc-catalog.connection-user": f"${{ENV:{CATALOG_USER}}}",
        "iceberg.jdbc-catalog.connection-password": f"${{ENV:{CATALOG_PASSWORD}}}",
        "iceberg.jdbc-catalog.default-warehouse-dir": warehouse,
        "iceberg.jdbc-catalog.schema-version": "V1",
        "fs.native-s3.enabled": "true",
        **({"s3.endpoint": settings.s3_endpoint, "s3.path-style-access": "true"} if settings.s3_endpoint else {}),
        "s3.region": settings.s3_region,
        "s3.aws-access-key": f"${{ENV:{S3_ACCESS_KEY}}}",
        "s3.aws-secret-key": f"${{ENV:{S3_SECRET_KEY}}}",
    }


def as_properties(values: Mapping[str, str]) -> str:
    """A properties file's text."""
    return "".join(f"{name}={value}\n" for name, value in values.items())


_COORDINATOR = {
    "coordinator": "true",
    "node-scheduler.include-coordinator": "true",
    "http-server.http.port": "8081",
    "discovery.uri": "http://localhost:8081",
}
