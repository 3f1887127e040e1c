"""The Spark engine's seam, used once in a process of its own: `python tests/service_mode/spark_seam.py RESULT` or by spark-submit.

Writes what it saw as JSON: counts, whether what was written is read back equal, and wherever the S3 secret shows.
"""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.request
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from pyiceberg.table.metadata import new_table_metadata

from medflow.lakehouse.arrow_schema import arrow_schema
from medflow.lakehouse.schema import iceberg_schema, partition_spec, sort_order, table_properties
from medflow.lakehouse.storage import Storage
from medflow.settings import Settings, load_settings
from medflow.specs.knowledge_base import load_knowledge_base
from spark_jobs.engines.base import WriteTarget
from spark_jobs.engines.spark import SparkEngine
from spark_jobs.engines.spark_session import work_catalog_folder
from spark_jobs.intake import FileToFrame, intake_schema
from spark_jobs.layouts import dialect_of
from tests.support.claims import Version, bluecross

RECORDS, ROWS = 40, 500
Seen = dict[str, Any]


def main(result: Path) -> None:
    settings = load_settings()
    engine = SparkEngine.open(settings, settings.home / "work")
    try:
        seen = framed(engine, settings) | written(engine, settings) | derived(engine)
        seen |= {"master": engine._spark.sparkContext.master, "work": engine._work, "shows_secret": shows(engine, settings)}
    finally:
        engine.close()
    result.write_text(json.dumps(seen), encoding="utf-8")


def framed(engine: SparkEngine, settings: Settings) -> Seen:
    """A file of the landing bucket, and one that is not there."""
    dialect = dialect_of(load_knowledge_base(settings.knowledge_base).layouts["bluecross"])
    content, storage = bluecross([Version(f"C{n}") for n in range(RECORDS)]), Storage.of(settings)
    address = f"{settings.landing}/bluecross/1.csv"
    files, place = storage.filesystem(address)
    with files.open_output_stream(place) as stream:
        stream.write(content)
    file = FileToFrame(address, "bluecross/1.csv", hashlib.sha256(content).hexdigest(), date(2026, 7, 1), dialect, storage)
    [found] = engine.frame("raw", intake_schema(dialect), [file])
    numbers = engine.fetch("SELECT COUNT(*) AS n, COUNT(DISTINCT _record_number) AS d FROM raw WHERE file_id IS NOT NULL")[0]
    return {"framed": found.records, "raw": numbers["n"], "record_numbers": numbers["d"]}


def written(engine: SparkEngine, settings: Settings) -> Seen:
    """Rows of a partitioned table with a map, out and in; then beside an older file that lacks columns."""
    spec = load_knowledge_base(settings.knowledge_base).spec("healthcare.claims_raw")
    schema = iceberg_schema(spec)
    location = f"{settings.warehouse}/seam"
    shape = (partition_spec(spec, schema), sort_order(spec, schema), location, table_properties(spec, schema))
    values = {"fields": "MAP('a', CAST(id AS STRING))", "record_number": "id", "payer_id": "IF(id % 2 = 0, 'p', 'q')"}
    values |= {"ingested_at": "TIMESTAMP '2026-07-01 01:02:03'"}
    columns = ", ".join(f"CAST({values.get(column.name, 'NULL')} AS {column.type}) AS {column.name}" for column in spec.columns)
    engine.define("made", f"SELECT {columns} FROM (SELECT EXPLODE(SEQUENCE(1, {ROWS})) AS id)")
    paths = engine.write("SELECT * FROM made", WriteTarget(spec, f"{location}/data", new_table_metadata(schema, *shape)))
    engine.files("again", paths, spec)
    older = f"{location}/data/older.parquet"
    few = arrow_schema(schema, ["record_number", "payer_id"])
    files, place = Storage.of(settings).filesystem(older)
    with files.open_output_stream(place) as stream:
        parquet.write_table(pa.table([pa.array([-1]), pa.array(["r"])], schema=few), stream)
    engine.files("with_older", [older, *paths], spec)
    engine.files("nothing", [], spec)
    sums = "SELECT COUNT(*) AS n, SUM(record_number) AS total, COUNT(fields['a']) AS maps FROM"
    return {
        "paths": paths,
        "equal": engine.digest("SELECT * FROM made", spec.columns) == engine.digest("SELECT * FROM again", spec.columns),
        "again": engine.fetch(f"{sums} again")[0],
        "with_older": engine.fetch(f"{sums} with_older")[0],
        "nothing": engine.fetch(f"{sums} nothing")[0],
    }


def derived(engine: SparkEngine) -> Seen:
    """A function of our own modules in a Python worker, over rows given and rows read."""

    def one_more(batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.record_batch({"n": pc.add(batch.column("record_number"), 1)})

    engine.rows("given", pa.table({"record_number": pa.array([10, 20])}))
    both = "SELECT record_number FROM again UNION ALL SELECT record_number FROM given"
    engine.derive("more", both, one_more, pa.schema({"n": pa.int64()}))
    return {"derived": engine.fetch("SELECT SUM(n) AS total FROM more")[0]["total"]}


def shows(engine: SparkEngine, settings: Settings) -> list[str]:
    """The places of the driver where the secret key can be read."""
    spark, secret = engine._spark, settings.s3_secret_key
    places = {
        "SET": str(spark.sql("SET").collect()),
        "SET -v": str(spark.sql("SET -v").collect()),
        "SET of the key": str(spark.sql("SET `spark.sql.catalog.work.s3.secret-access-key`").collect()),
        "configuration": str(spark.sparkContext.getConf().getAll()),
        "plans": spark.sql("EXPLAIN EXTENDED SELECT * FROM again").collect()[0][0],
        **_pages(spark.sparkContext.uiWebUrl, spark.sparkContext.applicationId),
        **{f"scratch {path.name}": path.read_bytes().decode("latin-1") for path in _files(work_catalog_folder(spark))},
    }
    assert len(places) > 5
    return [place for place, text in places.items() if secret in text]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _pages(address: str | None, application: str) -> dict[str, str]:
    """What Spark's own pages say; without pages, nothing."""
    if address is None:
        return {}
    places = (
        "environment/",
        "SQL/",
        f"api/v1/applications/{application}/environment",
        f"api/v1/applications/{application}/sql?details=true",
    )
    return {place: urllib.request.urlopen(f"{address}/{place}").read().decode() for place in places}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
