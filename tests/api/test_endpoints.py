"""What each address answers."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx
import pytest

from medflow.specs.policy import load_policies
from medflow.specs.tables import load_tables
from rag_backend.api.bodies import Answer, Tables
from rag_backend.assistant import opened
from tests.api.server import TODAY, Server, serving
from tests.support.lake import Lake

_COUNTED = {"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "payer"}]}
_PASSING = {"answer_id", "conversation_id", "timings", "cached"}


def lasting(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs from one asking to the next."""
    return {name: value for name, value in answer.items() if name not in _PASSING}


@pytest.mark.parametrize("question", ["claims by payer", "Which payer has the highest denial rate?", "what is a denial rate", "hello"])
def test_an_answer_is_the_command_line_s(question: str, server: Server, small: Lake) -> None:
    """The same walk over the same table: only ids, milliseconds and whether it was kept differ."""
    with opened(small.settings, "analyst") as assistant:
        expected = assistant.ask(question, date.fromisoformat(TODAY))
    answer = server.ask(question)
    Answer.model_validate(answer)
    assert answer["status"] == "answered"
    assert lasting(answer) == lasting(expected)


def test_a_typed_query_is_answered(server: Server) -> None:
    """What the planner writes for a question, sent as it is, gives its rows."""
    asked = server.ask("claims by payer")
    typed = server.answer("/ask", typed_query=_COUNTED)
    again = server.answer("/ask", typed_query=asked["typed_query"])
    assert typed["rows"] == asked["rows"] == again["rows"]
    assert typed["status"] == "answered"
    assert typed["interpretation"]


