"""Fixtures of the lake tests."""

import pytest

from tests.lakehouse.small_lake import SmallLake


@pytest.fixture
def small(tmp_path):
    """An empty lake with the lock held, in a folder whose name needs care."""
    home = tmp_path / "my läke 100%"
    home.mkdir()
    small = SmallLake.at(home)
    yield small
    small.lock.release()
    small.lake.engine.dispose()
