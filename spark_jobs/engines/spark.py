"""Spark: the build engine of the production path. One application a process; relations are views, kept ones are cached.

Framing runs in Python workers, which leave each payer's records in the run's work folder. Data files of tables are read and written
by Iceberg through private tables (see spark_read, spark_write); commits to the lake are the branch writer's alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.schema import Schema
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.storagelevel import StorageLevel

from medflow.errors import CatalogError
from medflow.lakehouse.arrow_schema import arrow_schema
from medflow.lakehouse.locations import openable, warehouse_location
from medflow.lakehouse.schema import iceberg_schema, spark_type
from medflow.lakehouse.storage import Storage, is_remote
from medflow.settings import Settings
from medflow.specs.table import Column, TableSpec
from medflow.sql.compile import compile_sql
from spark_jobs.engines.base import Digest, Item, Result, WriteTarget
from spark_jobs.engines.spark_cluster import WorkerWatch
from spark_jobs.engines.spark_errors import FAILURES, told, while_it_lives
from spark_jobs.engines.spark_launch import is_local
from spark_jobs.engines.spark_read import read_files, schema_with_ids
from spark_jobs.engines.spark_session import spark_session
from spark_jobs.engines.spark_tables import PrivateTables
from spark_jobs.engines.spark_workers import FRAMED, FramedFiles, framing, mapped
from spark_jobs.engines.spark_write import write_files
from spark_jobs.intake import FileToFrame, Framing
from spark_jobs.orphans import WORK_FOLDER

_AT_A_TIME = 2
_KEPT = StorageLevel.DISK_ONLY  # what does not fit in memory is read back whole blocks at a time: 3 million claims took more than the heap


class SparkEngine:
    """Runs the plan in a Spark session, which outlives it. `work` is a folder that every executor reaches; what lies there goes."""

    name = "spark"

    def __init__(self, session: SparkSession, work: str, storage: Storage) -> None:
        self._spark, self._work, self._storage = session, work, storage
        self._tables = PrivateTables(session, f"run_{uuid.uuid4().hex[:12]}")
        self._watch = None if is_local(str(session.sparkContext.master)) else WorkerWatch(session)
        self._pool = ThreadPoolExecutor(max_workers=_AT_A_TIME)
        self._views: set[str] = set()

    @classmethod
    def open(cls, settings: Settings, folder: Path) -> SparkEngine:
        """An engine in this process's session. It works in the local folder, or in the warehouse where executors are elsewhere.

        Raises:
            CatalogError: Spark's process has ended. Others as `spark_session`.
        """
        with while_it_lives():
            session = spark_session(settings)
        if is_local(str(session.sparkContext.master)):
            folder.mkdir(parents=True, exist_ok=True)
            work = str(folder)
        else:
            work = f"{warehouse_location(settings.warehouse)}/{WORK_FOLDER}/{uuid.uuid4().hex}"
        return cls(session, work, Storage.of(settings))

    def frame(self, relation: str, schema: pa.Schema, files: Sequence[FileToFrame]) -> list[Framing]:
        declared = schema_with_ids(schema)
        order = FramedFiles(list(files), self._new_folder(relation), arrow_schema(declared, schema.names), self._storage)
        tasks = self._spark.range(0, len(files), 1, numPartitions=max(1, len(files)))
        rows = self._asked(lambda: tasks.mapInArrow(framing(order), FRAMED).collect())
        found = [Framing.from_json(row["told"]) for row in sorted(rows, key=lambda row: int(row["number"]))]
        for one in found:
            one.raise_broken()
        self._read(relation, [order.path(number) for number in range(len(files))], declared)
        return found

    def rows(self, relation: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        table = rows if isinstance(rows, pa.Table) else rows.read_all()
        self._view(relation, self._asked(lambda: self._spark.createDataFrame(table)))

    def files(self, relation: str, paths: Sequence[str], spec: TableSpec) -> None:
        self._read(relation, paths, iceberg_schema(spec))

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
        return self._asked(lambda: write_files(self._tables, self._sql(f"SELECT {columns} FROM ({sql})"), target))

    def side_by_side(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        return list(self._pool.map(work, items))

    def start(self, work: Callable[[], Result]) -> Future[Result]:
        return self._pool.submit(work)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        if self._watch:
            self._watch.close()
        with suppress(CatalogError):  # of a JVM that has ended nothing is left to drop
            self.drop(*self._views)
        self._tables.close()
        files, place = self._storage.filesystem(self._work)
        with suppress(OSError):  # maintenance sweeps what is left
            files.delete_dir(place)

    def _view(self, relation: str, made: DataFrame) -> None:
        self._asked(lambda: made.createOrReplaceTempView(relation))
        self._views.add(relation)

    def _read(self, relation: str, paths: Sequence[str], declared: Schema) -> None:
        if paths:
            made = self._asked(lambda: read_files(self._tables, self._storage, paths, declared))
        else:
            columns = ", ".join(f"{column.name} {spark_type(column.field_type)}" for column in declared.columns)
            made = self._spark.createDataFrame([], columns)
        self._view(relation, made)

    def _new_folder(self, relation: str) -> str:
        folder = f"{self._work}/{relation}-{uuid.uuid4().hex[:8]}"
        if not is_remote(folder):
            Path(openable(folder)).mkdir(parents=True)
        return folder

    def _computed_once(self, made: DataFrame) -> DataFrame:
        # A cached view would keep the whole plan behind it: plans over plans took minutes to analyse.
        return self._asked(lambda: made.localCheckpoint(eager=False, storageLevel=_KEPT))

    def _sql(self, sql: str) -> DataFrame:
        return self._spark.sql(compile_sql(sql, "spark"))

    def _asked(self, ask: Callable[[], Result]) -> Result:
        """What Spark answers; its own message may quote a row, so that only its kind is told."""
        try:
            return ask()
        except FAILURES as error:
            lost = self._watch.reason(error) if self._watch else None
            raise CatalogError(lost or told(error, self._storage)) from error


def _hashed(column: Column) -> str:
    """Spark hashes no map, since its entries have no order."""
    return f"ARRAY_SORT(MAP_ENTRIES({column.name}))" if column.type.startswith("map<") else column.name
