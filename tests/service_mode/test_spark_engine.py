"""The Spark engine on S3: executors in this process, and those of a real cluster under spark-submit. Secrets show nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medflow.lakehouse.storage import Storage
from medflow.settings import load_settings
from spark_jobs.submit import submit_arguments
from tests.service_mode.spark_seam import RECORDS, ROWS
from tests.services.localstack import SECRET_KEY
from tests.services.spark import PATH, SparkCluster

ROOT = Path(__file__).parents[2]
SEAM = Path(__file__).with_name("spark_seam.py")
_FEW_CORES = {"MEDFLOW_MEMORY": "1GB", "MEDFLOW_THREADS": "2", "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}


def ran(command: list[str], environment: dict[str, str], result: Path) -> dict[str, Any]:
    """A process that is somewhere else, and the JSON that it left."""
    elsewhere = result.parent / "elsewhere"
    elsewhere.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEDFLOW_")}
    whole = kept | {"PYTHONPATH": str(ROOT), "MEDFLOW_PSEUDONYM_KEY": "for tests", "PATH": PATH} | _FEW_CORES | environment
    done = subprocess.run(command, env=whole, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert SECRET_KEY not in done.stderr + done.stdout
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def settings_of(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def check(seen: dict[str, Any]) -> None:
    """What both ways must have seen."""
    total = ROWS * (ROWS + 1) // 2
    assert (seen["framed"], seen["raw"], seen["record_numbers"]) == (RECORDS, RECORDS, RECORDS)
    assert seen["equal"]
    assert all(path.startswith("s3://") for path in seen["paths"])
    assert seen["again"] == {"n": ROWS, "total": total, "maps": ROWS}
    assert seen["with_older"] == {"n": ROWS + 1, "total": total - 1, "maps": ROWS}
    assert seen["nothing"] == {"n": 0, "total": None, "maps": 0}
    assert seen["derived"] == total + ROWS + 32
    assert seen["shows_secret"] == []


def test_executors_of_this_process_read_and_write_s3(service_settings: dict[str, str], tmp_path: Path) -> None:
    """Frame, write, read, derive; framed records stay on this machine."""
    result = tmp_path / "seen.json"
    seen = ran([sys.executable, str(SEAM), str(result)], service_settings | {"MEDFLOW_BUILD_ENGINE": "local[2]"}, result)
    check(seen)
    assert seen["work"].startswith(service_settings["MEDFLOW_HOME"])


def test_executors_of_a_cluster_read_and_write_s3(
    service_settings: dict[str, str], spark_cluster: SparkCluster, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By spark-submit, with its pages on: no secret on its command line, on a page, in a log or in what executors leave."""
    environment = service_settings | {"MEDFLOW_BUILD_ENGINE": spark_cluster.url} | _FEW_CORES
    settings, result = settings_of(environment, monkeypatch), tmp_path / "seen.json"
    command = replace(submit_arguments(settings), application=str(SEAM)).command(str(result))
    assert SECRET_KEY not in str(command)
    seen = ran(command, environment, result)
    check(seen)
    assert seen["master"] == spark_cluster.url
    assert seen["work"].startswith(f"{settings.warehouse}/_work/")
    assert left_behind(settings, seen["work"]) == []
    said = [path for folder in ("spark-work", "spark-local") for path in (logs / folder).rglob("*") if path.is_file()]
    assert said
    assert [path for path in said if SECRET_KEY.encode() in path.read_bytes()] == []


def left_behind(settings: Any, folder: str) -> list[str]:
    """Objects below a folder of the warehouse."""
    from pyarrow.fs import FileSelector

    files, place = Storage.of(settings).filesystem(folder)
    return [found.path for found in files.get_file_info(FileSelector(place, recursive=True, allow_not_found=True)) if found.is_file]
