"""What runs in Spark's Python workers. Plain functions over Arrow batches; nothing here knows of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from pyarrow import parquet

from medflow.lakehouse.storage import Storage
from spark_jobs.intake import FileToFrame, Framing, framed_batches

FRAMED = "number BIGINT, told STRING"
Batches = Iterable[pa.RecordBatch]


@dataclass(frozen=True)
class FramedFiles:
    """Files to frame, and where each one's records go: `folder/<number>.parquet`, in the columns of `schema`."""

    files: Sequence[FileToFrame]
    folder: str
    schema: pa.Schema
    storage: Storage

    def path(self, number: int) -> str:
        return f"{self.folder}/{number}.parquet"


def framing(order: FramedFiles) -> Callable[[Batches], Batches]:
    """For mapInArrow over file numbers (`id`): what was found in each file comes back, its records stay in their folder."""
    return partial(_frame_each, order)


def mapped(work: Callable[[pa.RecordBatch], pa.RecordBatch]) -> Callable[[Batches], Batches]:
    """For mapInArrow: a function of one batch."""
    return partial(_map_each, work)


def _map_each(work: Callable[[pa.RecordBatch], pa.RecordBatch], batches: Batches) -> Iterator[pa.RecordBatch]:
    return map(work, batches)


def _frame_each(order: FramedFiles, batches: Batches) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        numbers = batch.column("id").to_pylist()
        told = [_frame_one(order, number).to_json() for number in numbers]
        yield pa.record_batch({"number": pa.array(numbers, pa.int64()), "told": pa.array(told, pa.string())})


def _frame_one(order: FramedFiles, number: int) -> Framing:
    file = order.files[number]
    found = Framing(file.sha256)
    files, place = order.storage.filesystem(order.path(number))
    with files.open_output_stream(place) as stream, parquet.ParquetWriter(stream, order.schema, compression="snappy") as writer:
        for batch in framed_batches(file, found):
            writer.write_batch(batch.cast(order.schema))
    return found
