"""What a build engine is: it holds named relations, runs Spark SQL over them, and writes one as Parquet files of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from medflow.specs.table import TableSpec

Item = TypeVar("Item")
Result = TypeVar("Result")


class BuildEngine(Protocol):
    """One run's engine; close it when the run ends."""

    name: str

    def records(self, relation: str, batches: pa.RecordBatchReader) -> None:
        """Take streamed record batches as a relation."""

    def rows(self, relation: str, table: pa.Table) -> None:
        """Take a small Arrow table as a relation."""

    def files(self, relation: str, paths: Sequence[str], spec: TableSpec) -> None:
        """Take Parquet files of a table as a relation; no path, no row. Columns that older files lack are null."""

    def define(self, relation: str, sql: str, *, keep: bool = True) -> None:
        """Name the result of a Spark SQL SELECT: kept (computed once) or as a view."""

    def drop(self, *relations: str) -> None:
        """Forget relations and free their space."""

    def fetch(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a small result."""

    def write(self, sql: str, spec: TableSpec, location: str, field_ids: str) -> list[str]:
        """Write a result as Parquet files below `location`, in the declared columns and types, one set a partition; the new paths."""

    def side_by_side(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Independent work on several items, as many at a time as pays; results in the items' order."""

    def start(self, work: Callable[[], Result]) -> Future[Result]:
        """Work that goes on beside the next steps; ask its result before the run ends."""

    def close(self) -> None:
        """Free everything."""
