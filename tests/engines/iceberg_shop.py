"""The shop as Iceberg tables of a lake on servers or files: written by PyIceberg, released as a pipeline would."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

import pyarrow as pa
from pyarrow import parquet
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table
from sqlalchemy import make_url

from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.data_files import described
from medflow.lakehouse.locations import warehouse_location
from medflow.lakehouse.releases import Release, ReleasedColumn, ReleasedTable
from medflow.settings import Settings
from tests.engines.shop import MANY, arrow_table, contents, publish_release


def publish_tables(lake_of: Settings, ledger_of: Settings, number: int = 1, many: int = MANY) -> Release:
    """Release `number` of the shop, its tables made anew in one lake; its ledger is another's, so that several lakes may share tables."""
    ledger_of.home.mkdir(parents=True, exist_ok=True)
    lake, catalog = Lake.open(lake_of), catalog_of(lake_of)
    tables = {name: released(lake, _written(catalog, name, many), types) for name, (types, _) in contents(many).items()}
    made = datetime(2026, 7, number, tzinfo=UTC)
    release = Release(number, None, None, f"b{number}", "load", made.date(), made, "d", {}, tables)
    publish_release(ledger_of, release)
    lake.engine.dispose()
    catalog.engine.dispose()
    return release


def catalog_of(settings: Settings) -> SqlCatalog:
    """PyIceberg's own catalog, which another program might write by."""
    url = make_url(settings.catalog)
    url = url.set(drivername="postgresql+psycopg2") if url.drivername == "postgresql" else url
    s3 = {"s3.endpoint": settings.s3_endpoint, "s3.region": settings.s3_region}
    s3 |= {"s3.access-key-id": settings.s3_access_key, "s3.secret-access-key": settings.s3_secret_key}
    place = {"uri": url.render_as_string(hide_password=False), "warehouse": warehouse_location(settings.warehouse), "schema_version": "v1"}
    return SqlCatalog("lake", **place, **(s3 if settings.s3_endpoint else {}))


def _written(catalog: SqlCatalog, name: str, many: int) -> Table:
    """The table with its rows in two files, where it has so many."""
    types, columns = contents(many)[name]
    rows = arrow_table(types, columns)
    catalog.create_namespace_if_not_exists(name.split(".")[0])
    with suppress(NoSuchTableError):
        catalog.drop_table(name)
    table = catalog.create_table(name, schema=rows.schema, properties={"format-version": "2"})
    half = (rows.num_rows + 1) // 2
    table.add_files([data_file(table, part) for part in (rows.slice(0, half), rows.slice(half)) if part.num_rows])
    return table.refresh()


def data_file(table: Table, rows: pa.Table) -> str:
    """A data file as Arrow writes it: PyIceberg's own `append` makes empty lists of null lists of structs."""
    address = f"{table.location()}/data/{uuid.uuid4().hex}.parquet"
    with table.io.new_output(address).create() as stream:
        parquet.write_table(rows, stream)
    return address


def released(lake: Lake, table: Table, types: Mapping[str, str]) -> ReleasedTable:
    """The table's current snapshot as a release names it."""
    snapshot = table.metadata.current_snapshot_id
    assert snapshot is not None
    columns = tuple(ReleasedColumn(field.field_id, field.name, types[field.name]) for field in table.schema().fields)
    files = tuple(described(table, file) for file in lake.data_files(table, snapshot))
    return ReleasedTable(snapshot, table.metadata_location, columns, files)
