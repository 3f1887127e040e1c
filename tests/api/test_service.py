"""The server over time: questions side by side, askers that go away, releases that come, its own end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import httpx
import pytest

from medflow.cli import ended, medflow
from tests.api.server import Server, serving
from tests.api.test_endpoints import lasting
from tests.support.lake import Lake

_QUESTIONS = [
    "claims by payer",
    "Which payer has the highest denial rate?",
    "denial rate by month",
    "billed amount by specialty",
    "top 5 providers by paid amount",
    "claims for Cigna",
    "what is the cost by payer",
    "what is a denial rate",
    "How many distinct members had a claim in 2026?",
    "hello",
]
_LONG = "SELECT COUNT(*) AS n FROM {tables} WHERE {same}"


def long_sql() -> str:
    """A query that would take minutes: all pairs of pairs of pairs of lines of one payer."""
    names = "abcd"
    tables = ", ".join(f"healthcare.claims_clean AS {name}" for name in names)
    same = " AND ".join(f"a.payer_id = {name}.payer_id AND a.claim_id >= {name}.claim_id" for name in names[1:])
    return _LONG.format(tables=tables, same=same)


def workers(server: Server) -> list[int]:
    """The processes that the server has started."""
    listed = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    return [int(pid) for path in listed for pid in path.read_text().split()]


def spent(server: Server) -> float:
    """Seconds that the workers have computed."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split() for pid in workers(server)]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def until(true: Callable[[], object], seconds: float = 10.0) -> bool:
    """Whether something becomes true in time."""
    latest = time.monotonic() + seconds
    while time.monotonic() < latest:
        if true():
            return True
        time.sleep(0.05)
    return False


def test_side_by_side_as_one_after_the_other(server: Server) -> None:
    """Questions at once have the answers that they have alone; the server goes on answering the while."""
    alone = {question: lasting(server.ask(question)) for question in _QUESTIONS}
    asked = _QUESTIONS * 4
    Random(7).shuffle(asked)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda question: lasting(server.ask(question)), asked))
    assert found == [alone[question] for question in asked]


def test_who_goes_away_stops_the_query(server: Server) -> None:
    """Both workers are busy with minutes of work; when their askers have gone, the next question is answered at once."""
    for _ in range(2):
        with ThreadPoolExecutor(2) as pool:
            gone = [pool.submit(httpx.post, f"{server.url}/sql", json={"sql": long_sql()}, timeout=1.5) for _ in range(2)]
            for one in gone:
                with pytest.raises(httpx.ReadTimeout):
                    one.result()
        begun = time.monotonic()
        assert server.ask("claims by payer")["status"] == "answered"
        assert time.monotonic() - begun < 5


def test_a_long_query_is_over_limit(small: Lake) -> None:
    """The setting's seconds hold for the service; the server listens while the query runs."""
    with serving(small, query_timeout_s="2") as server:
        server.ask("claims by payer")
        with ThreadPoolExecutor(1) as pool:
            long = pool.submit(server.answer, "/sql", sql=long_sql())
            for _ in range(10):
                begun = time.monotonic()
                assert httpx.get(f"{server.url}/health").status_code == 200
                assert time.monotonic() - begun < 2
            assert long.result()["reason_code"] == "over_limit"


def test_too_many_at_once_are_sent_away(small: Lake) -> None:
    """503 with a time to come back, for those beyond the places; the others are answered or told of their limit."""
    with serving(small, query_timeout_s="2") as server:
        server.ask("claims by payer")
        with ThreadPoolExecutor(50) as pool:
            replies = list(pool.map(lambda _: httpx.post(f"{server.url}/sql", json={"sql": long_sql()}, timeout=60), range(50)))
        sent_away = [reply for reply in replies if reply.status_code == 503]
        assert sent_away
        for reply in sent_away:
            assert server.problem(reply, 503)["type"] == "urn:medflow:problem:busy"
            assert reply.headers["retry-after"]
        assert {reply.json()["reason_code"] for reply in replies if reply.status_code == 200} == {"over_limit"}
        assert server.ask("claims by payer")["status"] == "answered"


