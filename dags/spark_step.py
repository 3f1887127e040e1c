"""A step that Spark builds: submitted to the cluster that MEDFLOW_BUILD_ENGINE names; the driver runs beside Airflow's worker.

What spark-submit is given, `python -m spark_jobs.submit` says; the step's JSON comes by a file, for spark-submit mixes the streams.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException

from dags.commands import Command, CommandOperator, Ended, checked, flat

_CONNECTION = "medflow_spark"
_ENDED = re.compile(r"Error code is: (-?\d+)")


class SparkStepOperator(CommandOperator, SparkSubmitOperator):  # type: ignore[misc] # whose execute returns nothing
    """A step of `python -m spark_jobs` by spark-submit; otherwise as any command."""

    template_fields: Sequence[str] = ("arguments",)

    def __init__(self, **options: Any) -> None:
        super().__init__(conn_id=_CONNECTION, name="medflow", **options)

    def value(self, context: Context) -> dict[str, Any]:
        """Submit and wait. Raises as `checked`."""
        given = checked(Command(["spark_jobs.submit"]).run(self.log.info), "spark_jobs.submit")
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "result.json"
            self._take(given, result)
            code, said = self._submitted(context)
            printed = result.read_text(encoding="utf-8") if result.exists() else ""
        return checked(Ended(code, printed, said), self.task_id)

    def _take(self, given: dict[str, Any], result: Path) -> None:
        # The one source of the master is the setting; Airflow reads a connection of this name from the environment first.
        os.environ[f"AIRFLOW_CONN_{_CONNECTION.upper()}"] = json.dumps({"conn_type": "spark", "host": given["master"]})
        _, *arguments = flat(self.arguments)
        self.application, self.conf = given["application"], given["conf"]
        self.application_args = [*arguments, f"--engine={given['master']}", f"--result={result}"]
        self.jars, self.py_files = ",".join(given["jars"]), ",".join(given["py_files"]) or None

    def _submitted(self, context: Context) -> tuple[int, str]:
        """The exit code, and what was said last if it is not 0."""
        try:
            SparkSubmitOperator.execute(self, context)
        except AirflowException as error:
            found = _ENDED.search(str(error))
            return (int(found[1]) if found else 1), str(error)
        return 0, ""

    def on_kill(self) -> None:
        """The task is stopped: spark-submit, too, and the driver with it."""
        SparkSubmitOperator.on_kill(self)
