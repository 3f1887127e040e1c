"""One hostile lake and one stage on it for all cases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag_backend.model.scripted import KEY
from tests.injections.hostile_lake import hostile_lake
from tests.injections.stage import Stage, staged
from tests.support.lake import Lake

_OTHER_WAYS = ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_LOG", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(scope="session")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """The scripted server's key in the environment, and no proxy on the way to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", KEY)
        for name in _OTHER_WAYS:
            patch.delenv(name, raising=False)
        yield patch


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """1,000 claims and what is planted among them, one release; not to be changed."""
    return hostile_lake(tmp_path_factory.mktemp("injections"))


@pytest.fixture(scope="session")
def stage(lake: Lake, patch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(lake, patch) as stage:
        yield stage
