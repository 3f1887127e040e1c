"""A Docker engine: the one that answers, or one of our own for as long as it is needed, where this is root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.server import NotReady, Server, running


@contextmanager
def docker_engine(folder: Path) -> Iterator[None]:
    """An engine that answers to `docker`, until the end of the block; its log, if it is ours, below `folder`.

    Raises:
        AssertionError: none answers, and none can be started.
    """
    assert shutil.which("docker"), "docker is not installed: `make test-compose` installs docker.io, as root on Debian"
    if _answers():
        yield
        return
    daemon = shutil.which("dockerd") or "/usr/sbin/dockerd"
    assert os.getuid() == 0 and Path(daemon).exists(), "no Docker engine answers: start one, or run this as root on Debian"
    with running(Server("dockerd", [daemon], folder, _ready)):
        yield


def _ready() -> None:
    if not _answers():
        raise NotReady("docker info fails")


def _answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
