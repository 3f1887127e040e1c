"""A running service of the benchmark's own, with settings of its own, asked over one connection that stays open."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

from medflow.bench.plan import RUN_DATE
from medflow.cli.console import read_json
from medflow.errors import MedflowError

_MEDFLOW = [sys.executable, "-m", "medflow"]
_JSON = {"Content-Type": "application/json"}
_PATIENCE_S = 120.0
_AGAIN_S = 0.2


@dataclass(frozen=True)
class Reply:
    """An answer, as far as it is measured; `milliseconds` are those that the asker waited."""

    question: str
    status: str
    milliseconds: float
    cached: bool
    planner: str
    notices: tuple[str, ...]


class Service:
    """One asker's connection to a running service."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def ask(self, question: str) -> Reply:
        """A question on the day of the sample's run. A problem instead of an answer has the status `failed`."""
        begun = time.perf_counter()
        answer = self._sent("POST", "/ask", {"question": question, "today": RUN_DATE})
        milliseconds = (time.perf_counter() - begun) * 1000
        if "rows" not in answer:
            return Reply(question, "failed", milliseconds, False, "", (str(answer.get("title", "")),))
        notices = tuple(f"{one['code']}: {one['text']}" for one in answer["notices"])
        return Reply(question, answer["status"], milliseconds, answer["cached"], answer["planner"], notices)

    def wait_until_ready(self) -> None:
        """Have the release opened, and the approved questions answered ahead: they would be at work beside the first ones asked."""
        self._sent("GET", "/ready")
        while not self._sent("GET", "/examples").get("complete", True):
            time.sleep(_AGAIN_S)

    def _sent(self, method: str, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        self._connection.request(method, path, json.dumps(body) if body else None, _JSON if body else {})
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer


@contextmanager
def running(home: Path, knowledge_base: Path, settings: Mapping[str, str]) -> Iterator[Service]:
    """A service of the lake in `home`, until the end of the block; `settings` are variables that stand before those of the environment.

    Raises:
        MedflowError: it does not start.
    """
    given = {"MEDFLOW_APP_DB": f"sqlite:///{home / 'app.db'}", "MEDFLOW_CACHE": "memory://", **settings}
    common = ["--home", str(home), "--knowledge-base", str(knowledge_base)]
    command = ["env", *(f"{name}={value}" for name, value in given.items()), *_MEDFLOW, *common, "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        with closing(http.client.HTTPConnection(address_of(process), timeout=_PATIENCE_S)) as connection:
            service = Service(connection)
            service.wait_until_ready()
            yield service
    finally:
        process.terminate()
        process.communicate()


def address_of(process: subprocess.Popen[str]) -> str:
    """The host and port of a service that starts, once it listens.

    Raises:
        MedflowError: it does not start.
    """
    assert process.stdout and process.stderr
    told = read_json(process.stdout)
    if told is None:
        raise MedflowError(f"`medflow serve` did not start: {end_of(process.stderr.read())}")
    return urlsplit(str(told["url"])).netloc


def cuts(milliseconds: Iterable[float]) -> tuple[float, float]:
    """The median and the 95th percentile; of nothing, 0."""
    times = list(milliseconds) or [0.0]
    found = quantiles(times, n=20, method="inclusive") if len(times) > 1 else times * 19
    return round(found[9], 1), round(found[18], 1)


def end_of(text: str) -> str:
    """The last line of what a command said."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
