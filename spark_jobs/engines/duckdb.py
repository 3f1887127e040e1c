"""DuckDB in process: the embedded build engine. Relations live in memory up to the limit and spill to the run's work folder;
all of it goes when the run ends."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from medflow.errors import CatalogError
from medflow.lakehouse.schema import field_ids_clause
from medflow.specs.table import Column, TableSpec
from medflow.sql.compile import compile_sql
from spark_jobs.engines.base import Digest, Item, Result, WriteTarget
from spark_jobs.intake import FileToFrame, Framing, framed_batches

_AT_A_TIME = 2
_HELD_BYTES = 256 << 20
_PARTITION_SQL = {
    "identity": "{column}",
    "day": "CAST({column} AS DATE)",
    "month": "date_trunc('month', {column})",
    "year": "date_trunc('year', {column})",
}


class DuckDBEngine:
    """Runs the plan in one DuckDB connection."""

    name = "duckdb"

    def __init__(self, workspace: Path, *, memory: str, threads: int) -> None:
        workspace.mkdir(parents=True, exist_ok=True)
        self.workspace = workspace
        self._database = duckdb.connect(":memory:")
        self._database.execute(f"SET memory_limit = '{memory}'")
        self._database.execute(f"SET temp_directory = {_quoted(str(workspace / 'spill'))}")
        self._database.execute("SET preserve_insertion_order = false")
        self._database.execute("SET checkpoint_threshold = '1TB'")
        if threads:
            self._database.execute(f"SET threads = {threads}")
        self._cursors = threading.local()
        self._naming = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=_AT_A_TIME)
        self._held: dict[str, pa.Table] = {}
        self._kinds: dict[str, str] = {}

    def frame(self, relation: str, schema: pa.Schema, files: Sequence[FileToFrame]) -> list[Framing]:
        found = [Framing(file.sha256) for file in files]
        batches = chain.from_iterable(framed_batches(file, one) for file, one in zip(files, found, strict=True))
        self._records(relation, schema, batches)
        for one in found:
            one.raise_broken()
        return found

    def rows(self, relation: str, table: pa.Table) -> None:
        self._copied(relation, table)

    def files(self, relation: str, paths: Sequence[str], spec: TableSpec) -> None:
        typed = ", ".join(f"{c.name}: NULL::{_duckdb_type(c.type)}" for c in spec.columns)
        # An empty arm with every declared column: no path is no row, and a column that all files lack is null.
        select = f"SELECT * FROM (SELECT UNNEST({{{typed}}}) LIMIT 0)"
        if paths:
            listed = ", ".join(_quoted(path) for path in paths)
            select += f" UNION ALL BY NAME SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        self._create("VIEW", relation, select)

    def define(self, relation: str, sql: str, *, keep: bool = True) -> None:
        self.define_native(relation, compile_sql(sql, "duckdb"), keep=keep)

    def derive(self, relation: str, sql: str, work: Callable[[pa.RecordBatch], pa.RecordBatch], schema: pa.Schema) -> None:
        reader = self._cursor.sql(compile_sql(sql, "duckdb")).to_arrow_table()
        self._copied(relation, pa.Table.from_batches([work(batch) for batch in reader.to_batches()], schema))

    def drop(self, *relations: str) -> None:
        for relation in relations:
            if kind := self._kinds.pop(relation, None):
                self._run(f"DROP {kind} {relation}")

    def fetch(self, sql: str) -> list[dict[str, Any]]:
        return self.fetch_native(compile_sql(sql, "duckdb"))

    def fetch_native(self, sql: str) -> list[dict[str, Any]]:
        """The rows of DuckDB SQL as it stands: what verification is written in."""
        result = self._run(sql)
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def define_native(self, relation: str, sql: str, *, keep: bool = True) -> None:
        """Name the result of DuckDB SQL as it stands."""
        self._create("TABLE" if keep else "VIEW", relation, sql)

    def digest(self, sql: str, columns: Sequence[Column]) -> Digest:
        row = ", ".join(_hashed(column) for column in columns)
        select = f"SELECT count(*) AS n, coalesce(sum(hash({row})::HUGEINT), 0) AS total FROM ({compile_sql(sql, 'duckdb')})"
        found = self.fetch_native(select)[0]
        return Digest(found["n"], int(found["total"]))

    def write(self, sql: str, target: WriteTarget) -> list[str]:
        spec = target.spec
        columns = ", ".join(f"CAST({c.name} AS {_duckdb_type(c.type)}) AS {c.name}" for c in spec.columns)
        parts = [_PARTITION_SQL[field.transform].format(column=field.column) for field in spec.partition]
        keys = ", ".join(f"{part} AS p{number}" for number, part in enumerate(parts))
        ordered = f" ORDER BY {', '.join([*(f'p{n}' for n in range(len(parts))), *spec.sort])}" if spec.sort else ""
        partition = f", PARTITION_BY ({', '.join(f'p{n}' for n in range(len(parts)))})" if parts else ""
        folder = f"{target.location.rstrip('/')}/{uuid.uuid4().hex}"
        Path(folder).mkdir(parents=True)
        place = folder if parts else f"{folder}/rows.parquet"
        field_ids = field_ids_clause(target.metadata.schema())
        source = f"SELECT {columns}{', ' + keys if keys else ''} FROM ({compile_sql(sql, 'duckdb')}){ordered}"
        result = self._run(
            f"COPY ({source}) TO {_quoted(place)} (FORMAT parquet, COMPRESSION zstd, RETURN_FILES true, FIELD_IDS {field_ids}{partition})"
        )
        (count, paths) = result.fetchall()[0]
        return list(paths) if count else []

    def side_by_side(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        # DuckDB gives one thread to a table of up to 122,880 rows: a day's files leave cores idle one after the other.
        return list(self._pool.map(work, items))

    def start(self, work: Callable[[], Result]) -> Future[Result]:
        return self._pool.submit(work)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._database.close()

    @property
    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """This thread's connection to the run's database."""
        if not hasattr(self._cursors, "connection"):
            self._cursors.connection = self._database.cursor()
            self._cursors.connection.execute("SET TimeZone = 'UTC'")
            self._cursors.held = set()
        connection: duckdb.DuckDBPyConnection = self._cursors.connection
        for name in self._held.keys() - self._cursors.held:
            connection.register(name, self._held[name])
            self._cursors.held.add(name)
        return connection

    def _records(self, relation: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        held, size = [], 0
        for batch in batches:
            held.append(batch)
            size += batch.nbytes
            if size > _HELD_BYTES:
                return self._copied(relation, pa.RecordBatchReader.from_batches(schema, chain(held, batches)))
        # A day's files are read where they lie: copying them into tables costs more than all parsing.
        with self._naming:
            name = f"held_{len(self._held)}"
            self._held[name] = pa.Table.from_batches(held, schema)
        return self._create("VIEW", relation, f"SELECT * FROM {name}")

    def _copied(self, relation: str, rows: pa.RecordBatchReader | pa.Table) -> None:
        name = f"incoming_{relation}"
        self._cursor.register(name, rows)
        self._create("TABLE", relation, f"SELECT * FROM {name}")
        self._cursor.unregister(name)

    def _create(self, kind: str, relation: str, sql: str) -> None:
        if self._kinds.get(relation, kind) != kind:
            self.drop(relation)
        self._run(f"CREATE OR REPLACE {kind} {relation} AS {sql}")
        self._kinds[relation] = kind

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._cursor.execute(sql)
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise CatalogError(_told(error)) from error


def _told(error: Exception) -> str:
    text = str(error)
    if "No space left" in text or "max_temp_directory_size" in text:
        return "the disk is full: free space below MEDFLOW_HOME and MEDFLOW_WAREHOUSE, then run again; nothing was published"
    if isinstance(error, duckdb.OutOfMemoryException):
        return "the build needs more memory than MEDFLOW_MEMORY allows; raise it (now too small) and run again; nothing was published"
    return f"a data file cannot be read or written: {text.splitlines()[0][:300]}; check MEDFLOW_WAREHOUSE and its permissions"


def _hashed(column: Column) -> str:
    """Entries of a map have no order."""
    return f"list_sort(map_entries({column.name}))" if column.type.startswith("map<") else column.name


def _duckdb_type(kind: str) -> str:
    from sqlglot import exp

    return exp.DataType.build(kind, dialect="spark").sql("duckdb")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
