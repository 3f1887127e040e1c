"""What Spark is told before it starts, by our own launcher or by spark-submit: master, memory, Java, Python, jars. No secret."""

from __future__ import annotations

import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

from medflow.errors import UsageError
from medflow.settings import Settings
from spark_jobs.engines.spark_jars import iceberg_jars

# Cores of a small machine wait for each other when a result is cut into the usual 200 parts; adaptive execution joins small ones.
PARTS_A_CORE = 4
# A wide row's generated code is longer than what the JVM compiles by default.
_JVM = "-Duser.timezone=UTC -XX:-DontCompileHugeMethods"
_LOGGING = Path(__file__).with_name("log4j2.properties")
_LOOPBACK = "127.0.0.1"


def is_local(master: str) -> bool:
    """Whether driver and executors are one process."""
    return master.startswith("local")


def is_on_s3(settings: Settings) -> bool:
    """Whether Spark reads or writes objects of S3."""
    return settings.warehouse.startswith("s3://")


def jars(settings: Settings) -> list[Path]:
    """The jars that driver and executors need, as files of this machine, from where the driver serves them.

    Raises:
        CatalogError: one is missing and cannot be fetched.
    """
    return iceberg_jars(settings.jars, s3=is_on_s3(settings))


def launch_configuration(settings: Settings) -> dict[str, str]:
    """Spark's settings but master and jars. Each executor gets as much memory as the driver, and all cores that are free.

    Raises:
        UsageError: MEDFLOW_MEMORY is not a size.
    """
    memory = _java_size(settings.memory)
    shared = {
        "spark.driver.memory": memory,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOGGING.as_uri()} {_JVM}",
        "spark.executor.extraJavaOptions": _JVM,
        "spark.log.level": "FATAL",  # its messages may quote rows
        "spark.pyspark.driver.python": sys.executable,
    }
    return shared | (_on_this_machine(settings) if is_local(settings.spark_master) else _on_a_cluster(settings, memory))


def _on_this_machine(settings: Settings) -> dict[str, str]:
    return {
        "spark.driver.host": _LOOPBACK,
        "spark.driver.bindAddress": _LOOPBACK,
        "spark.sql.shuffle.partitions": str(PARTS_A_CORE * settings.cores),
        "spark.pyspark.python": sys.executable,  # else workers are the first python3 on the PATH, which may be another
    }


def _on_a_cluster(settings: Settings, memory: str) -> dict[str, str]:
    address = _address_towards(settings.spark_master)
    return {"spark.executor.memory": memory, "spark.submit.deployMode": "client"} | ({"spark.driver.host": address} if address else {})


def _address_towards(master: str) -> str | None:
    """This machine's address on the way to the master, where the workers are; None: Spark is to choose."""
    found = re.match(r"spark://([^:,/]+|\[[^]]+\]):(\d+)", master)
    if not found:
        return None
    with suppress(OSError):
        for family, kind, _, _, address in socket.getaddrinfo(found[1].strip("[]"), int(found[2]), type=socket.SOCK_DGRAM):
            with socket.socket(family, kind) as way:
                way.connect(address)  # sends nothing: it only looks the way up
                return str(way.getsockname()[0])
    return None


def _java_size(size: str) -> str:
    """`3GB` as Java writes it. Raises UsageError: not a size."""
    found = re.fullmatch(r"(\d+)\s*([KMGT])i?B?", size.strip(), re.IGNORECASE)
    if not found:
        raise UsageError(f"MEDFLOW_MEMORY is {size}; Spark takes a whole number of KB, MB, GB or TB, such as 3GB")
    return f"{found[1]}{found[2].lower()}"
