"""Spark: the build engine of the production path. One application a process; relations are views, kept ones are cached.

Framing runs in Python workers, which leave each payer's records in the run's work folder. Data files of tables are written by
Iceberg's own Spark writer into a private table (see spark_write); commits to the lake are the branch writer's alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.storagelevel import StorageLevel

from medflow.errors import CatalogError
from medflow.specs.table import Column, TableSpec
from medflow.sql.compile import compile_sql
from spark_jobs.engines.base import Digest, Item, Result, WriteTarget
from spark_jobs.engines.spark_workers import FRAMED, framing, mapped
from spark_jobs.engines.spark_write import write_files
from spark_jobs.intake import FileToFrame, Framing

_AT_A_TIME = 2
_KEPT = StorageLevel.DISK_ONLY  # what does not fit in memory is read back whole blocks at a time: 3 million claims took more than the heap
_GONE = (Py4JNetworkError, ConnectionError)
_ENDED = "Spark's process has ended, as it does when memory runs out; nothing was published: raise MEDFLOW_MEMORY and run again"


@contextmanager
def while_it_lives() -> Iterator[None]:
    """Tell the end of Spark's process in words, whatever was asked of it.

    Raises:
        CatalogError: it has ended.
    """
    try:
        yield
    except _GONE as error:
        raise CatalogError(_ENDED) from error


class SparkEngine:
    """Runs the plan in a Spark session, which outlives it."""

    name = "spark"

    def __init__(self, session: SparkSession, workspace: Path) -> None:
        workspace.mkdir(parents=True, exist_ok=True)
        self._spark, self._workspace = session, workspace
        self._pool = ThreadPoolExecutor(max_workers=_AT_A_TIME)
        self._views: set[str] = set()

    def frame(self, relation: str, schema: pa.Schema, files: Sequence[FileToFrame]) -> list[Framing]:
        folder = self._workspace / f"{relation}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        tasks = self._spark.range(0, len(files), 1, numPartitions=max(1, len(files)))
        rows = self._asked(lambda: tasks.mapInArrow(framing(list(files), folder, schema), FRAMED).collect())
        found = [Framing.from_json(row["told"]) for row in sorted(rows, key=lambda row: int(row["number"]))]
        for one in found:
            one.raise_broken()
        self._view(relation, self._spark.read.schema(from_arrow_schema(schema)).parquet(str(folder)))
        return found

    def rows(self, relation: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        table = rows if isinstance(rows, pa.Table) else rows.read_all()
        self._view(relation, self._asked(lambda: self._spark.createDataFrame(table)))

    def files(self, relation: str, paths: Sequence[str], spec: TableSpec) -> None:
        declared = ", ".join(f"{column.name} {column.type}" for column in spec.columns)
        read = self._spark.read.schema(declared).parquet(*paths) if paths else self._spark.createDataFrame([], declared)
        self._view(relation, read)

    def define(self, relation: str, sql: str, *, keep: bool = True) -> None:
        made = self._asked(lambda: self._sql(sql))
        self._view(relation, self._computed_once(made) if keep else made)

    def derive(self, relation: str, sql: str, work: Callable[[pa.RecordBatch], pa.RecordBatch], schema: pa.Schema) -> None:
        declared = from_arrow_schema(schema)
        self._view(relation, self._computed_once(self._asked(lambda: self._sql(sql).mapInArrow(mapped(work), declared))))

    def drop(self, *relations: str) -> None:
        for relation in relations:
            if relation in self._views:
                self._views.discard(relation)
                self._asked(partial(self._spark.catalog.dropTempView, relation))

    def fetch(self, sql: str) -> list[dict[str, Any]]:
        return self._asked(lambda: [row.asDict(recursive=True) for row in self._sql(sql).collect()])

    def digest(self, sql: str, columns: Sequence[Column]) -> Digest:
        row = ", ".join(f"{_hashed(column)}, ISNULL({column.name})" for column in columns)
        select = f"SELECT COUNT(*) AS n, COALESCE(SUM(CAST(XXHASH64({row}) AS DECIMAL(38, 0))), 0) AS total FROM ({sql})"
        found = self.fetch(select)[0]
        return Digest(found["n"], int(found["total"]))

    def write(self, sql: str, target: WriteTarget) -> list[str]:
        columns = ", ".join(f"CAST({c.name} AS {c.type}) AS {c.name}" for c in target.spec.columns)
        return self._asked(lambda: write_files(self._sql(f"SELECT {columns} FROM ({sql})"), target))

    def side_by_side(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        return list(self._pool.map(work, items))

    def start(self, work: Callable[[], Result]) -> Future[Result]:
        return self._pool.submit(work)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        with suppress(CatalogError):  # of a JVM that has ended nothing is left to drop
            self.drop(*self._views)

    def _view(self, relation: str, made: DataFrame) -> None:
        self._asked(lambda: made.createOrReplaceTempView(relation))
        self._views.add(relation)

    def _computed_once(self, made: DataFrame) -> DataFrame:
        # A cached view would keep the whole plan behind it: plans over plans took minutes to analyse.
        return self._asked(lambda: made.localCheckpoint(eager=False, storageLevel=_KEPT))

    def _sql(self, sql: str) -> DataFrame:
        return self._spark.sql(compile_sql(sql, "spark"))

    def _asked(self, ask: Callable[[], Result]) -> Result:
        """What Spark answers; its own message may quote a row, so that only its kind is told."""
        try:
            return ask()
        except (PySparkException, Py4JError, ConnectionError) as error:
            raise CatalogError(_told(error)) from error


def _hashed(column: Column) -> str:
    """Spark hashes no map, since its entries have no order."""
    return f"ARRAY_SORT(MAP_ENTRIES({column.name}))" if column.type.startswith("map<") else column.name


def _told(error: Exception) -> str:
    if isinstance(error, _GONE) or "does not exist in the JVM" in str(error):
        return _ENDED
    condition = (error.getCondition() if isinstance(error, PySparkException) else None) or type(error).__name__
    if isinstance(error, Py4JJavaError):
        condition = str(error.java_exception.getClass().getName())
    return (
        f"Spark stopped with {condition}; nothing was published. Its message may hold data and is not shown: "
        "`medflow --debug` shows it. If it ran out of memory or disk, raise MEDFLOW_MEMORY or free some space"
    )
