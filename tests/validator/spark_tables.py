"""The declared tables as Iceberg tables of Spark's private catalog, `claims_clean` with a snapshot that was taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.validator.corpus import CANARY, tables
from tests.validator.small_database import arrow_tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LINES = "work.healthcare.claims_clean"


def make_tables(spark: SparkSession) -> None:
    """Every declared table that is not there."""
    spark.catalog.setCurrentCatalog("work")
    for name, content in arrow_tables(tables().values()).items():
        if not spark.catalog.tableExists(f"work.{name}"):
            spark.sql(f"CREATE NAMESPACE IF NOT EXISTS work.{name.split('.')[0]}")
            spark.createDataFrame(content).writeTo(f"work.{name}").using("iceberg").create()
            if f"work.{name}" == LINES:
                _take_back(spark)


def _take_back(spark: SparkSession) -> None:
    """A snapshot that holds a canary, and one after it that does not."""
    columns = tables()[LINES.removeprefix("work.")].columns
    values = ", ".join(f"'{CANARY}-GONE' AS {c.name}" if c.name == "claim_id" else c.name for c in columns)
    spark.sql(f"INSERT INTO {LINES} SELECT {values} FROM {LINES} LIMIT 1")
    spark.sql(f"DELETE FROM {LINES} WHERE claim_id = '{CANARY}-GONE'")
