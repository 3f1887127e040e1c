"""One small lake and one server on it for all tests that only read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.server import Server, serving
from tests.support.lake import Lake


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """2,000 claims, one release."""
    lake = Lake(tmp_path_factory.mktemp("api") / "lake")
    lake.generate(2_000)
    lake.run()
    return lake


@pytest.fixture(scope="session")
def server(small: Lake) -> Iterator[Server]:
    with serving(small) as running:
        yield running
