"""A question that was asked back is answered by an option's id, where the options are still known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.api.server import TODAY, Server, serving
from tests.support.lake import Lake

_VAGUE = "what is the cost by payer"


def test_an_option_answers_the_question(server: Server) -> None:
    """Each option gives the rows of its typed query, under the question that was asked; twice if it is chosen twice."""
    asked = server.ask(_VAGUE)
    assert (asked["status"], asked["reason_code"]) == ("clarify", "ambiguous")
    assert len(asked["options"]) > 1
    for one in [*asked["options"], asked["options"][0]]:
        answer = server.answer("/ask", option_id=one["id"], conversation_id=asked["conversation_id"], today=TODAY)
        assert answer["status"] == "answered"
        assert answer["question"] == _VAGUE
        assert answer["typed_query"] == one["typed_query"]
        assert answer["rows"] == server.answer("/ask", typed_query=one["typed_query"])["rows"]


def test_another_question_closes_it(server: Server) -> None:
    """After another question of the conversation the options are gone; those of other conversations stay."""
    first, second = server.ask(_VAGUE, conversation_id="first"), server.ask(_VAGUE, conversation_id="second")
    assert (first["conversation_id"], second["conversation_id"]) == ("first", "second")
    server.ask("claims by payer", conversation_id="first")
    chosen = {"option_id": first["options"][0]["id"]}
    problem = server.problem(server.client.post("/ask", json={**chosen, "conversation_id": "first"}), 422)
    assert "no such option" in problem["detail"]
    assert server.answer("/ask", **chosen, conversation_id="second")["status"] == "answered"


def test_an_option_that_was_not_offered(server: Server) -> None:
    """422; the conversation stays as it was."""
    server.ask(_VAGUE, conversation_id="third")
    server.problem(server.client.post("/ask", json={"option_id": "99", "conversation_id": "third"}), 422)
    assert server.answer("/ask", option_id="1", conversation_id="third")["status"] == "answered"


def test_conversations_do_not_mix(server: Server) -> None:
    """Many at once: each has its own options."""
    vague = [_VAGUE, "claims by payer"] * 6

    def talk(number: int) -> int:
        name = f"many-{number}"
        server.ask(vague[number], conversation_id=name)
        return httpx.post(f"{server.url}/ask", json={"option_id": "1", "conversation_id": name}, timeout=60).status_code

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(talk, range(12))) == [200, 422] * 6


def test_an_option_outlives_its_server(small: Lake) -> None:
    """Another process takes the question up where it was asked back, and what was kept of it holds no row."""
    with serving(small) as first:
        asked = first.ask(_VAGUE, conversation_id="over")
        rows = first.answer("/ask", typed_query=asked["options"][0]["typed_query"])["rows"]
    with serving(small) as second:
        chosen = {"option_id": asked["options"][0]["id"], "conversation_id": "over"}
        answer = second.answer("/ask", **chosen)
        assert (answer["status"], answer["question"], answer["rows"]) == ("answered", _VAGUE, rows)
        assert second.answer("/ask", **chosen)["rows"] == rows
    kept = (small.home / "app.db").read_bytes() + b"".join(path.read_bytes() for path in small.home.glob("app.db-*"))
    assert _VAGUE.encode() in kept
    assert not [amount for _, amount in rows if str(amount).encode() in kept]
