"""A Spark of its own for one query that is not expected to end: `python -m tests.validator.endless_spark SQL FOLDER`.

Prints `started` when the query starts and `ended` if it does. The table of lines is 3,000 rows long; a release has
thousands of times more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from spark_jobs.engines.spark_session import spark_session
from tests.support.lake import Lake
from tests.validator.spark_tables import LINES, make_tables


def main(sql: str, folder: Path) -> None:
    spark = spark_session(Lake(folder / "lake", engine="spark").settings)
    make_tables(spark)
    spark.sql(f"INSERT INTO {LINES} SELECT c.* FROM {LINES} AS c CROSS JOIN range(49)")
    print("started", flush=True)
    spark.sql(sql).collect()
    print("ended", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
