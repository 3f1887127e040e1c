"""What runs in Spark's Python workers. Plain functions over Arrow batches; nothing here knows of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from spark_jobs.intake import FileToFrame, Framing, framed_batches

FRAMED = "number BIGINT, told STRING"
Batches = Iterable[pa.RecordBatch]


def framing(files: Sequence[FileToFrame], folder: Path, schema: pa.Schema) -> Callable[[Batches], Batches]:
    """For mapInArrow over file numbers (`id`): each file's records go to `folder/<number>.parquet`; what was found comes back."""
    return partial(_frame_each, files, folder, schema)


def mapped(work: Callable[[pa.RecordBatch], pa.RecordBatch]) -> Callable[[Batches], Batches]:
    """For mapInArrow: a function of one batch."""
    return partial(_map_each, work)


def _map_each(work: Callable[[pa.RecordBatch], pa.RecordBatch], batches: Batches) -> Iterator[pa.RecordBatch]:
    return map(work, batches)


def _frame_each(files: Sequence[FileToFrame], folder: Path, schema: pa.Schema, batches: Batches) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        numbers = batch.column("id").to_pylist()
        told = [_frame_one(files[number], folder / f"{number}.parquet", schema).to_json() for number in numbers]
        yield pa.record_batch({"number": pa.array(numbers, pa.int64()), "told": pa.array(told, pa.string())})


def _frame_one(file: FileToFrame, path: Path, schema: pa.Schema) -> Framing:
    found = Framing(file.sha256)
    with parquet.ParquetWriter(path, schema, compression="snappy") as writer:
        for batch in framed_batches(file, found):
            writer.write_batch(batch)
    return found
