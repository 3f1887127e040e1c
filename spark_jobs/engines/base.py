"""What a build engine is: it holds named relations, runs Spark SQL over them, and writes one as Parquet files of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pyarrow as pa
from pyiceberg.table.metadata import TableMetadata

from medflow.specs.table import Column, TableSpec
from spark_jobs.intake import FileToFrame, Framing

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class WriteTarget:
    """Where a result goes: a declared table, the folder of its files as engines open it, and its Iceberg metadata
    (field ids, partition, sort order, properties)."""

    spec: TableSpec
    location: str
    metadata: TableMetadata


@dataclass(frozen=True)
class Digest:
    """A multiset of rows as two numbers: how many, and the sum of a hash of each. Digests of parts add up.

    Each engine hashes in its own way: only digests of one engine compare.
    """

    rows: int
    total: int

    def __add__(self, other: Digest) -> Digest:
        return Digest(self.rows + other.rows, self.total + other.total)


class BuildEngine(Protocol):
    """One run's engine; close it when the run ends. Values of rows never stand in its errors."""

    name: str

    def frame(self, relation: str, schema: pa.Schema, files: Sequence[FileToFrame]) -> list[Framing]:
        """Take the records of files as a relation (those of refused files too); what was found in each, in their order.

        Raises:
            LandingError: a file cannot be read, or changed while it was read.
        """

    def rows(self, relation: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        """Take a small Arrow table as a relation, or batches that come one after the other."""

    def files(self, relation: str, paths: Sequence[str], spec: TableSpec) -> None:
        """Take Parquet files of a table as a relation; no path, no row. Columns that older files lack are null."""

    def define(self, relation: str, sql: str, *, keep: bool = True) -> None:
        """Name the result of a Spark SQL SELECT: kept (computed once) or as a view."""

    def derive(self, relation: str, sql: str, work: Callable[[pa.RecordBatch], pa.RecordBatch], schema: pa.Schema) -> None:
        """Name what a function makes of each batch of a result. `work` may run in another process: what it needs is pickled."""

    def drop(self, *relations: str) -> None:
        """Forget relations and free their space."""

    def fetch(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a small result."""

    def digest(self, sql: str, columns: Sequence[Column]) -> Digest:
        """The digest of a result over these columns of it."""

    def write(self, sql: str, target: WriteTarget) -> list[str]:
        """Write a result as Parquet files below the target's folder, in its columns and types, one set a partition; the new paths."""

    def side_by_side(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Independent work on several items, as many at a time as pays; results in the items' order."""

    def start(self, work: Callable[[], Result]) -> Future[Result]:
        """Work that goes on beside the next steps; ask its result before the run ends."""

    def close(self) -> None:
        """Free everything."""
