"""Parquet files read as an Iceberg table: Iceberg opens whatever storage they lie on, in the driver and in every executor.

Each read is a private table whose one snapshot lists the files as their footers describe them. Columns are found by field id; one
that no file has is null.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Literal

import pyarrow as pa
from pyarrow import parquet
from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids, pyarrow_to_schema
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestEntry, write_manifest, write_manifest_list
from pyiceberg.partitioning import PARTITION_FIELD_ID_START, UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table.metadata import TableMetadata, TableMetadataV2
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.typedef import Record
from pyiceberg.types import NestedField, PrimitiveType
from pyspark.sql import DataFrame

from medflow.errors import CatalogError
from medflow.lakehouse.storage import Storage
from spark_jobs.engines.spark_tables import PrivateTable, PrivateTables

_AT_A_TIME = 8  # footers: each is one or two requests
_SPLIT = 32 << 20  # bytes that one task reads
_FORMAT: Literal[2] = 2
_ONLY = 1  # the id of the only snapshot, and its number


@dataclass(frozen=True)
class _Footer:
    path: str
    bytes: int
    rows: int
    schema: Schema


def read_files(tables: PrivateTables, storage: Storage, paths: Sequence[str], declared: Schema) -> DataFrame:
    """The rows of Parquet files, in the declared columns and types, under the field ids that the files have.

    Raises:
        CatalogError: a file is missing, damaged, or has columns without ids.
    """
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        footers = list(pool.map(lambda path: _footer(storage, path), paths))
    schema, table = _identified(declared, footers), tables.table(f"r{uuid.uuid4().hex}")
    table.create(_metadata(schema, _snapshot(table, schema, footers)))
    return tables.session.table(table.name)


def schema_with_ids(columns: pa.Schema) -> Schema:
    """Arrow's columns as Iceberg's, with fresh ids."""
    return assign_fresh_schema_ids(_pyarrow_to_schema_without_ids(columns))


def _footer(storage: Storage, path: str) -> _Footer:
    files, place = storage.filesystem(path)
    try:
        with storage.warehouse_access(path), files.open_input_file(place) as stream:
            found = parquet.read_metadata(stream)
            return _Footer(path, stream.size(), found.num_rows, pyarrow_to_schema(found.schema.to_arrow_schema()))
    except pa.ArrowInvalid as error:
        raise CatalogError(f"{path} is no whole Parquet file; put back a copy") from error
    except (ValueError, TypeError) as error:
        raise CatalogError(f"{path} has columns without field ids or of no known type; write it anew") from error


def _identified(declared: Schema, footers: Sequence[_Footer]) -> Schema:
    """The declared columns with the ids of the files. Nested columns have ids inside, too, so that their type is the files'."""
    found = {field.name: field for footer in footers for field in footer.schema.columns}
    unused = count(1 + max(footer.schema.highest_field_id for footer in footers))
    return Schema(*(_field(field, found.get(field.name), unused) for field in declared.columns))


def _field(declared: NestedField, found: NestedField | None, unused: Iterator[int]) -> NestedField:
    if found is None:
        alone = Schema(NestedField(declared.field_id, declared.name, declared.field_type, required=False))
        return assign_fresh_schema_ids(alone, lambda: next(unused)).fields[0]
    kind = declared.field_type if isinstance(declared.field_type, PrimitiveType) else found.field_type
    return NestedField(found.field_id, declared.name, kind, required=False)


def _snapshot(table: PrivateTable, schema: Schema, footers: Sequence[_Footer]) -> Snapshot:
    folder = table.folder / "metadata"
    output = table.io.new_output(str(folder / "files.avro"))
    with write_manifest(_FORMAT, UNPARTITIONED_PARTITION_SPEC, schema, output, _ONLY, "null") as manifest:
        for footer in footers:
            manifest.add(ManifestEntry.from_args(snapshot_id=_ONLY, sequence_number=_ONLY, data_file=_data_file(footer)))
    listed = str(folder / "manifests.avro")
    with write_manifest_list(_FORMAT, table.io.new_output(listed), _ONLY, None, _ONLY, "null") as manifests:
        manifests.add_manifests([manifest.to_manifest_file()])
    told = {"snapshot-id": _ONLY, "sequence-number": _ONLY, "manifest-list": listed, "schema-id": schema.schema_id}
    return Snapshot.model_validate({**told, "summary": {"operation": "append"}})


def _data_file(footer: _Footer) -> DataFile:
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=footer.path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=footer.rows,
        file_size_in_bytes=footer.bytes,
        spec_id=UNPARTITIONED_PARTITION_SPEC.spec_id,
    )


def _metadata(schema: Schema, snapshot: Snapshot) -> TableMetadata:
    spec, order = UNPARTITIONED_PARTITION_SPEC, UNSORTED_SORT_ORDER
    return TableMetadataV2.model_validate(
        {
            "location": "",  # where the table is made
            "schemas": [schema],
            "current-schema-id": schema.schema_id,
            "last-column-id": schema.highest_field_id,
            "partition-specs": [spec],
            "default-spec-id": spec.spec_id,
            "last-partition-id": PARTITION_FIELD_ID_START - 1,
            "sort-orders": [order],
            "default-sort-order-id": order.order_id,
            "properties": {"read.split.target-size": str(_SPLIT)},
            "snapshots": [snapshot],
            "current-snapshot-id": _ONLY,
            "last-sequence-number": _ONLY,
            "refs": {"main": {"snapshot-id": _ONLY, "type": "branch"}},
        }
    )
