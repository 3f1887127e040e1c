"""Spark's private copy of what a policy may read of a release: HOME/readers/<release>/<policy hash>.spark/<schema>.<table>/*.parquet.

As in a reader file there is nothing in it but the granted columns. Whoever reads it needs neither the catalog nor a key of the warehouse.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from medflow.errors import CatalogError
from medflow.lakehouse.releases import Release, ReleasedTable
from medflow.lakehouse.schema import iceberg_type
from medflow.lakehouse.storage import Storage
from rag_backend.engines.base import EngineUnavailable, ReadPolicy

_DESCRIPTION = "granted.json"


def private_tables(release: Release, policy: ReadPolicy, readers: Path, storage: Storage) -> Path:
    """The folder of the copy, made first if there is none.

    Raises:
        EngineUnavailable: it cannot be made, or was made for other grants.
    """
    if not re.fullmatch(r"[0-9a-f]{8,64}", policy.hash):
        raise EngineUnavailable("a policy's hash must be 8 to 64 hexadecimal digits")
    folder = readers / str(release.number) / f"{policy.hash}.spark"
    described = {
        "made": release.created_at.isoformat(),
        "grants": {name: sorted(columns) for name, columns in sorted(policy.tables.items())},
    }
    found = _description(folder)
    if found is not None and found["made"] == described["made"]:
        if found != described:
            raise EngineUnavailable(f"{folder} was made for other grants than the policy of this name gives; remove it")
        return folder
    _make(folder, described, _granted(release, policy), storage)
    return folder


def _description(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _granted(release: Release, policy: ReadPolicy) -> dict[str, tuple[ReleasedTable, list[str]]]:
    found = {}
    for name, granted in policy.tables.items():
        if name in release.tables:
            columns = [column.name for column in release.tables[name].columns if column.name in granted]
            found[name] = release.tables[name], columns
    return {name: (table, columns) for name, (table, columns) in found.items() if columns}


def _make(folder: Path, described: Mapping[str, Any], tables: Mapping[str, tuple[ReleasedTable, list[str]]], storage: Storage) -> None:
    """Copy below another name and put the whole in place; where another was first, its copy stands."""
    made = folder.with_name(f".{folder.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    made.mkdir(mode=0o700, parents=True)
    try:
        for name, (table, columns) in tables.items():
            _copy(made / name, table, columns, storage)
        (made / _DESCRIPTION).write_text(json.dumps(described), encoding="utf-8")
        old = _description(folder)
        if old is not None and old["made"] != described["made"]:  # another lake's release of this number
            shutil.rmtree(folder)
        with suppress(OSError):
            made.rename(folder)
    except (OSError, pa.ArrowException, CatalogError) as error:
        raise EngineUnavailable(
            f"the release cannot be copied for Spark ({type(error).__name__}); check MEDFLOW_WAREHOUSE and the disk below MEDFLOW_HOME"
        ) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _copy(folder: Path, table: ReleasedTable, columns: list[str], storage: Storage) -> None:
    """One file for each data file; a column that one lacks is null. A table without rows is one empty file."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

    kinds = {column.name: column.type for column in table.columns}
    fields = [NestedField(place, name, iceberg_type(kinds[name]), required=False) for place, name in enumerate(columns, 1)]
    schema = schema_to_pyarrow(Schema(*fields), include_field_ids=False)
    folder.mkdir()
    if not table.files:
        parquet.write_table(schema.empty_table(), folder / "0.parquet")
    for place, address in enumerate(table.files):
        files, path = storage.filesystem(address)
        with files.open_input_file(path) as opened:
            there = parquet.ParquetFile(opened)
            held = [name for name in columns if name in there.schema_arrow.names]
            rows = there.read(columns=held)
        parquet.write_table(_shaped(rows, schema), folder / f"{place}.parquet")


def _shaped(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    arrays = [rows.column(f.name).cast(f.type) if f.name in rows.column_names else pa.nulls(rows.num_rows, f.type) for f in schema]
    return pa.table(arrays, schema=schema)
