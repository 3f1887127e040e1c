"""Whoever gives up stops the engine's query and the model's call: by a message, by closing the socket, by the answer's id."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from rag_backend.model.scripted import KEY, Rule, ScriptedModel
from tests.api.server import Server, serving
from tests.api.socket_client import talking
from tests.api.test_service import long_sql, spent, until
from tests.planners.replies import sql
from tests.support.lake import Lake

_LONG, _SLOW = "pairs of lines of one payer", "how slow is the model"


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    """A model that answers one question with minutes of SQL, and another one not at all."""
    rules = [Rule(contains=_LONG, reply=sql(long_sql())), Rule(contains=_SLOW, first_byte_s=600)]
    with pytest.MonkeyPatch.context() as patch, ScriptedModel(rules) as model:
        patch.setenv("ANTHROPIC_API_KEY", KEY)
        for name in ("ANTHROPIC_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        yield model


@pytest.fixture(scope="module")
def asked(model: ScriptedModel, small: Lake) -> Iterator[Server]:
    """A server whose questions that model reads; its queries may take ten minutes."""
    with serving(small, planner="claude", model_base_url=model.url, query_timeout_s="600") as server:
        yield server


def is_idle(server: Server) -> bool:
    """Whether no worker computes any more."""
    before = spent(server)
    time.sleep(1)
    return spent(server) - before < 0.3


def is_busy(server: Server) -> bool:
    before = spent(server)
    return until(lambda: spent(server) > before + 0.3, 60)


def test_a_message_stops_the_query(asked: Server) -> None:
    """The engine computes until the message comes, and then no more; the next question has an answer. Another one meanwhile has none."""
    with talking(asked) as talk:
        talk.ask(_LONG)
        talk.until_step("executor")
        assert is_busy(asked)
        talk.ask("hello", "two")
        assert talk.hear()["problem"]["type"] == "urn:medflow:problem:one-at-a-time"
        talk.say(type="cancel", id="two")
        assert talk.hear()["problem"]["status"] == 404
        talk.say(type="cancel", id="one")
        ended = talk.hear()
        assert (ended["id"], ended["type"], ended["problem"]["type"]) == ("one", "error", "urn:medflow:problem:cancelled")
        assert until(lambda: is_idle(asked), 120)
        talk.ask("SELECT", "three", conversation_id="next")
        while talk.hear()["type"] not in ("answer", "error"):
            pass
        assert talk.heard[-1]["id"] == "three"


def test_a_closed_socket_stops_the_query(asked: Server) -> None:
    """Closed with a good-bye or without."""
    for rude in (False, True):
        with talking(asked) as talk:
            talk.ask(_LONG)
            talk.until_step("executor")
            assert is_busy(asked)
            if rude:
                talk.connection.socket.close()
        assert until(lambda: is_idle(asked), 120)


def test_a_closed_socket_stops_the_call_of_the_model(asked: Server, model: ScriptedModel) -> None:
    """The model's server sees its client go."""
    with talking(asked) as talk:
        talk.ask(_SLOW)
        assert until(lambda: any(_SLOW in str(one.body) for one in model.requests), 30)
        assert not [one for one in model.requests if one.left]
    assert until(lambda: [one for one in model.requests if one.left])


def test_an_answer_s_id_stops_the_question(asked: Server) -> None:
    """From elsewhere: the asker is told, whether by a reply or over a socket; who comes too late is told that, too."""
    name = uuid.uuid4().hex
    address = f"{asked.url}/ask/{name}/cancel"
    asked.problem(httpx.post(address), 404)
    body = {"question": _LONG, "answer_id": name}
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(httpx.post, f"{asked.url}/ask", json=body, timeout=60)
        assert is_busy(asked)
        asked.problem(httpx.post(f"{asked.url}/ask", json=body), 409)
        assert httpx.post(address).json() == {"answer_id": name, "cancelled": True}
        assert asked.problem(long.result(), 503)["type"] == "urn:medflow:problem:cancelled"
    assert until(lambda: is_idle(asked), 120)
    asked.problem(httpx.post(address), 404)
    answer = asked.client.get(f"/answers/{name}").json()
    assert (answer["status"], answer["reason_code"], answer["rows"]) == ("failed", "cancelled", [])
    with talking(asked) as talk:
        other = uuid.uuid4().hex
        talk.ask(_LONG, answer_id=other)
        talk.until_step("executor")
        assert httpx.post(f"{asked.url}/ask/{other}/cancel").status_code == 200
        assert talk.hear()["problem"]["type"] == "urn:medflow:problem:cancelled"


@pytest.mark.parametrize("name", ["x", "A" * 32, "a" * 31, "../ask"])
def test_an_id_that_is_none(name: str, asked: Server) -> None:
    assert httpx.post(f"{asked.url}/ask/{name}/cancel").status_code in (404, 422)
    asked.problem(httpx.post(f"{asked.url}/ask", json={"question": "claims", "answer_id": name}), 422)
