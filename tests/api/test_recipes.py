"""An answer can be looked at again: computed anew from how it came about, on its release, as far as the role may read now."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from medflow.lakehouse.database import connect, writing
from medflow.lakehouse.ledger import Ledger
from rag_backend.model.scripted import KEY, Rule, ScriptedModel
from tests.api.server import Server, serving
from tests.api.test_endpoints import lasting
from tests.api.test_service import long_sql, spent, until
from tests.planners.replies import sql
from tests.support.lake import Lake

# What a reading of the question tells and a typed query does not, and what a run tells of itself
_OF_THE_READING = {"notices", "tokens", "cost", "planner", "question"}


def again(server: Server, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer of an earlier one's id."""
    reply = server.client.get(f"/answers/{answer['answer_id']}")
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def same(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in lasting(answer).items() if name not in _OF_THE_READING}


@pytest.fixture(scope="module")
def own(small: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A copy whose records nobody else writes."""
    lake = Lake(tmp_path_factory.mktemp("recipes") / "lake")
    shutil.copytree(small.home, lake.home, ignore=shutil.ignore_patterns("app.db*"))
    return lake


@pytest.fixture(scope="module")
def served(own: Lake) -> Iterator[Server]:
    with serving(own) as server:
        yield server


@pytest.mark.parametrize(
    "question",
    [
        "claims by payer",
        "Which payer has the highest denial rate?",
        "How many claims are there by payer, and how many members by sex?",
        "what is a denial rate",
        "hello",
        "what is the cost by payer",
        "will denials rise next year?",
    ],
)
def test_the_same_again(question: str, served: Server) -> None:
    """Rows, SQL, words, chart and follow-ups; under its id and its conversation."""
    answer = served.ask(question)
    found = again(served, answer)
    assert same(found) == same(answer)
    assert (found["answer_id"], found["conversation_id"]) == (answer["answer_id"], answer["conversation_id"])
    assert (found["question"], found["lane"]) == (answer["question"], answer["lane"])


def test_typed_queries_options_and_sql_too(served: Server) -> None:
    typed = served.answer("/ask", typed_query={"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "payer"}]})
    asked_back = served.ask("what is the cost by payer")
    chosen = served.answer("/ask", option_id=asked_back["options"][1]["id"], conversation_id=asked_back["conversation_id"])
    written = served.answer("/sql", sql="SELECT payer_id, COUNT(*) AS n FROM healthcare.claims_clean GROUP BY payer_id ORDER BY n")
    for answer in (typed, chosen, written):
        assert answer["rows"]
        assert same(again(served, answer)) == same(answer)


def test_an_id_of_one_s_own_is_used_once(served: Server) -> None:
    """What was answered under it stays."""
    name = uuid.uuid4().hex
    answer = served.ask("claims by payer", answer_id=name)
    assert answer["answer_id"] == name
    problem = served.problem(served.client.post("/ask", json={"question": "hello", "answer_id": name}), 409)
    assert problem["type"] == "urn:medflow:problem:answer-id-taken"
    served.problem(served.client.post("/sql", json={"sql": "SELECT 1 AS one", "answer_id": name}), 409)
    assert again(served, answer)["question"] == "claims by payer"


def test_an_answer_that_there_is_not(served: Server) -> None:
    served.problem(served.client.get(f"/answers/{uuid.uuid4().hex}"), 404)
    served.problem(served.client.get("/answers/1"), 422)
    served.problem(served.client.get(f"/answers/{uuid.uuid4().hex}?role=engineer"), 400)


def test_what_is_stored_holds_no_row(own: Lake, served: Server) -> None:
    """Every text of every table of the application's database: questions and SQL, and no cell of any answer."""
    answers = [
        served.ask("billed amount by provider"),
        served.ask("paid amount by specialty"),
        served.answer("/sql", sql="SELECT claim_id, billed_amount FROM healthcare.claims_clean ORDER BY claim_id LIMIT 200"),
    ]
    cells = {str(cell) for answer in answers for row in answer["rows"] for cell in row if len(str(cell)) > 6}
    assert len(cells) > 100
    kept = b"".join(path.read_bytes() for path in own.home.glob("app.db*"))
    assert b"billed amount by provider" in kept
    declared = json.dumps(served.client.get("/values?dim=specialty").json())
    assert not [cell for cell in cells if cell.encode() in kept and cell not in declared]


def test_the_role_that_looks_decides(own: Lake) -> None:
    """What an engineer was told is refused to an analyst, and what an analyst was told is masked for business."""
    with serving(own, role="engineer") as server:
        private = server.answer("/sql", sql="SELECT member_id FROM healthcare.claims_clean ORDER BY member_id LIMIT 5")
        assert len(private["rows"]) == 5
    with serving(own) as server:
        refused = again(server, private)
        assert (refused["status"], refused["reason_code"], refused["rows"]) == ("refused", "not_permitted", [])
        server.problem(server.client.get(f"/answers/{private['answer_id']}/download"), 409)
        small_numbers = server.ask("how many denied claims by denial code")
        assert not small_numbers["suppressed_cells"]
    with serving(own, role="business") as server:
        masked = again(server, small_numbers)
        assert masked["status"] == "answered"
        assert masked["suppressed_cells"]
        text = server.client.get(f"/answers/{small_numbers['answer_id']}/download").content.decode("utf-8-sig")
        shown = text.splitlines()
        assert shown[0].endswith(',"Not shown"')
        row, column, _ = masked["suppressed_cells"][0]
        label = next(one["label"] for one in masked["columns"] if one["name"] == column)
        assert label in shown[row + 1].rpartition(',"')[2]
        assert ",," in shown[row + 1]


def test_a_crash_leaves_that_it_was_interrupted(own: Lake) -> None:
    """Written before the question is read: another process tells it."""
    name = uuid.uuid4().hex
    with serving(own) as server, ThreadPoolExecutor(1) as pool:
        server.ask("claims by payer")
        before = spent(server)
        body = {"sql": long_sql(), "answer_id": name}
        pool.submit(httpx.post, f"{server.url}/sql", json=body, timeout=60)
        assert until(lambda: spent(server) > before + 0.3, 60)
        subprocess.run(["kill", "-KILL", str(server.process.pid)], check=True)
        server.process.wait(30)
    with serving(own) as server:
        found = again(server, {"answer_id": name})
    assert (found["status"], found["reason_code"], found["kind"], found["rows"]) == ("failed", "interrupted", "sql", [])
    assert found["explanation"]


def test_a_model_is_not_asked_again(own: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL that a model wrote is run as it was written, and said to be so."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    rules = [Rule(contains="pairs of lines", reply=sql("SELECT payer_id, COUNT(*) AS n FROM healthcare.claims_clean GROUP BY payer_id"))]
    with ScriptedModel(rules) as model, serving(own, planner="claude", model_base_url=model.url) as server:
        answer = server.ask("pairs of lines of one payer")
        assert (answer["lane"], answer["status"]) == ("ad_hoc", "answered")
        asked = len(model.requests)
        found = again(server, answer)
        assert len(model.requests) == asked
    assert sorted(found["rows"]) == sorted(answer["rows"])
    assert found["lane"] == "ad_hoc"
    assert "unverified" in {notice["code"] for notice in found["notices"]}


def test_its_release_and_no_other(tmp_path: Path) -> None:
    """A later release changes nothing in it; when its own is given up, that is said."""
    lake = Lake(tmp_path / "lake")
    lake.generate(150)
    shutil.move(lake.landing / "aetna", tmp_path / "aetna")
    lake.run()
    with serving(lake) as server:
        first = server.ask("claims by payer")
        shutil.move(tmp_path / "aetna", lake.landing / "aetna")
        lake.run()
        second = server.ask("claims by payer")
        assert len(second["rows"]) == len(first["rows"]) + 1
        assert again(server, first)["rows"] == first["rows"]
        assert again(server, second)["rows"] == second["rows"]
        assert server.client.get("/pipeline/releases").json()["total"] == 2
        engine = connect(lake.settings.catalog)
        with writing(engine) as connection:
            Ledger(engine).add_expired(connection, [1], lake.release().run_date)
        for address in (f"/answers/{first['answer_id']}", f"/answers/{first['answer_id']}/download"):
            problem = server.problem(server.client.get(address), 410)
            assert problem["type"] == "urn:medflow:problem:release-expired"
        given_up = server.client.get("/pipeline/releases").json()["releases"][1]
        assert (given_up["release"], given_up["tables"]) == (1, {})
        assert given_up["expired_on"]


def test_a_database_that_cannot_be_written_is_a_problem(own: Lake, tmp_path: Path) -> None:
    """503 that says so, and no answer without its recipe."""
    path = tmp_path / "app.db"
    with serving(own, app_db=f"sqlite:///{path}") as server:
        server.ask("claims by payer")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE medflow_answers")
            connection.commit()
        problem = server.problem(server.client.post("/ask", json={"question": "claims by payer"}), 503)
        assert problem["type"] == "urn:medflow:problem:storage-unavailable"
        assert str(path) not in json.dumps(problem)
