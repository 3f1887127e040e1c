"""The assistant's part of the benchmark: questions to a running service, and to the command from cold, on a lake of the sample.

All figures but those of kept answers are of a service and a command that keep nothing.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from statistics import median
from typing import Any

from medflow.bench.measure import Measured, Watch, measured
from medflow.bench.plan import RUN_DATE, Order, Site
from medflow.bench.service import address_of, cuts, end_of
from medflow.errors import MedflowError, UsageError
from medflow.specs.examples import load_examples

_MEDFLOW = [sys.executable, "-m", "medflow"]
_SIDE_BY_SIDE = 4
_COLD_RUNS = 5
_PATIENCE_S = 120.0
_KEEPS_NOTHING, _KEEPS = "none://", "memory://"


@dataclass(frozen=True)
class Asked:
    """One question to the service: how it ended, in how many milliseconds, and whether its table was kept from an earlier asking."""

    question: str
    status: str
    milliseconds: float
    cached: bool = False


@dataclass(frozen=True)
class Answers:
    """All figures of one size. Milliseconds are of questions one after the other, and of four askers at once; `kept`: of the same questions
    to a service that was asked them before, of which so many had their table from the cache.
    """

    claims: int
    questions: int
    answered: int
    p50_ms: float
    p95_ms: float
    side_p50_ms: float
    side_p95_ms: float
    kept: int
    kept_p50_ms: float
    kept_p95_ms: float
    slowest: tuple[Asked, ...]
    service_peak_bytes: int | None
    first_seconds: float
    first_peak_bytes: int | None
    cold_seconds: float
    cold_peak_bytes: int | None


def questions_of(bank: Path | None, knowledge_base: Path) -> list[str]:
    """The questions of a bank (one JSON object a line) that the role analyst is to have answered; without a bank, the approved ones.

    Raises:
        UsageError: there is none.
    """
    if bank is None:
        found = [example.question for example in load_examples(knowledge_base).by_id.values()]
    else:
        try:
            lines = [json.loads(line) for line in bank.read_text(encoding="utf-8").splitlines() if line.strip()]
            found = [line["question"] for line in lines if line["kind"] == "answerable" and line["role"] == "analyst"]
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{bank} is no bank: one JSON object a line, with question, kind and role") from None
    if not found:
        raise UsageError(f"{bank or knowledge_base} holds no question that could be asked; name a bank with --bank")
    return found


def run_answers(order: Order, questions: Sequence[str], report: Callable[[str], None]) -> Answers:
    """Build a lake of the sample if there is none from (b), then ask.

    Raises:
        MedflowError: the lake cannot be built, the service does not start, or the command fails.
    """
    home = _lake(order, report)
    common = ["--home", str(home), "--knowledge-base", str(order.knowledge_base)]
    report("the command, from cold")
    rmtree(home / "readers", ignore_errors=True)
    first = _cold(common, questions[0])
    cold = [_cold(common, question) for question in [*questions, *questions][:_COLD_RUNS]]
    report("the service")
    with _service(common, _KEEPS_NOTHING) as (address, watch):
        alone = [_ask(address, question) for question in questions]
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            side = list(pool.map(lambda question: _ask(address, question), questions))
    report("the service, asked again")
    kept = _again(common, questions)
    peaks = [one.peak_bytes for one in cold if one.peak_bytes]
    (p50, p95), (side_p50, side_p95), (kept_p50, kept_p95) = (cuts(one.milliseconds for one in asked) for asked in (alone, side, kept))
    return Answers(
        claims=order.claims,
        questions=len(alone),
        answered=sum(one.status == "answered" for one in alone),
        p50_ms=p50,
        p95_ms=p95,
        side_p50_ms=side_p50,
        side_p95_ms=side_p95,
        kept=sum(one.cached for one in kept),
        kept_p50_ms=kept_p50,
        kept_p95_ms=kept_p95,
        slowest=tuple(sorted(alone, key=lambda one: -one.milliseconds)[:5]),
        service_peak_bytes=watch.peak,
        first_seconds=first.seconds,
        first_peak_bytes=first.peak_bytes,
        cold_seconds=round(median(one.seconds for one in cold), 2),
        cold_peak_bytes=max(peaks, default=None),
    )


def _lake(order: Order, report: Callable[[str], None]) -> Path:
    """The lake of way (b), or one that is built now and not measured."""
    site, built = Site(order), order.folder / "b"
    if built.is_dir():
        return built
    if not site.landing.is_dir():
        report(f"generating {order.claims:,} claims")
        site.make_input()
    report("building a lake to ask")
    home = site.lake("answers", site.landing)
    made = measured([*_MEDFLOW, "--home", str(home), "--knowledge-base", str(order.knowledge_base), "run", "--date", RUN_DATE, "--json"])
    if made.code:
        raise MedflowError(f"no lake could be built to ask: {end_of(made.said)}")
    return home


def _cold(common: Sequence[str], question: str) -> Measured:
    made = measured([*_with_cache(_KEEPS_NOTHING), *common, "ask", question, "--today", RUN_DATE, "--json"])
    if not made.output.startswith("{"):
        raise MedflowError(f"`medflow ask` failed: {end_of(made.said)}")
    return made


def _with_cache(cache: str) -> list[str]:
    """The command with a cache of its own, whatever the environment names: what others kept would be measured."""
    return ["env", f"MEDFLOW_CACHE={cache}", *_MEDFLOW]


def _again(common: Sequence[str], questions: Sequence[str]) -> list[Asked]:
    """Each question a second time, over one connection."""
    with _service(common, _KEEPS) as (address, _), closing(_connected(address)) as connection:
        for question in questions:
            _ask(address, question)
        return [_ask(address, question, connection) for question in questions]


@contextmanager
def _service(common: Sequence[str], cache: str) -> Iterator[tuple[str, Watch]]:
    """A running service on a free port: its host:port, and what watches its memory."""
    command = [*_with_cache(cache), *common, "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = Watch(process.pid)
    try:
        address = address_of(process)
        with closing(_connected(address)) as connection:
            _sent(connection, "GET", "/ready")
        yield address, watch
    finally:
        watch.end()
        process.terminate()
        process.communicate()


def _ask(address: str, question: str, connection: http.client.HTTPConnection | None = None) -> Asked:
    """A question over a connection that stands, or over one of its own."""
    begun = time.perf_counter()
    asked = connection or _connected(address)
    try:
        answer = _sent(asked, "POST", "/ask", {"question": question, "today": RUN_DATE})
    finally:
        if connection is None:
            asked.close()
    status = answer["status"] if "rows" in answer else "failed"
    return Asked(question, status, (time.perf_counter() - begun) * 1000, answer.get("cached", False))


def _connected(address: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(address, timeout=_PATIENCE_S)


def _sent(connection: http.client.HTTPConnection, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"} if body else {}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return answer
