"""The one module that configures Spark: Java and jars looked for, a session made. One application a process."""

from __future__ import annotations

import atexit
import logging
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from medflow.errors import MissingExtraError, UsageError
from medflow.settings import Settings
from spark_jobs.engines.spark_jars import iceberg_jars

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WORK_CATALOG = "work"
_JAVA = 17
_INSTALL = "install a full Java 17, such as Debian's openjdk-17-jre-headless, and put it on the PATH or name it in JAVA_HOME"
# Cores of a small machine wait for each other when a result is cut into the usual 200 parts; adaptive execution joins small ones.
_PARTS_A_CORE = 4
# A wide row's generated code is longer than what the JVM compiles by default.
_JVM = "-Duser.timezone=UTC -XX:-DontCompileHugeMethods"
_LOGGING = Path(__file__).with_name("log4j2.properties")


def spark_session(settings: Settings) -> SparkSession:
    """This process's session; the first call starts it (6 to 9 s) and the end of the process stops it.

    Raises:
        MissingExtraError: pyspark is not installed. UsageError: no Java 17, or Spark does not start at its master.
        CatalogError: its jars are missing and cannot be fetched.
    """
    try:
        from pyspark.sql import SparkSession
    except ModuleNotFoundError:
        raise MissingExtraError("pyspark", "spark") from None
    if (running := SparkSession.getActiveSession()) is not None:
        return running
    scratch = Path(tempfile.mkdtemp(prefix="medflow-spark-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    if not settings.submitted:
        _check_java(settings)
    logging.getLogger("py4j").propagate = False  # it would write a traceback for every question to a process that is gone
    logging.getLogger("py4j").addHandler(logging.NullHandler())
    session = _started(_configuration(settings, scratch), scratch / "spark.log", settings.submitted)
    atexit.register(_stop, session)
    return session


def _stop(session: SparkSession) -> None:
    """Of a process that has ended already there is nothing to stop."""
    from py4j.protocol import Py4JError

    with suppress(Py4JError, ConnectionError):
        session.stop()


def _started(configuration: dict[str, str], log: Path, submitted: bool) -> SparkSession:
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    settings = SparkConf(loadDefaults=False)
    for name, value in configuration.items():
        settings.set(name, value)
    try:
        if submitted:
            return SparkSession.builder.config(conf=settings).getOrCreate()
        with log.open("wb") as said:  # what the JVM says while it starts is of use only if it does not start
            gateway = launch_gateway(settings, popen_kwargs={"stderr": said})  # type: ignore[no-untyped-call]
        context = SparkContext(gateway=gateway, conf=settings)
        if configuration["spark.master"].startswith("local"):
            context.pythonExec = sys.executable  # else workers are the first python3 on the PATH, which may be another
        return SparkSession(context)
    except Exception as error:  # Py4J, Java and socket errors of every kind
        reason = _last_reason(log) or type(error).__name__
        told = f"Spark does not start at {configuration.get('spark.master', 'its master')} ({reason})"
        raise UsageError(f"{told}; check that the master runs, that MEDFLOW_MEMORY fits this machine, and Java: {_INSTALL}") from error


def _last_reason(log: Path) -> str:
    """The last error that the starting JVM wrote; no data is near it yet."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return next((line.strip()[:200] for line in reversed(lines) if re.search(r"Exception|Error", line)), "")


def _configuration(settings: Settings, scratch: Path) -> dict[str, str]:
    catalog = f"spark.sql.catalog.{WORK_CATALOG}"
    shared = {
        "spark.app.name": "medflow",
        "spark.log.level": "FATAL",  # its messages may quote rows
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.adaptive.enabled": "true",
        # Iceberg's and Parquet's buffers are not counted as Spark's memory: they need room of their own.
        "spark.memory.fraction": "0.5",
        "spark.sql.files.maxPartitionBytes": "32m",
        # What filters imply is worked out over every combination of a wide row's aliases: minutes and gigabytes for the rules.
        "spark.sql.constraintPropagation.enabled": "false",
        # Listing files is done by the driver: a job for it costs more than it saves on a day's files.
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "hadoop",
        f"{catalog}.warehouse": str(scratch / WORK_CATALOG),
        f"{catalog}.cache-enabled": "false",
    }
    return shared if settings.submitted else shared | _launch_configuration(settings, scratch)


def _launch_configuration(settings: Settings, scratch: Path) -> dict[str, str]:
    """What spark-submit would have been told."""
    java = f"-Dlog4j2.configurationFile={_LOGGING.as_uri()} {_JVM}"
    local = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": str(_PARTS_A_CORE * settings.cores),
    }
    return {
        "spark.master": settings.spark_master,
        "spark.jars": ",".join(map(str, iceberg_jars(settings.jars))),
        "spark.driver.memory": _java_size(settings.memory),
        "spark.driver.extraJavaOptions": java,
        "spark.executor.extraJavaOptions": _JVM,
        "spark.local.dir": str(scratch),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        **(local if settings.spark_master.startswith("local") else {}),
    }


def _java_size(size: str) -> str:
    """`3GB` as Java writes it. Raises UsageError: not a size."""
    found = re.fullmatch(r"(\d+)\s*([KMGT])i?B?", size.strip(), re.IGNORECASE)
    if not found:
        raise UsageError(f"MEDFLOW_MEMORY is {size}; Spark takes a whole number of KB, MB, GB or TB, such as 3GB")
    return f"{found[1]}{found[2].lower()}"


def work_catalog_folder(session: SparkSession) -> Path:
    """Where the private tables lie that Spark writes through."""
    return Path(session.conf.get(f"spark.sql.catalog.{WORK_CATALOG}.warehouse") or "")


def _check_java(settings: Settings) -> None:
    java = str(Path(settings.java_home) / "bin" / "java") if settings.java_home else shutil.which("java")
    if not java or not Path(java).exists():
        raise UsageError(f"Spark needs Java {_JAVA}, and there is none at {java or 'any place of the PATH'}: {_INSTALL}")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    if not found or int(found[1]) < _JAVA:
        raise UsageError(f"Spark needs Java {_JAVA} or later, and {java} is {found[1] if found else 'unknown'}: {_INSTALL}")
