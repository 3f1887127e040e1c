"""Every Spark attack does what it says on a Spark as it comes, and every legitimate query is one that Spark can analyse.

One session for all; the tables are Iceberg tables with a snapshot that was taken back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rag_backend.validator import Approved, validate
from tests.validator.corpus import CANARY, Attack, attacks, proof, questions, tables
from tests.validator.small_database import arrow_tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytest.importorskip("pyspark")
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
os.environ["ATTACK_CANARY"] = CANARY  # what no query may read
_SECONDS = 3.0
_CHANGES = (
    "SHOW TABLES IN healthcare",
    "SHOW VIEWS IN healthcare",
    "SHOW TABLES",
    "SELECT current_database()",
    "SELECT SUM(paid_amount), COUNT(*) FROM work.healthcare.claims_clean",
    "SELECT COUNT(*) FROM work.healthcare.providers",
    "SET spark.sql.shuffle.partitions",
    "LIST FILES",
)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """This process's Spark, with the declared tables as Iceberg tables of its private catalog."""
    from spark_jobs.engines.spark_session import spark_session
    from tests.support.lake import Lake

    session = spark_session(Lake(tmp_path_factory.mktemp("spark") / "lake", engine="spark").settings)
    yield session
    session.catalog.setCurrentCatalog("spark_catalog")  # as other suites of this process found it


@pytest.fixture
def unguarded(spark: SparkSession) -> Iterator[SparkSession]:
    """Every declared table anew where an attack before has changed it."""
    spark.catalog.setCurrentCatalog("work")
    rows = arrow_tables(tables().values())
    for name, content in rows.items():
        if not spark.catalog.tableExists(f"work.{name}"):
            spark.sql(f"CREATE NAMESPACE IF NOT EXISTS work.{name.split('.')[0]}")
            spark.createDataFrame(content).writeTo(f"work.{name}").using("iceberg").create()
            if name.endswith("claims_clean"):
                _take_back(spark, name)
    yield spark
    spark.catalog.setCurrentCatalog("work")


def _take_back(spark: SparkSession, name: str) -> None:
    """A snapshot that holds a canary, and one after it that does not."""
    columns = ", ".join(f"'{CANARY}-GONE' AS {c.name}" if c.name == "claim_id" else c.name for c in tables()[name].columns)
    spark.sql(f"INSERT INTO work.{name} SELECT {columns} FROM work.{name} LIMIT 1")
    spark.sql(f"DELETE FROM work.{name} WHERE claim_id = '{CANARY}-GONE'")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file that nobody may read."""
    (tmp_path / "secret.csv").write_text(f"a,b\n{CANARY},1\n", encoding="utf-8")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("attack", attacks("spark"), ids=lambda attack: attack.id)
def test_the_attack_does_harm(attack: Attack, unguarded: SparkSession, folder: Path) -> None:
    """Rows, a canary, a key, a change or no end, as the corpus says."""
    assert harm_seen(attack, unguarded, folder)


def harm_seen(attack: Attack, spark: SparkSession, folder: Path) -> bool:
    sql = attack.aimed(folder, _snapshot(spark) if "{snapshot}" in attack.sql else "1")
    if attack.shown == "exhaust":
        return _does_not_end(sql, spark)
    if attack.shown == "change":
        before = _state(spark, folder)
        spark.sql(sql)
        changed = _state(spark, folder) != before
        _undo(spark)
        return changed
    rows = spark.sql(sql).collect()
    told = repr(rows)
    return bool(rows) and {"canary": CANARY in told, "key": "key-" in told, "rows": True}[attack.shown]


def _snapshot(spark: SparkSession) -> str:
    rows = spark.sql("SELECT snapshot_id FROM work.healthcare.claims_clean.snapshots ORDER BY committed_at LIMIT 1 OFFSET 1").collect()
    return str(rows[0][0])


def _state(spark: SparkSession, folder: Path) -> str:
    found = []
    for sql in _CHANGES:
        with suppress(Exception):  # a table that is gone is a change, too
            found.append(repr(spark.sql(sql).collect()))
    with suppress(Exception):
        found.append(repr(spark.sql("SELECT system.session.secret").collect()))
    return repr((found, sorted(path.name for path in folder.rglob("*"))))


def _undo(spark: SparkSession) -> None:
    spark.catalog.setCurrentCatalog("work")
    for name in (*tables(), "healthcare.mine"):
        spark.sql(f"DROP TABLE IF EXISTS work.{name} PURGE")
    spark.catalog.dropTempView("mine")
    spark.catalog.clearCache()


def _does_not_end(sql: str, spark: SparkSession) -> bool:
    """Cancelled after its time; the table is 3,000 rows long, of which a release has thousands of times more."""
    lines = "work.healthcare.claims_clean"
    spark.sql(f"INSERT INTO {lines} SELECT c.* FROM {lines} AS c CROSS JOIN range(50)")
    done, cancelled = threading.Event(), []

    def cancel() -> None:
        while not done.wait(_SECONDS):
            cancelled.append(True)
            spark.sparkContext.cancelAllJobs()

    clock = threading.Thread(target=cancel)
    clock.start()
    try:
        spark.sql(sql).collect()
    except Exception:  # Py4J's kinds of errors; a query that is refused at once has not used its time
        return bool(cancelled)
    finally:
        done.set()
        clock.join()
        _undo(spark)
    return bool(cancelled)


@pytest.mark.slow
@pytest.mark.parametrize("question", questions("spark"), ids=lambda question: question.about)
def test_spark_takes_what_was_proved(question, unguarded: SparkSession) -> None:
    """The SQL as written out is analysed by Spark, with the columns that were promised."""
    pins = {name: f"work.{name}" for name in tables()}
    approved = validate(question.sql, proof("spark", pins=pins))
    assert isinstance(approved, Approved), approved
    assert tuple(unguarded.sql(approved.sql).columns) == approved.output
