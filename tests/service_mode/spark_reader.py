"""`python -m tests.service_mode.spark_reader`: a foreign Spark with Iceberg's own JDBC catalog reads tables at a release's tag, as anybody may.

Takes JSON on standard input: jars, conf, queries by name. Writes the rows of each as JSON, cells as `cells` spells them.
"""

from __future__ import annotations

import json
import sys

from pyspark.sql import SparkSession

from tests.service_mode.cells import spelled


def main() -> int:
    """Read the order, ask Spark, tell."""
    order = json.load(sys.stdin)
    builder = SparkSession.builder.master("local[1]").config("spark.jars", ",".join(order["jars"])).config("spark.ui.enabled", "false")
    for name, value in order["conf"].items():
        builder = builder.config(name, value)
    session = (
        builder.config("spark.sql.session.timeZone", "UTC").config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC").getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    rows = {name: [[spelled(cell) for cell in row] for row in session.sql(sql).collect()] for name, sql in order["queries"].items()}
    session.stop()
    json.dump(rows, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
