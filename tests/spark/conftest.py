"""Both build engines, side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spark_jobs.pipeline import Engines, private_engines
from tests.support.lake import Lake

# Runs of seconds: the compiler that makes long runs fast would take half of the machine.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Spark as `build` and DuckDB as `verifier`, in one process."""
    lake = Lake(tmp_path_factory.mktemp("engines") / "lake", engine="spark")
    with private_engines(lake.settings) as both:
        yield both


Filled = Callable[[Lake], None]


@pytest.fixture
def two_lakes(tmp_path: Path) -> Callable[[Filled], tuple[Lake, Lake]]:
    """Give one filling of a landing folder to two lakes, DuckDB's and Spark's."""

    def made(fill: Filled, knowledge_base: Path | None = None) -> tuple[Lake, Lake]:
        given = {} if knowledge_base is None else {"knowledge_base": knowledge_base}
        lakes = (Lake(tmp_path / "duckdb", **given), Lake(tmp_path / "spark", engine="spark", **given))
        for lake in lakes:
            fill(lake)
        return lakes

    return made
