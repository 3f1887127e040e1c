"""A release is the same to Spark, Trino, PyIceberg and DuckDB, each by its own way to the tables; an older one stays what it was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from trino.dbapi import connect

from medflow.lakehouse.duckdb_files import open_s3
from medflow.lakehouse.releases import Release, ReleasedTable
from medflow.settings import load_settings
from spark_jobs.engines.spark_jars import iceberg_jars
from tests.service_mode.cells import spelled
from tests.service_mode.lakes import ServiceLake, generate
from tests.services.localstack import ACCESS_KEY, LANDING, REGION, SECRET_KEY, WAREHOUSE, LocalStack
from tests.services.packages import maven_file
from tests.services.postgres import PASSWORD, USER, Postgres
from tests.services.trino import OPERATOR, Trino
from tests.support.lake import ROOT

_DRIVER = ("org.postgresql:postgresql:42.7.14:jar", "73914527305a40cce504b0d3d90b23caf565136912d607ae8ae7c5895512332c")
_CATALOG = "spark.sql.catalog.lake"
Rows = dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def lake(postgres_server: Postgres, s3: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> ServiceLake:
    """Two releases in the catalog that Trino reads."""
    folder = tmp_path_factory.mktemp("readers")
    settings = {
        "MEDFLOW_HOME": str(folder / "home"),
        "MEDFLOW_CATALOG": postgres_server.url("lake"),
        "MEDFLOW_WAREHOUSE": f"s3://{WAREHOUSE}/warehouse",
        "MEDFLOW_LANDING": f"s3://{LANDING}/readers",
        **s3.settings,
    }
    found = ServiceLake(settings)
    found.land(generate(folder / "files"))
    found.run()
    path = next((folder / "files" / "bluecross").iterdir())
    header, first, *_ = path.read_bytes().splitlines(keepends=True)
    found.put("bluecross/more.csv", header + first.replace(b",", b"9,", 1))
    assert found.run().release == 2
    return found


@pytest.fixture(scope="module", params=[1, 2])
def release(request: pytest.FixtureRequest, lake: ServiceLake) -> Release:
    return lake.release(request.param)


@pytest.fixture(scope="module")
def wanted(release: Release, lake: ServiceLake) -> Rows:
    """The rows by DuckDB, from the files that the release names."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    open_s3(database, lake.storage)
    found = {}
    for name, table in release.tables.items():
        if table.files:
            sql = f"SELECT {', '.join(columns(table))} FROM read_parquet($1, union_by_name = true)"
            found[name] = listed(database.execute(sql, [table.files]).fetchall())
        else:
            found[name] = []
    assert sum(map(len, found.values())) > 1000
    return found


def test_trino_reads_the_same(release: Release, wanted: Rows, trino_server: Trino) -> None:
    """At the release's tag."""
    with connect(host="127.0.0.1", port=trino_server.port, user=OPERATOR, timezone="UTC") as connection:

        def rows(name: str, table: ReleasedTable) -> list[Any]:
            cursor = connection.cursor()
            cursor.execute(f"SELECT {', '.join(columns(table))} FROM lake.{name} FOR VERSION AS OF 'release_{release.number}'")
            return cursor.fetchall()

        assert read(release, rows) == wanted


def test_pyiceberg_reads_the_same(release: Release, wanted: Rows, lake: ServiceLake, s3: LocalStack) -> None:
    """With its stock catalog, at the release's tag."""
    keys = {"s3.endpoint": s3.endpoint, "s3.access-key-id": ACCESS_KEY, "s3.secret-access-key": SECRET_KEY, "s3.region": REGION}
    catalog = SqlCatalog("lake", uri=lake.settings.catalog, warehouse=lake.settings.warehouse, schema_version="v1", **keys)

    def rows(name: str, table: ReleasedTable) -> list[Any]:
        loaded = catalog.load_table(name)
        at = loaded.refs()[f"release_{release.number}"].snapshot_id
        plain = [column.name for column in table.columns if not column.type.startswith("map")]
        return [tuple(row[c] for c in plain) for row in loaded.scan(snapshot_id=at, selected_fields=tuple(plain)).to_arrow().to_pylist()]

    assert read(release, rows) == wanted
    catalog.engine.dispose()


def test_spark_reads_the_same(release: Release, wanted: Rows, lake: ServiceLake, postgres_server: Postgres, s3: LocalStack) -> None:
    """With Iceberg's own JDBC catalog in a session that knows nothing of MedFlow."""
    conf = {
        _CATALOG: "org.apache.iceberg.spark.SparkCatalog",
        f"{_CATALOG}.type": "jdbc",
        f"{_CATALOG}.uri": f"jdbc:postgresql://127.0.0.1:{postgres_server.port}/lake",
        f"{_CATALOG}.jdbc.user": USER,
        f"{_CATALOG}.jdbc.password": PASSWORD,
        f"{_CATALOG}.jdbc.schema-version": "V1",
        f"{_CATALOG}.warehouse": lake.settings.warehouse,
        f"{_CATALOG}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{_CATALOG}.s3.endpoint": s3.endpoint,
        f"{_CATALOG}.s3.path-style-access": "true",
        f"{_CATALOG}.s3.access-key-id": ACCESS_KEY,
        f"{_CATALOG}.s3.secret-access-key": SECRET_KEY,
        f"{_CATALOG}.client.region": REGION,
    }
    jars = [*iceberg_jars(load_settings().jars, s3=True), maven_file(*_DRIVER)]
    queries = {
        name: f"SELECT {', '.join(columns(table))} FROM lake.{name} VERSION AS OF 'release_{release.number}'"
        for name, table in release.tables.items()
    }
    order = json.dumps({"jars": list(map(str, jars)), "conf": conf, "queries": queries})
    command = [sys.executable, "-m", "tests.service_mode.spark_reader"]
    done = subprocess.run(command, input=order, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {name: sorted(rows) for name, rows in json.loads(done.stdout).items()} == wanted


def columns(table: ReleasedTable) -> list[str]:
    """All but maps, whose entries no two clients hand over alike."""
    return [column.name for column in table.columns if not column.type.startswith("map")]


def read(release: Release, rows: Callable[[str, ReleasedTable], list[Any]]) -> Rows:
    """Every table of the release."""
    return {name: listed(rows(name, table)) for name, table in release.tables.items()}


def listed(rows: list[Any]) -> list[list[str]]:
    return sorted([spelled(cell) for cell in row] for row in rows)
