"""Fixtures shared by all suites: a lake of the test's own, and the sample size of long suites."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake with the packaged declarations."""
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="session")
def whole_counts() -> bool:
    """Whether long suites run their whole counts (`make test-full`) or a fixed seeded sample (`make test`)."""
    return os.environ.get("TEST_COUNTS") == "full"
