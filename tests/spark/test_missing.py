"""What a user without Java, pyspark or the jars is told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spark_jobs.engines import spark_jars
from tests.support.claims import Version, bluecross
from tests.support.lake import Lake


@pytest.fixture
def waiting(tmp_path: Path) -> Lake:
    """A lake for Spark with one file that waits."""
    lake = Lake(tmp_path / "lake", engine="spark")
    lake.put("bluecross", "1.csv", bluecross([Version()]))
    return lake


def test_without_java_it_says_what_to_install(waiting: Lake, tmp_path: Path) -> None:
    """Exit 2, one message, nothing published, and the same file is taken by DuckDB afterwards."""
    tools = tmp_path / "bin"
    tools.mkdir()
    done = waiting.command("run", environment={"PATH": str(tools), "JAVA_HOME": ""})
    assert done.returncode == 2
    assert "Spark needs Java 17" in done.stderr
    assert "openjdk-17-jre-headless" in done.stderr
    assert "Traceback" not in done.stderr
    assert waiting.command("run", "--engine", "duckdb").returncode == 0


def test_a_java_that_is_too_old_is_told(waiting: Lake, tmp_path: Path) -> None:
    """By its version, before Spark starts."""
    old = tmp_path / "old/bin/java"
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    done = waiting.command("run", environment={"JAVA_HOME": str(tmp_path / "old")})
    assert done.returncode == 2
    assert "is 11" in done.stderr


def test_an_unknown_engine_is_told_with_those_that_there_are(waiting: Lake) -> None:
    """Before anything is read."""
    done = waiting.command("run", "--engine", "flink")
    assert done.returncode == 2
    assert "allowed: duckdb, spark" in done.stderr


def test_a_master_that_does_not_answer_is_told(waiting: Lake) -> None:
    """With the address, and what to check."""
    done = waiting.command("run", "--engine", "spark://127.0.0.1:1")
    assert done.returncode == 2
    assert "spark://127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_jar_that_was_changed_is_fetched_again(waiting: Lake, tmp_path: Path) -> None:
    """Its digest is looked at each time, so that no other jar is ever loaded."""
    right = spark_jars.iceberg_jars(waiting.settings.jars)[0]
    folder = tmp_path / "jars"
    folder.mkdir()
    shutil.copy(right, folder)
    (folder / right.name).write_bytes(b"something else")
    assert spark_jars.iceberg_jars(folder)[0].read_bytes() == right.read_bytes()


def test_a_jvm_that_dies_is_told(waiting: Lake) -> None:
    """As when memory runs out: what to raise, nothing published, and the next run takes the same file."""
    command, streams = [sys.executable, "-m", "medflow", "run"], {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    run = subprocess.Popen(command, env=waiting.environment(), cwd=waiting.home.parent, text=True, **streams)
    try:
        deadline = time.monotonic() + 120
        while not list(waiting.home.rglob("spark")) and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(_java_of(run.pid), signal.SIGKILL)
        _, told = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode == 1
    assert "Spark's process has ended" in told
    assert "Traceback" not in told
    assert waiting.command("run", "--engine", "duckdb").returncode == 0


def _java_of(pid: int) -> int:
    """The Java process below another one."""
    children = {int(stat.parent.name): stat.read_text().rpartition(")")[2].split() for stat in Path("/proc").glob("[0-9]*/stat")}
    below = {pid}
    while found := {child for child, fields in children.items() if int(fields[1]) in below} - below:
        below |= found
    return next(child for child in below if Path(f"/proc/{child}/exe").resolve().name == "java")
