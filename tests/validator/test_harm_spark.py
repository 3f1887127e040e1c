"""Every Spark attack does what it says on a Spark as it comes, and every legitimate query is one that Spark can analyse.

One session for all but the attacks without an end, which get a process each, to be ended with it; the tables are
Iceberg tables with a snapshot that was taken back.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rag_backend.validator import Approved, validate
from tests.support.lake import ROOT, Lake
from tests.validator.corpus import CANARY, Attack, attacks, proof, questions, tables
from tests.validator.spark_tables import make_tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytest.importorskip("pyspark")
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
os.environ["ATTACK_CANARY"] = CANARY  # what no query may read
_SECONDS = 10.0
_ENDLESS = [attack for attack in attacks("spark") if attack.shown == "exhaust"]
_ENDING = [attack for attack in attacks("spark") if attack.shown != "exhaust"]
_CHANGES = (
    "SHOW TABLES IN healthcare",
    "SHOW VIEWS IN healthcare",
    "SHOW TABLES",
    "SHOW TABLES IN spark_catalog.default",  # and views that only this session has
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

    session = spark_session(Lake(tmp_path_factory.mktemp("spark") / "lake", engine="spark").settings)
    yield session
    session.catalog.setCurrentCatalog("spark_catalog")  # as other suites of this process found it


@pytest.fixture
def unguarded(spark: SparkSession) -> Iterator[SparkSession]:
    """Every declared table anew where an attack before has changed it."""
    make_tables(spark)
    yield spark
    spark.catalog.setCurrentCatalog("work")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file that nobody may read."""
    (tmp_path / "secret.csv").write_text(f"a,b\n{CANARY},1\n", encoding="utf-8")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("attack", _ENDING, ids=lambda attack: attack.id)
def test_the_attack_does_harm(attack: Attack, unguarded: SparkSession, folder: Path) -> None:
    """Rows, a canary, a key, a change or no end, as the corpus says."""
    assert harm_seen(attack, unguarded, folder)


@pytest.mark.slow
@pytest.mark.parametrize("attack", _ENDLESS, ids=lambda attack: attack.id)
def test_the_attack_does_not_end(attack: Attack, tmp_path: Path) -> None:
    """Over 3,000 lines it runs on until its process is ended."""
    command = [sys.executable, "-m", "tests.validator.endless_spark", attack.sql, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True) as run:
        try:
            assert run.stdout is not None and "started\n" in iter(run.stdout.readline, "")
            with pytest.raises(subprocess.TimeoutExpired):
                run.wait(_SECONDS)
        finally:
            os.killpg(run.pid, signal.SIGKILL)


def harm_seen(attack: Attack, spark: SparkSession, folder: Path) -> bool:
    sql = attack.aimed(folder, _snapshot(spark) if "{snapshot}" in attack.sql else "1")
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
    for name in ("mine", "kept"):
        spark.catalog.dropTempView(name)
    spark.catalog.clearCache()


@pytest.mark.slow
@pytest.mark.parametrize("question", questions("spark"), ids=lambda question: question.about)
def test_spark_takes_what_was_proved(question, unguarded: SparkSession) -> None:
    """The SQL as written out is analysed by Spark, with the columns that were promised."""
    pins = {name: f"work.{name}" for name in tables()}
    approved = validate(question.sql, proof("spark", pins=pins))
    assert isinstance(approved, Approved), approved
    assert tuple(unguarded.sql(approved.sql).columns) == approved.output
