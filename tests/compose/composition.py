"""The compose file brought up as its user does, under a project name of the tests' own, and looked at from outside."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.compose.images import FILE

API = "http://127.0.0.1:8000"
PAGE = "http://127.0.0.1:8501"
AIRFLOW = "http://127.0.0.1:8088"
PROJECT = "medflow-test"
RUN_DATE = "2026-07-01"  # the day of the sample claims
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_ASK_AGAIN = 1.0
_LOG_LINES = "60"


@dataclass
class Composition:
    """One project. `folder`: where logs are kept; `environment`: variables over those of this process."""

    folder: Path
    environment: Mapping[str, str]
    began: float = field(default_factory=time.monotonic)

    def run(self, *arguments: str, within: float = 1800) -> str:
        """A command of compose; what it printed.

        Raises:
            AssertionError: it failed.
        """
        done = self._done(arguments, within)
        assert done.returncode == 0, f"compose {' '.join(arguments)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def medflow(self, *arguments: str) -> str:
        """A command of `medflow` in a container of its own, as the documentation says it; what it printed."""
        return self.run("run", "--rm", "-T", "medflow", *arguments)

    def end(self) -> None:
        """Keep the logs; then nothing of it is left but the images."""
        logs = self._done(("logs", "--no-color", "--timestamps"))
        (self.folder / "compose.log").write_text(logs.stdout + logs.stderr, encoding="utf-8")
        self.run("--profile", "full", "--profile", "tools", "down", "--volumes", "--timeout", "20")

    def _done(self, arguments: Sequence[str], within: float = 1800) -> subprocess.CompletedProcess[str]:
        command = [*_program(), "-p", PROJECT, "-f", str(FILE), *arguments]
        own = dict(self.environment)
        return subprocess.run(command, capture_output=True, text=True, check=False, env=own, cwd=FILE.parent, timeout=within)

    def last_words(self, service: str) -> str:
        """The end of a service's log."""
        return self.run("logs", "--no-color", "--tail", _LOG_LINES, service)

    def containers(self) -> dict[str, dict[str, Any]]:
        """What Docker says of each service's container, those that have ended included."""
        ids = self.run("--profile", "full", "ps", "-a", "-q").split()
        found = json.loads(subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True).stdout) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def memory(self) -> int:
        """Bytes that all containers hold now, page cache that can be had back not counted."""
        ids = [one["Id"] for one in self.containers().values() if one["State"]["Running"]]
        told = subprocess.run(
            ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", *ids], capture_output=True, text=True, check=True
        )
        return sum(_bytes(line.split("/")[0].strip()) for line in told.stdout.splitlines())


def until(what: str, ready: Callable[[], object], within: float, said: Callable[[], str] = lambda: "") -> float:
    """Ask again until `ready` gives something true; the seconds it took.

    Raises:
        AssertionError: it does not in time; `said` is told.
    """
    begun = time.monotonic()
    last: object = None
    while time.monotonic() - begun < within:
        try:
            if last := ready():
                return time.monotonic() - begun
        except (OSError, ValueError) as error:
            last = error
        time.sleep(_ASK_AGAIN)
    raise AssertionError(f"{what}: not within {within:.0f} s ({last!r})\n{said()}")


def ask(question: str) -> dict[str, Any]:
    """The API's answer, or the problem that it tells."""
    return reply(f"{API}/ask", {"question": question, "today": RUN_DATE})


def reply(url: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A JSON reply, whatever its status. Raises OSError: nobody answers."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answered:
            found: dict[str, Any] = json.loads(answered.read())
    except urllib.error.HTTPError as problem:
        found = json.loads(problem.read())
    return found


@cache
def _program() -> tuple[str, ...]:
    """Compose v2 where it is installed, else 1.29."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ("docker", "compose")
    assert shutil.which("docker-compose"), "neither `docker compose` nor `docker-compose` is installed"
    return ("docker-compose",)


def _bytes(text: str) -> int:
    unit = text.lstrip("0123456789.")
    return int(float(text.removesuffix(unit)) * _UNITS[unit])