def test_a_new_release_is_picked_up(tmp_path: Path) -> None:
    """No release: not ready, and a problem. The first and the second are answered from as soon as they are published."""
    lake = Lake(tmp_path / "lake")
    lake.generate(300)
    shutil.move(lake.landing / "unitedhealth", tmp_path / "later")
    with serving(lake) as server:
        assert server.client.get("/health").status_code == 200
        for reply in (server.client.get("/ready"), server.client.get("/tables"), server.client.post("/ask", json={"question": "claims"})):
            problem = server.problem(reply, 503)
            assert str(tmp_path) not in str(problem)
        lake.run()
        assert server.client.get("/ready").json()["release"] == 1
        first = server.ask("claims by payer")
        assert {row[0] for row in first["rows"]} == {"BlueCross", "Aetna"}
        shutil.move(tmp_path / "later", lake.landing / "unitedhealth")
        lake.run()
        second = server.ask("claims by payer")
        assert (first["release"]["number"], second["release"]["number"]) == (1, 2)
        assert {row[0] for row in second["rows"]} == {"BlueCross", "Aetna", "UnitedHealth"}
        assert server.client.get("/ready").json()["release"] == 2


def test_an_answer_is_of_one_release(tmp_path: Path) -> None:
    """Asked without a pause while a release comes, every answer has the rows of the release that it names."""
    lake = Lake(tmp_path / "lake")
    lake.generate(100)
    shutil.move(lake.landing / "aetna", tmp_path / "aetna")
    lake.run()
    answers: list[dict] = []
    over = threading.Event()
    with serving(lake) as server, ThreadPoolExecutor(3) as pool:

        def asking() -> None:
            while not over.is_set():
                answers.append(server.ask("claims by payer"))

        try:
            asked = [pool.submit(asking) for _ in range(3)]
            assert until(lambda: answers, 60)
            shutil.move(tmp_path / "aetna", lake.landing / "aetna")
            lake.run()
            assert until(lambda: answers[-1]["release"]["number"] == 2, 60)
        finally:
            over.set()
        for one in asked:
            one.result()
    assert {(answer["release"]["number"], len(answer["rows"])) for answer in answers} == {(1, 2), (2, 3)}


@pytest.mark.parametrize("number", ["TERM", "INT"])
def test_the_end_leaves_nothing_behind(number: str, small: Lake) -> None:
    """Stopped in the middle of a query: exit 0 in seconds, no word of a fault, no worker left."""
    with serving(small) as server, ThreadPoolExecutor(1) as pool:
        server.ask("claims by payer")
        long = pool.submit(httpx.post, f"{server.url}/sql", json={"sql": long_sql()}, timeout=60)
        before = spent(server)
        assert until(lambda: spent(server) > before + 0.3, 60)
        started = workers(server)
        begun = time.monotonic()
        subprocess.run(["kill", f"-{number}", str(server.process.pid)], check=True)
        _, said = server.process.communicate(timeout=30)
        assert time.monotonic() - begun < 15
        assert server.process.returncode == 0
        assert "Traceback" not in said
        assert started
        assert until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in started))
        assert server.problem(long.result(), 503)["type"] == "urn:medflow:problem:stopped"


def test_wrong_use_of_the_command(small: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that others reach, a port that is taken, a role or a setting that there is not: exit 2 with what is allowed."""
    for name, value in small.environment().items():
        monkeypatch.setenv(name, value)

    def told(*arguments: str) -> str:
        assert ended(medflow, "medflow", ["serve", *arguments]) == 2
        return capsys.readouterr().err

    for host in ("0.0.0.0", "::", "192.168.0.1", "example.org"):
        assert "127.0.0.1, localhost, ::1" in told("--host", host)
    assert "there is no role 'nobody'; allowed: " in told("--role", "nobody", "--port", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "MEDFLOW_API_PORT" in told("--port", port)
        monkeypatch.setenv("MEDFLOW_API_PORT", port)
        assert f"port {port} of 127.0.0.1 cannot be used" in told()
    monkeypatch.setenv("MEDFLOW_AUTH", "on")
    assert "MEDFLOW_AUTH" in told()


def test_without_the_extra(small: Lake) -> None:
    """The command says what to install."""
    code = "import sys; sys.modules['fastapi'] = None; from medflow.cli import main; main(['serve'])"
    done = subprocess.run([sys.executable, "-c", code], env=small.environment(), cwd=os.path.curdir, capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install 'medflow[serve]'" in done.stderr