@pytest.mark.parametrize(
    "query",
    [
        {"metrics": [{"id": "nothing"}]},
        {"metrics": []},
        {"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "nothing"}]},
        {"metrics": [{"id": "claim_count"}], "where": [[{"dim": "payer", "op": "in", "values": ["nobody"]}]]},
        {"metrics": [{"id": "claim_count"}], "where": [[{"dim": "paid_date", "op": "lt", "values": ["yesterday"]}]]},
        {"metrics": [{"id": "claim_count"}], "where": [[{"dim": "", "op": "in", "values": ["x"]}]]},
        {"metrics": [{"id": "claim_count"}], "group_by": [{"dim": ""}]},
        {"metrics": [{"id": "claim_count"}], "time": {"date": "paid_date", "to": "0001-01-01"}},
        {"form": "list"},
    ],
)
def test_a_typed_query_passes_the_same_checks(query: dict[str, Any], server: Server) -> None:
    """What has no answer is refused with a reason, and no number."""
    answer = server.answer("/ask", typed_query=query)
    assert (answer["status"], answer["rows"]) == ("refused", [])
    assert answer["explanation"]


@pytest.mark.parametrize(
    "value", ["x\\' OR 1=1 --", "x' OR '1'='1", "'; DROP TABLE t; --", "O'Neil", "\\", "x' UNION SELECT member_id FROM m --"]
)
def test_a_value_stays_a_value(value: str, server: Server) -> None:
    """Whatever a typed query's value looks like, it is compared and never read as SQL; a backslash is refused."""
    where = [[{"dim": "provider_state", "op": "in", "values": [value]}]]
    answer = server.answer("/ask", typed_query={"metrics": [{"id": "claim_count"}], "where": where})
    expected = ("refused", []) if "\\" in value else ("answered", [[0]])
    assert (answer["status"], answer["rows"]) == expected


@pytest.mark.parametrize(
    ("question", "reason"), [("claims for Cigna", "unknown_value"), ("forecast claims next year", "prediction_or_advice"), ("", "")]
)
def test_a_refusal_is_an_answer(question: str, reason: str, server: Server) -> None:
    """200, with a reason of the closed list and no number."""
    answer = server.ask(question)
    assert (answer["status"], answer["rows"]) == ("refused", [])
    assert answer["reason_code"] == (reason or "not_understood")


def test_today_counts(server: Server) -> None:
    """A relative date counts from the day that is given; without one, from the clock's."""
    first = server.answer("/ask", question="claims last month", today="2026-05-15")
    second = server.answer("/ask", question="claims last month", today="2026-06-15")
    assert (first["window"]["from"], second["window"]["from"]) == ("2026-04-01", "2026-05-01")
    assert server.answer("/ask", question="claims last month")["status"] in ("answered", "refused")


def test_sql_passes_the_same_proof(server: Server) -> None:
    """What the role may read is answered; a hidden column and a file are refused; what cannot be computed is a problem without data."""
    assert server.answer("/sql", sql="SELECT COUNT(*) AS n FROM healthcare.claims_clean")["rows"][0][0] > 2000
    assert server.answer("/sql", sql="SELECT member_id FROM healthcare.claims_clean")["reason_code"] == "not_permitted"
    assert server.answer("/sql", sql="SELECT * FROM read_csv('/etc/hostname')")["reason_code"] == "unsafe"
    failed = server.client.post("/sql", json={"sql": "SELECT CAST(claim_id AS INTEGER) AS n FROM healthcare.claims_clean"})
    problem = server.problem(failed, 422)
    assert problem["type"] == "urn:medflow:problem:query-failed"
    assert "cannot be converted" in problem["detail"]


def test_numbers_that_json_cannot_hold_are_text(server: Server) -> None:
    """Infinity stands in a column of doubles as its name."""
    answer = server.answer("/sql", sql="SELECT CAST('inf' AS DOUBLE) AS a, CAST('nan' AS DOUBLE) AS b, 1.5 AS c")
    assert answer["rows"] == [["Infinity", "NaN", "1.5"]]


def test_tables_are_those_of_the_role(server: Server, small: Lake) -> None:
    """Every readable table and column with its type and what it means; nothing else."""
    told = Tables.model_validate(server.client.get("/tables").json())
    tables = load_tables(small.knowledge_base)
    policy = load_policies(small.knowledge_base, tables)["analyst"]
    assert {table.name: {c.name for c in table.columns} for table in told.tables} == {n: set(cs) for n, cs in policy.tables.items()}
    assert told.release == small.release().number
    assert all(column.type and column.about for table in told.tables for column in table.columns if table.name != "x")
    assert "member_id" not in {column.name for table in told.tables for column in table.columns}


def test_health_and_readiness(server: Server) -> None:
    assert server.client.get("/health").json() == {"status": "up"}
    assert server.client.get("/ready").json() == {"status": "ready", "release": 1, "engine": "duckdb", "notice": ""}


def test_the_role_is_the_server_s(small: Lake) -> None:
    """Who is served as `business` reads no lines and sends no SQL."""
    with serving(small, role="business") as server:
        assert server.answer("/sql", sql="SELECT 1 AS one")["reason_code"] == "not_permitted"
        assert "healthcare.claims_clean" not in {table["name"] for table in server.client.get("/tables").json()["tables"]}
        assert server.client.get("/ready").status_code == 200


def test_the_pages(server: Server) -> None:
    """Swagger stands at /api-docs, loads nothing from elsewhere, and there is no other page."""
    page = server.client.get("/api-docs")
    assert page.status_code == 200
    assert "http" not in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert server.client.get(f"/api-docs/{name}").status_code == 200
    for name in ("/docs", "/redoc", "/"):
        server.problem(server.client.get(name), 404)
    paths = server.client.get("/openapi.json").json()["paths"]
    asked = {"/ask", "/ask/{answer_id}/cancel", "/sql", "/answers/{answer_id}", "/answers/{answer_id}/download", "/feedback"}
    known = {"/tables", "/examples", "/metrics-catalog", "/values", "/health", "/ready"}
    assert set(paths) == asked | known | {f"/pipeline/{name}" for name in ("releases", "batches", "files", "quality", "quarantine")}


def test_replies_are_for_the_asker_alone(server: Server) -> None:
    """Not stored, not framed, not sniffed; no cookie, no other site, no word on the server."""
    for reply in (server.client.get("/tables"), server.client.get("/nothing"), server.client.get("/api-docs")):
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
        assert not {"set-cookie", "server"} & set(reply.headers)
        assert not [name for name in reply.headers if name.startswith("access-control-")]
    preflight = {"Origin": server.url, "Access-Control-Request-Method": "POST"}
    assert not httpx.options(f"{server.url}/ask", headers=preflight).is_success
