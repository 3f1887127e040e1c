"""The whole product brought up once from nothing, for all tests of this folder that need it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.compose.composition import Composition
from tests.compose.engine import docker_engine
from tests.compose.images import prepare

SAMPLE_CLAIMS = "2000"


@pytest.fixture(scope="session")
def composition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    """Images found, pulled or stood in for; our own built; everything started with no volume of an earlier time."""
    folder = tmp_path_factory.mktemp("compose")
    with docker_engine(folder):
        stood_in = prepare(print)
        print(f"stand-ins from packages: {', '.join(stood_in) or 'none'}")
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MEDFLOW_", "COMPOSE_"))}
        found = Composition(folder, {**own, "SAMPLE_CLAIMS": SAMPLE_CLAIMS})
        found.end()
        found.run("build")
        found.began = time.monotonic()
        try:
            found.run("up", "-d", "--no-build")
            yield found
        finally:
            found.end()


@pytest.fixture(scope="session")
def most_memory(composition: Composition) -> Iterator[list[int]]:
    """The bytes that all containers held, looked at from the start to the end of the tests."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(2):
            with suppress(subprocess.CalledProcessError):  # a container that is just going away
                seen.append(composition.memory())

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    yield seen
    over.set()
    watcher.join(timeout=30)
