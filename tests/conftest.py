"""Fixtures shared by all suites."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.lake import Lake

pytest_plugins = ["tests.services.fixtures"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake with the packaged declarations."""
    return Lake(tmp_path / "lake")
