"""What spark-submit is given to run one step: settings in, its arguments out. Nothing secret is among them.

Secrets reach the step as settings in the environment of the process, as everywhere; executors get what they need from the driver.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from medflow.settings import Settings, load_settings
from spark_jobs.engines.spark_launch import jars, launch_configuration

_APPLICATION = Path(__file__).with_name("__main__.py")


@dataclass(frozen=True)
class SubmitArguments:
    """The parts as spark-submit names them; paths are those of this machine.

    `py_files` is empty: the step itself sends its own code to the executors, which need Python and the packages that it imports.
    """

    master: str
    application: str
    jars: tuple[str, ...]
    conf: Mapping[str, str]
    py_files: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """The whole command line, with the step and its options as `arguments`."""
        conf = [part for name, value in self.conf.items() for part in ("--conf", f"{name}={value}")]
        files = ["--py-files", ",".join(self.py_files)] if self.py_files else []
        return ["spark-submit", "--master", self.master, "--jars", ",".join(self.jars), *files, *conf, self.application, *arguments]


def submit_arguments(settings: Settings) -> SubmitArguments:
    """The arguments for a step that Spark builds, with the master of the setting `build_engine`; fetches missing jars.

    Raises:
        UsageError: a setting does not fit Spark. CatalogError: a jar cannot be fetched.
    """
    found = tuple(str(jar.absolute()) for jar in jars(settings))
    return SubmitArguments(settings.spark_master, str(_APPLICATION), found, launch_configuration(settings))


if __name__ == "__main__":  # what an order to run asks for, such as Airflow's
    print(json.dumps(asdict(submit_arguments(load_settings()))))
