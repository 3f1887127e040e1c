"""Jars by their Maven coordinates, `group:name:version`. No repository is named here: a tool is asked that knows its user's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path


def jar_name(coordinates: str) -> str:
    """The jar's file name."""
    _, name, version = coordinates.split(":")
    return f"{name}-{version}.jar"


def fetch_by_spark(coordinates: Iterable[str], folder: Path, leave_out: str = "") -> None:
    """Fetch jars and what they depend on, but for `leave_out`, somewhere below `folder`: Spark's launcher does before it starts anything.

    Raises:
        Exception: its kinds are not documented; what matters is which jars are there.
    """
    from pyspark.conf import SparkConf
    from pyspark.java_gateway import launch_gateway

    settings = SparkConf(loadDefaults=False)
    settings.set("spark.jars.packages", ",".join(coordinates)).set("spark.jars.ivy", str(folder))
    if leave_out:
        settings.set("spark.jars.excludes", leave_out)
    launch_gateway(settings, popen_kwargs={"stderr": subprocess.DEVNULL}).shutdown()  # type: ignore[no-untyped-call]


def take_jar(folder: Path, target: Path) -> bool:
    """Copy a jar from wherever it was fetched to below `folder`, whole, to where it is kept. Returns whether it was found."""
    found = next(folder.rglob(f"*{target.name}"), None)
    if found is None:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.copyfile(found, part)
    part.replace(target)
    return True
