"""A built lake of this machine, copied table by table to another's catalog and warehouse: the same rows, under snapshots of their own."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pyarrow as pa
from pyarrow import parquet
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import NestedField

from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.releases import Release, ReleasedTable
from medflow.lakehouse.schema import iceberg_type
from medflow.settings import Settings
from tests.engines.iceberg_shop import catalog_of, data_file, released
from tests.engines.shop import publish_release


def copy_release(release: Release, lake_of: Settings, ledger_of: Settings) -> Release:
    """The release with its tables in the lake of the one settings, and its manifest and ledger below the other's."""
    ledger_of.home.mkdir(parents=True, exist_ok=True)
    lake, catalog = Lake.open(lake_of), catalog_of(lake_of)
    tables = {name: _copied(lake, catalog, name, table) for name, table in release.tables.items()}
    lake.engine.dispose()
    catalog.engine.dispose()
    copy = replace(release, tables=tables)
    publish_release(ledger_of, copy)
    return copy


def _copied(lake: Lake, catalog: SqlCatalog, name: str, table: ReleasedTable) -> ReleasedTable:
    types = {column.name: column.type for column in table.columns}
    fields = [NestedField(place, column, iceberg_type(kind), required=False) for place, (column, kind) in enumerate(types.items(), 1)]
    schema = schema_to_pyarrow(Schema(*fields), include_field_ids=False)
    catalog.create_namespace_if_not_exists(name.split(".")[0])
    with suppress(NoSuchTableError):
        catalog.drop_table(name)
    made: Table = catalog.create_table(name, schema=schema, properties={"format-version": "2"})
    rows = _rows(table, schema)
    made.add_files([data_file(made, rows)]) if rows.num_rows else made.append(rows)
    return released(lake, made.refresh(), types)


def _rows(table: ReleasedTable, schema: pa.Schema) -> pa.Table:
    """All rows in the declared columns; one that a file lacks is null."""
    parts = [schema.empty_table()]
    for file in table.files:
        there = parquet.ParquetFile(file).read()
        columns = [there.column(f.name).cast(f.type) if f.name in there.column_names else pa.nulls(there.num_rows, f.type) for f in schema]
        parts.append(pa.table(columns, schema=schema))
    return pa.concat_tables(parts)
