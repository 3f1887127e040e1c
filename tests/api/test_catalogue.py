"""What a page can offer: questions that work, metrics and dimensions as declared, values that anybody may know."""

from __future__ import annotations

import pytest

from medflow.specs.examples import load_examples
from medflow.specs.semantic import load_semantic_model
from tests.api.server import Server, serving
from tests.api.test_service import until
from tests.support.lake import Lake


def examples(server: Server) -> dict:
    return server.client.get("/examples").json()


_ENOUGH = 15


@pytest.mark.parametrize(("role", "cache"), [("analyst", "none://"), ("business", "memory://")])
def test_examples_have_answers(role: str, cache: str, small: Lake) -> None:
    """Approved questions, each of which this role is answered with rows, also where nothing is kept. Of what, and of when, is told."""
    declared = {one.question for one in load_examples(small.knowledge_base).by_id.values()}
    with serving(small, role=role, cache=cache) as server:
        assert until(lambda: len(examples(server)["examples"]) >= _ENOUGH, 240)
        told = examples(server)
        asked = [one["question"] for one in told["examples"]]
        assert len(set(asked)) == len(asked)
        assert set(asked) <= declared
        assert len({one["topic"] for one in told["examples"]}) > 1
        assert (told["release"], told["role"]) == (1, role)
        assert told["title"].startswith(told["spans"][0]["label"].capitalize())
        assert told["spans"][0]["from"] < told["spans"][0]["to"]
        for question in asked[::5]:
            answer = server.client.post("/ask", json={"question": question}).json()
            assert answer["status"] == "answered", question
            assert answer["rows"], question


def test_metrics_are_those_of_the_model(server: Server, small: Lake) -> None:
    model = load_semantic_model(small.knowledge_base)
    told = server.client.get("/metrics-catalog").json()
    assert [one["id"] for one in told["metrics"]] == list(model.metrics)
    assert all(one["label"] and one["definition"] for one in told["metrics"])
    assert {one["id"]: one["public"] for one in told["dimensions"]} == {name: d.privacy == "public" for name, d in model.dimensions.items()}


def test_values_of_public_dimensions(server: Server, small: Lake) -> None:
    """As people read them, by how they begin; of a restricted dimension, none."""
    rows = server.ask("claims by payer")["rows"]
    assert server.client.get("/values?dim=payer").json()["values"] == sorted(row[0] for row in rows)
    assert server.client.get("/values?dim=payer&prefix=AE").json()["values"] == ["Aetna"]
    assert server.client.get("/values?dim=payer&prefix=zz").json()["values"] == []
    model = load_semantic_model(small.knowledge_base)
    for name, dimension in model.dimensions.items():
        reply = server.client.get(f"/values?dim={name}")
        if dimension.privacy == "public":
            assert reply.status_code == 200, name
            assert len(reply.json()["values"]) <= 50
        else:
            server.problem(reply, 404)
    server.problem(server.client.get("/values?dim=nothing"), 404)
    server.problem(server.client.get("/values"), 422)
    server.problem(server.client.get("/values?dim=payer&role=engineer"), 422)
