"""Arrow batches in, Parquet files of a table out: one file a partition, with the table's field ids.

By Arrow's writer: DuckDB's takes twice as long where a table has partitions, and three times where it has a map.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from pyarrow.fs import FileSystem

from medflow.lakehouse.storage import Storage, each, is_remote

ROWS_AT_ONCE = 1 << 16  # one batch is one row group of each of its partitions
_ENTRIES_AT_ONCE = 1 << 19


@dataclass(frozen=True)
class NewFiles:
    """A fresh folder below a table's, for files of one write; `address` as engines spell it, `path` as `files` does."""

    address: str
    files: FileSystem
    path: str

    @classmethod
    def below(cls, location: str, storage: Storage) -> NewFiles:
        """A folder that nobody has yet. Raises OSError: it cannot be made."""
        address = f"{location.rstrip('/')}/{uuid.uuid4().hex}"
        files, path = storage.filesystem(address)
        if not is_remote(address):  # a bucket has no folders
            files.create_dir(path, recursive=True)
        return cls(address, files, path)

    def remove(self) -> None:
        """The folder and what was written there, of a write that was broken off."""
        with suppress(OSError):
            self.files.delete_dir(self.path)


def write_table_files(batches: Iterable[pa.RecordBatch], fields: pa.Schema, new: NewFiles) -> list[str]:
    """Write batches of these fields, in order, followed by the values of the table's partition; returns the new addresses.

    Raises:
        OSError: a file cannot be written.
    """
    writers: dict[tuple[Any, ...], parquet.ParquetWriter] = {}
    paths: list[str] = []
    with ExitStack() as stack:
        for batch in batches:
            for partition, rows in _partitions(batch.columns[len(fields) :], _fitted(batch.columns[: len(fields)], fields)):
                if partition not in writers:
                    name = f"{len(paths)}.parquet"
                    paths.append(f"{new.address}/{name}")
                    writers[partition] = stack.enter_context(_writer(f"{new.path}/{name}", fields, new.files))
                writers[partition].write_table(rows)
        each(new.address, parquet.ParquetWriter.close, list(writers.values()))
    return paths


def _writer(path: str, fields: pa.Schema, files: FileSystem) -> parquet.ParquetWriter:
    return parquet.ParquetWriter(path, fields, filesystem=files, compression="zstd", store_schema=False, store_decimal_as_integer=True)


def _fitted(columns: Sequence[pa.Array], fields: pa.Schema) -> pa.Table:
    arrays = [
        _map_of(column, field.type) if pa.types.is_struct(column.type) else column.cast(field.type)
        for column, field in zip(columns, fields, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=fields)


def _partitions(keys: Sequence[pa.Array], rows: pa.Table) -> Iterator[tuple[tuple[Any, ...], pa.Table]]:
    codes = np.zeros(rows.num_rows, np.int64)
    for key in keys:
        encoded = key.dictionary_encode(null_encoding="encode")
        codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy(zero_copy_only=False)
    found, firsts = np.unique(codes, return_index=True)
    for code, first in zip(found, firsts.tolist(), strict=True):
        partition = tuple(key[first].as_py() for key in keys)
        yield partition, rows if len(found) == 1 else rows.filter(pa.array(codes == code))


def _map_of(record: pa.StructArray, kind: pa.MapType) -> pa.ChunkedArray:
    """Each record's fields as a map of their names, a part of the records at a time."""
    at_once = max(1, _ENTRIES_AT_ONCE // record.type.num_fields)
    parts = [_map_part(record.slice(start, at_once), kind) for start in range(0, len(record), at_once)]
    return pa.chunked_array(parts, kind)


def _map_part(record: pa.StructArray, kind: pa.MapType) -> pa.MapArray:
    width, count = record.type.num_fields, len(record)
    in_order = np.arange(width * count, dtype=np.int32).reshape(width, count).T.ravel()
    values = pa.concat_arrays(record.flatten()).take(pa.array(in_order))
    keys = pa.array([field.name for field in record.type]).take(pa.array(np.tile(np.arange(width, dtype=np.int32), count)))
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * width)
    return pa.MapArray.from_arrays(offsets, keys, values, kind)
