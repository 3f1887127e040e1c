"""DuckDB in process: the embedded build engine. What is kept lies as Parquet in the run's work folder, and what does not fit in
memory spills there; all of it goes when the run ends."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import parquet

from medflow.errors import CatalogError
from medflow.lakehouse.arrow_schema import arrow_schema
from medflow.lakehouse.storage import Storage, is_remote
from medflow.specs.table import Column, TableSpec
from medflow.sql.compile import compile_sql
from spark_jobs.engines.base import Digest, Item, Result, WriteTarget
from spark_jobs.engines.table_files import ROWS_AT_ONCE, NewFiles, write_table_files
from spark_jobs.engines.turns import Turns
from spark_jobs.intake import FileToFrame, Framing, framed_batches

_AT_A_TIME = 2
_PARTITION_SQL = {
    "identity": "{column}",
    "day": "CAST({column} AS DATE)",
    "month": "date_trunc('month', {column})",
    "year": "date_trunc('year', {column})",
}


class DuckDBEngine:
    """Runs the plan in one DuckDB connection."""

    name = "duckdb"

    def __init__(self, workspace: Path, *, memory: str, threads: int, storage: Storage | None = None) -> None:
        workspace.mkdir(parents=True, exist_ok=True)
        self.workspace, self._storage = workspace, storage or Storage()
        self._database = duckdb.connect(":memory:")
        self._database.execute(f"SET memory_limit = '{memory}'")
        self._database.execute(f"SET temp_directory = {_quoted(str(workspace / 'spill'))}")
        self._database.execute("SET preserve_insertion_order = false")
        self._database.execute("SET parquet_metadata_cache = true")
        if threads:
            self._database.execute(f"SET threads = {threads}")
        self._cursors = threading.local()
        self._pool = ThreadPoolExecutor(max_workers=_AT_A_TIME)
        self._turns = Turns()
        self._opening, self._reaches_s3 = threading.Lock(), False
        self._kinds: dict[str, str] = {}
        self._kept: dict[str, Path] = {}
        self._listed: dict[str, tuple[TableSpec, list[str]]] = {}

    def frame(self, relation: str, schema: pa.Schema, files: Sequence[FileToFrame]) -> list[Framing]:
        found = [Framing(file.sha256) for file in files]
        batches = chain.from_iterable(framed_batches(file, one) for file, one in zip(files, found, strict=True))
        self._keep_batches(relation, schema, batches)
        for one in found:
            one.raise_broken()
        return found

    def rows(self, relation: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        if isinstance(rows, pa.RecordBatchReader):
            return self._keep_batches(relation, rows.schema, rows)
        name = f"incoming_{relation}"
        self._cursor.register(name, rows)
        self._create("TABLE", relation, f"SELECT * FROM {name}")
        self._cursor.unregister(name)
        return None

    def files(self, relation: str, paths: Sequence[str], spec: TableSpec) -> None:
        if self._listed.get(relation) == (spec, list(paths)):
            return
        if any(map(is_remote, paths)):
            self._reach_s3()
        typed = ", ".join(f"{c.name}: NULL::{_duckdb_type(c.type)}" for c in spec.columns)
        # An empty arm with every declared column: no path is no row, and a column that all files lack is null.
        select = f"SELECT * FROM (SELECT UNNEST({{{typed}}}) LIMIT 0)"
        if paths:
            listed = ", ".join(_quoted(path) for path in paths)
            select += f" UNION ALL BY NAME SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        self._create("VIEW", relation, select)
        self._listed[relation] = spec, list(paths)

    def define(self, relation: str, sql: str, *, keep: bool = True) -> None:
        self.define_native(relation, compile_sql(sql, "duckdb"), keep=keep)

    def derive(self, relation: str, sql: str, work: Callable[[pa.RecordBatch], pa.RecordBatch], schema: pa.Schema) -> None:
        def derived() -> Path:
            batches = self._cursor.sql(compile_sql(sql, "duckdb")).to_arrow_reader(ROWS_AT_ONCE)
            return self._filed(relation, schema, map(work, batches))

        self._keep(relation, self._statement(derived))

    def drop(self, *relations: str) -> None:
        for relation in relations:
            if kind := self._kinds.pop(relation, None):
                self._run(f"DROP {kind} {relation}")
            self._listed.pop(relation, None)
            if path := self._kept.pop(relation, None):
                path.unlink()

    def fetch(self, sql: str) -> list[dict[str, Any]]:
        return self.fetch_native(compile_sql(sql, "duckdb"))

    def fetch_native(self, sql: str) -> list[dict[str, Any]]:
        """The rows of DuckDB SQL as it stands: what verification is written in."""
        result = self._run(sql)
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def define_native(self, relation: str, sql: str, *, keep: bool = True) -> None:
        """Name the result of DuckDB SQL as it stands."""
        if not keep:
            return self._create("VIEW", relation, sql)
        path = self._work_file(relation)
        self._run(f"COPY ({sql}) TO {_quoted(str(path))} (FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE {ROWS_AT_ONCE})")
        return self._keep(relation, path)

    def digest(self, sql: str, columns: Sequence[Column]) -> Digest:
        row = ", ".join(_hashed(column) for column in columns)
        select = f"SELECT count(*) AS n, coalesce(sum(hash({row})::HUGEINT), 0) AS total FROM ({compile_sql(sql, 'duckdb')})"
        found = self.fetch_native(select)[0]
        return Digest(found["n"], int(found["total"]))

    def write(self, sql: str, target: WriteTarget) -> list[str]:
        spec = target.spec
        columns = [_written(column) for column in spec.columns]
        keys = [f"{_PARTITION_SQL[field.transform].format(column=field.column)} AS p{n}" for n, field in enumerate(spec.partition)]
        ordered = f" ORDER BY {', '.join([*(f'p{n}' for n in range(len(keys))), *spec.sort])}" if spec.sort else ""
        source = f"SELECT {', '.join([*columns, *keys])} FROM ({compile_sql(sql, 'duckdb')}){ordered}"
        fields = arrow_schema(target.metadata.schema(), spec.column_names)
        tries: list[NewFiles] = []

        def written() -> list[str]:
            if tries:
                tries.pop().remove()  # of a try that ran out of memory
            tries.append(NewFiles.below(target.location, self._storage))
            batches = self._cursor.sql(source).to_arrow_reader(ROWS_AT_ONCE)
            return write_table_files(batches, fields, tries[0])

        return self._statement(written)

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
        connection: duckdb.DuckDBPyConnection = self._cursors.connection
        return connection

    def _reach_s3(self) -> None:
        with self._opening:
            if not self._reaches_s3:
                from medflow.lakehouse.duckdb_files import open_s3

                open_s3(self._database, self._storage)
                self._reaches_s3 = True

    def _keep_batches(self, relation: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        self._keep(relation, self._filed(relation, schema, batches))

    def _filed(self, relation: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Path:
        path = self._work_file(relation)
        with parquet.ParquetWriter(path, schema, compression="lz4", write_statistics=False) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return path

    def _work_file(self, relation: str) -> Path:
        return self.workspace / f"{relation}-{uuid.uuid4().hex[:8]}.parquet"

    def _keep(self, relation: str, path: Path) -> None:
        self._create("VIEW", relation, f"SELECT * FROM read_parquet({_quoted(str(path))})")
        self._kept[relation] = path

    def _create(self, kind: str, relation: str, sql: str) -> None:
        self.drop(relation)
        self._run(f"CREATE {kind} {relation} AS {sql}")
        self._kinds[relation] = kind

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        return self._statement(lambda: self._cursor.execute(sql))

    def _statement(self, ask: Callable[[], Result]) -> Result:
        """Run one statement, rows and all; where it does not fit beside others, again when they have ended, at last on one thread."""
        for turn in (self._turns.together, self._turns.alone):
            try:
                with turn():
                    return ask()
            except _FAILURES as error:
                if not _is_memory(error):
                    raise CatalogError(_told(error, self._storage)) from error
            except duckdb.Error as error:
                self._raise_s3(error)
                raise
        try:
            with self._turns.alone(), self._one_thread():
                return ask()
        except _FAILURES as error:
            raise CatalogError(_told(error, self._storage)) from error

    def _raise_s3(self, error: duckdb.Error) -> None:
        """Our reader of files on S3 fails in DuckDB's plainest error. Raises CatalogError where it is one."""
        from medflow.lakehouse.duckdb_files import s3_problem

        if problem := s3_problem(error, self._storage):
            raise CatalogError(problem) from error

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        """Each thread has buffers of its own: one needs the least memory."""
        threads = self._cursor.execute("SELECT current_setting('threads')").fetchone()
        self._cursor.execute("SET threads = 1")
        try:
            yield
        finally:
            self._cursor.execute(f"SET threads = {threads[0] if threads else 1}")


