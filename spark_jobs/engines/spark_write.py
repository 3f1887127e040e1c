"""Data files of a table, written by Iceberg's Spark writer with the table's field ids, partition, sort and metrics.

It writes into a private table that shares schema and data folder with the real one and lives in a work folder of this process;
its one commit there only names the files. The lake's catalog is never open in the JVM, so that no commit of Spark can touch it.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

from pyiceberg.io import load_file_io
from pyiceberg.serializers import FromInputFile, ToOutputFile
from pyiceberg.table.metadata import TableMetadata
from pyspark.sql import DataFrame

from medflow.lakehouse.locations import openable
from spark_jobs.engines.base import WriteTarget
from spark_jobs.engines.spark_session import WORK_CATALOG, work_catalog_folder

_NAMESPACE = "writes"
_ROW_GROUP = 64 << 20  # bytes: a writer holds one for each file that it has open


def write_files(rows: DataFrame, target: WriteTarget) -> list[str]:
    """Write rows, which have the table's columns, as Parquet files below the target's folder; their paths."""
    name = f"t{uuid.uuid4().hex}"
    folder = work_catalog_folder(rows.sparkSession) / _NAMESPACE / name
    _make_private_table(folder, target, name)
    writer = rows.writeTo(f"{WORK_CATALOG}.{_NAMESPACE}.{name}").option("distribution-mode", _distribution(target))
    writer.option("fanout-enabled", str(not target.spec.sort).lower()).append()
    return _written(folder)


def _distribution(target: WriteTarget) -> str:
    """Rows of one period come from every task, so they are brought together; those of one payer mostly come together already."""
    by_payer = all(field.transform in ("identity", "day") and field.column != "service_year" for field in target.spec.partition)
    return "none" if by_payer else "hash"


def _make_private_table(folder: Path, target: WriteTarget, name: str) -> None:
    empty: dict[str, Any] = {"refs": {}, "snapshots": [], "snapshot_log": [], "metadata_log": [], "current_snapshot_id": None}
    written = {"write.data.path": f"{target.location.rstrip('/')}/{name}", "write.parquet.row-group-size-bytes": str(_ROW_GROUP)}
    properties = {**target.metadata.properties, **written}
    metadata: TableMetadata = target.metadata.model_copy(update={**empty, "location": str(folder), "properties": properties})
    io = load_file_io({}, str(folder))
    ToOutputFile.table_metadata(metadata, io.new_output(str(folder / "metadata" / "v1.metadata.json")))
    (folder / "metadata" / "version-hint.text").write_text("1", encoding="utf-8")


def _written(folder: Path) -> list[str]:
    version = (folder / "metadata" / "version-hint.text").read_text(encoding="utf-8").strip()
    io = load_file_io({}, str(folder))
    metadata = FromInputFile.table_metadata(io.new_input(str(folder / "metadata" / f"v{version}.metadata.json")))
    snapshot = metadata.current_snapshot()
    manifests = snapshot.manifests(io) if snapshot else []
    return [_plain(entry.data_file.file_path) for manifest in manifests for entry in manifest.fetch_manifest_entry(io)]


def _plain(address: str) -> str:
    """Hadoop writes local addresses with one slash or three."""
    return openable(re.sub(r"^file:/(?!/)", "file:///", address))
