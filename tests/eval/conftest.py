"""The sample that the banks are for, built once."""

from __future__ import annotations

import pytest

from medflow.generate import SampleRequest, generate
from spark_jobs.landing import Landing, land
from tests.support.lake import Lake


@pytest.fixture(scope="session")
def banks_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """10,000 claims, seed 7, one release up to 2026-06-30; not to be changed."""
    folder = tmp_path_factory.mktemp("bank")
    generate(SampleRequest(claims=10_000, seed=7, out=folder / "files"))
    lake = Lake(folder / "lake")
    land(folder / "files", Landing.local(lake.landing), lake.site().knowledge_base.layouts, lambda _: None)
    lake.run()
    return lake
