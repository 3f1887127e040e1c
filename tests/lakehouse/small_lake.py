"""A lake of three small tables in a temporary folder, with a writer's day of work in a few words."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import schema_to_pyarrow

from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.database import connect
from medflow.lakehouse.footers import data_location
from medflow.lakehouse.ledger import Ledger, new_batch
from medflow.lakehouse.ledger_entries import SeenFile
from medflow.lakehouse.lock import WriterLock
from medflow.lakehouse.releases import Release, read_release
from medflow.specs.table import Column, PartitionField, TableSpec
from spark_jobs.publish import Publication, publish
from spark_jobs.restore import restore
from spark_jobs.writer import BranchWriter

DAY = date(2026, 3, 14)
NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
COLUMNS = (Column(name="payer", type="string"), Column(name="day", type="date"), Column(name="marker", type="bigint"))


def table(name, *partition, columns=COLUMNS, sort=()):
    """A declared table of the columns payer, day and marker."""
    fields = tuple(PartitionField.parse(text) for text in partition)
    return TableSpec(name=name, about="", grain=("marker",), owner="test", columns=columns, partition=fields, sort=sort)


PLAIN, BY_PAYER, BY_MONTH = table("toy.plain"), table("toy.by_payer", "payer"), table("toy.by_month", "month(day)")
SPECS = (PLAIN, BY_PAYER, BY_MONTH)


def row(marker, payer="bluecross", day=DAY):
    return {"payer": payer, "day": day, "marker": marker}


def sha(number):
    return f"{number:064x}"


@dataclass
class SmallLake:
    """Everything a run has in its hands; `lock` is held."""

    home: Path
    lake: Lake
    ledger: Ledger
    lock: WriterLock

    @classmethod
    def at(cls, home, holder="test"):
        engine = connect(f"sqlite:///{home / 'lake.db'}")
        lock = WriterLock(engine, home / "write.lock", lambda: datetime.now(UTC)).acquire(holder)
        return cls(home, Lake(engine, (home / "warehouse").as_uri()), Ledger(engine), lock)

    def begin(self, batch_id, *numbers, specs=SPECS):
        """A batch in the ledger with its files, and its opened writer."""
        self.ledger.see([SeenFile("bluecross", sha(number), f"bluecross/{number}.csv", 10) for number in numbers], DAY)
        self.ledger.start_batch(new_batch(batch_id, "load", DAY, "declared"))
        writer = BranchWriter(self.lake, batch_id, self.lock.check)
        writer.open(specs)
        return writer

    def write(self, writer, name, rows):
        """One Parquet file with the table's field ids; its path."""
        folder = Path(data_location(writer._table(name)))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{uuid.uuid4().hex}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=schema_to_pyarrow(writer._table(name).schema())), path)
        return str(path)

    def publication(self, writer, batch_id, *numbers, specs=SPECS):
        heads = {spec.name: writer.head(spec.name, "branch") for spec in specs}
        files = [("bluecross", sha(number)) for number in numbers]
        return Publication(batch_id, "load", heads, DAY, NOW, "declared", {"gold": "f1"}, files, {"rows": 3})

    def publish(self, publication):
        return publish(self.lake, self.ledger, self.lock, publication)

    def load(self, number, rows=None, specs=SPECS):
        """Batch `b<number>` with one file and one row a table, published; the release's number."""
        writer = self.begin(f"b{number}", number, specs=specs)
        for spec in specs:
            writer.append(spec.name, [self.write(writer, spec.name, rows or [row(number)])])
        return self.publish(self.publication(writer, f"b{number}", number, specs=specs))

    def restore(self, number):
        return restore(self.lake, self.ledger, self.lock, number, run_date=DAY, created_at=NOW)

    def release(self, number=None) -> Release:
        return read_release(self.lake.engine, number)

    def states(self):
        return {entry.name.split("/")[1]: (entry.state, entry.release) for entry in self.ledger.files()}

    def by_iceberg(self, name, snapshot=None):
        """Markers that PyIceberg reads."""
        self.lake.forget()
        return sorted(self.lake.table(name).scan(snapshot_id=snapshot).to_arrow()["marker"].to_pylist())


def markers(files):
    """Markers that DuckDB reads from listed files."""
    if not files:
        return []
    query = "SELECT marker FROM read_parquet(?, union_by_name = true, hive_partitioning = false) ORDER BY 1"
    return [found for (found,) in duckdb.connect().execute(query, [list(files)]).fetchall()]