_FAILURES = (duckdb.IOException, duckdb.OutOfMemoryException, OSError, pa.ArrowException)


def _is_memory(error: Exception) -> bool:
    """Whether the memory limit was reached; a result that is streamed tells it in an error of Arrow's."""
    return isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error)


def _told(error: Exception, storage: Storage) -> str:
    from medflow.lakehouse.duckdb_files import s3_problem

    text = str(error)
    if problem := s3_problem(error, storage):
        return problem
    if "No space left" in text or "max_temp_directory_size" in text:
        return "the disk is full: free space below MEDFLOW_HOME and MEDFLOW_WAREHOUSE, then run again; nothing was published"
    if _is_memory(error):
        return "the build needs more memory than MEDFLOW_MEMORY allows; raise it (now too small) and run again; nothing was published"
    return f"a data file cannot be read or written: {text.splitlines()[0][:300]}; check MEDFLOW_WAREHOUSE and its permissions"


def _written(column: Column) -> str:
    """A map may still be the struct that it is made of: the writer of files makes it a map."""
    return column.name if column.type.startswith("map<") else f"CAST({column.name} AS {_duckdb_type(column.type)}) AS {column.name}"


def _hashed(column: Column) -> str:
    """Entries of a map have no order."""
    return f"list_sort(map_entries({column.name}))" if column.type.startswith("map<") else column.name


def _duckdb_type(kind: str) -> str:
    from sqlglot import exp

    return exp.DataType.build(kind, dialect="spark").sql("duckdb")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
