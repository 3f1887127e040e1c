"""Data files of a table, written by Iceberg's Spark writer with the table's field ids, partition, sort and metrics.

It writes into a private table that shares schema and data folder with the real one; its one commit there only names the files.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from pyspark.sql import DataFrame

from medflow.lakehouse.locations import openable
from spark_jobs.engines.base import WriteTarget
from spark_jobs.engines.spark_tables import PrivateTable, PrivateTables

_ROW_GROUP = 64 << 20  # bytes: a writer holds one for each file that it has open


def write_files(tables: PrivateTables, rows: DataFrame, target: WriteTarget) -> list[str]:
    """Write rows, which have the table's columns, as Parquet files below the target's folder; their paths."""
    name = f"t{uuid.uuid4().hex}"
    table = tables.table(name)
    _create(table, target, name)
    writer = rows.writeTo(table.name).option("distribution-mode", _distribution(target))
    writer.option("fanout-enabled", str(not target.spec.sort).lower()).append()
    return _written(table)


def _distribution(target: WriteTarget) -> str:
    """Rows of one period come from every task, so they are brought together; those of one payer mostly come together already."""
    by_payer = all(field.transform in ("identity", "day") and field.column != "service_year" for field in target.spec.partition)
    return "none" if by_payer else "hash"


def _create(table: PrivateTable, target: WriteTarget, name: str) -> None:
    empty: dict[str, Any] = {"refs": {}, "snapshots": [], "snapshot_log": [], "metadata_log": [], "current_snapshot_id": None}
    written = {"write.data.path": f"{target.location.rstrip('/')}/{name}", "write.parquet.row-group-size-bytes": str(_ROW_GROUP)}
    properties = {**target.metadata.properties, **written}
    table.create(target.metadata.model_copy(update={**empty, "properties": properties}))


def _written(table: PrivateTable) -> list[str]:
    snapshot = table.read().current_snapshot()
    manifests = snapshot.manifests(table.io) if snapshot else []
    return [_plain(entry.data_file.file_path) for manifest in manifests for entry in manifest.fetch_manifest_entry(table.io)]


def _plain(address: str) -> str:
    """Hadoop writes local addresses with one slash or three."""
    return openable(re.sub(r"^file:/(?!/)", "file:///", address))
