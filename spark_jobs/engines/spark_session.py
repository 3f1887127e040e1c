"""The one module that configures Spark: Java and jars looked for, a session made. One application a process."""

from __future__ import annotations

import atexit
import logging
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from medflow.errors import MissingExtraError, UsageError
from medflow.settings import Settings
from spark_jobs.engines.spark_cluster import await_workers, packed_code
from spark_jobs.engines.spark_launch import PARTS_A_CORE, is_local, jars, launch_configuration

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WORK_CATALOG = "work"
_PARTS = "spark.sql.shuffle.partitions"
_JAVA = 17
_INSTALL = "install a full Java 17, such as Debian's openjdk-17-jre-headless, and put it on the PATH or name it in JAVA_HOME"


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
    _silence()
    session = _started(_configuration(settings, scratch), scratch / "spark.log", settings.submitted)
    atexit.register(_stop, session)
    _open_work_catalog(session, settings, scratch)
    if not is_local(str(session.sparkContext.master)):
        _join_cluster(session, scratch)
    return session


def _join_cluster(session: SparkSession, scratch: Path) -> None:
    context = session.sparkContext
    context.addPyFile(str(packed_code(scratch)))
    await_workers(session)
    if _PARTS not in dict(context.getConf().getAll()):
        session.conf.set(_PARTS, str(PARTS_A_CORE * context.defaultParallelism))


def _open_work_catalog(session: SparkSession, settings: Settings, scratch: Path) -> None:
    """The catalog of private tables. It remembers the keys of S3, which stand in no configuration, page or log of Spark."""
    prefix = f"spark.sql.catalog.{WORK_CATALOG}"
    told = {
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.type": "hadoop",
        f"{prefix}.warehouse": str(scratch / WORK_CATALOG),
        f"{prefix}.cache-enabled": "false",
        f"{prefix}.io-impl": "org.apache.iceberg.io.ResolvingFileIO",  # s3:// goes to Iceberg's own client, the rest to Hadoop's
    }
    storage = {f"{prefix}.{name}": value for name, value in _s3_properties(settings).items()}
    for name, value in (told | storage).items():
        session.conf.set(name, value)
    session._jsparkSession.sessionState().catalogManager().catalog(WORK_CATALOG)
    for name in storage:
        session.conf.unset(name)


def _s3_properties(settings: Settings) -> dict[str, str]:
    """Iceberg's names for the settings of S3; what is not given, Amazon's client finds itself."""
    given = {
        "s3.endpoint": settings.s3_endpoint,
        "client.region": settings.s3_region,
        "s3.access-key-id": settings.s3_access_key,
        "s3.secret-access-key": settings.s3_secret_key,
        "s3.path-style-access": "true" if settings.s3_endpoint else "",
    }
    return {name: value for name, value in given.items() if value}


def _silence() -> None:
    """Loggers that would write to standard error: a traceback for every question to a process that is gone, and messages with rows."""
    from pyspark.logger import PySparkLogger

    logging.getLogger("py4j").propagate = False
    logging.getLogger("py4j").addHandler(logging.NullHandler())
    logging.getLogger().addFilter(lambda record: "py4j" not in Path(record.pathname).parts)  # it also writes to the root logger itself
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True


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
        context.pythonExec = configuration.get("spark.pyspark.python", context.pythonExec)
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
    shared = {
        "spark.app.name": "medflow",
        "spark.log.level": "FATAL",  # its messages may quote rows
        "spark.executor.syncLogLevel.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.adaptive.enabled": "true",
        # Iceberg's and Parquet's buffers are not counted as Spark's memory: they need room of their own.
        "spark.memory.fraction": "0.5",
        # What filters imply is worked out over every combination of a wide row's aliases: minutes and gigabytes for the rules.
        "spark.sql.constraintPropagation.enabled": "false",
    }
    return shared if settings.submitted else shared | _launch_configuration(settings, scratch)


def _launch_configuration(settings: Settings, scratch: Path) -> dict[str, str]:
    """What spark-submit would have been told, and what only a session of our own is."""
    return {
        **launch_configuration(settings),
        "spark.master": settings.spark_master,
        "spark.jars": ",".join(map(str, jars(settings))),
        "spark.local.dir": str(scratch),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


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
