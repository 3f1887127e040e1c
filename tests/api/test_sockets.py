"""Questions over a socket: the answer is that of `POST /ask`, each step is told, and what is no message harms nothing."""

from __future__ import annotations

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.server import Server
from tests.api.socket_client import talking
from tests.api.test_endpoints import lasting

_STEPS = ["router", "planner", "retrieval", "generator", "validator", "executor", "analyzer", "explainer", "suggester"]
_KEPT = [step for step in _STEPS if step not in ("generator", "validator")]


def test_an_answer_with_its_steps(server: Server) -> None:
    """Each step begins and ends in its turn, `seq` rises by one, every message has the id, and the answer is the other's."""
    with talking(server) as talk:
        talk.ask("billed amount by specialty in 2025")
        answer = talk.hear_of("answer")["answer"]
        begun = [message["step"] for message in talk.heard if message["type"] == "step_started"]
        ended = [message for message in talk.heard if message["type"] == "step_finished"]
        assert begun == [message["step"] for message in ended] == _STEPS
        assert all(message["summary"] and message["ms"] >= 0 for message in ended)
        talk.ask("billed amount by specialty in 2025", "two")
        again = talk.hear_of("answer")["answer"]
        assert [message["step"] for message in talk.heard if message["type"] == "step_started"][len(_STEPS) :] == _KEPT
        assert [message["seq"] for message in talk.heard] == list(range(1, len(talk.heard) + 1))
        assert {message["id"] for message in talk.heard} == {"one", "two"}
    posted = lasting(server.ask("billed amount by specialty in 2025"))
    assert lasting(answer) == lasting(again) == posted
    assert (answer["cached"], again["cached"]) == (False, True)


def test_summaries_hold_no_cell(server: Server) -> None:
    """Counts and names of tables, as what a step did; no value of a row, no group."""
    with talking(server) as talk:
        talk.ask("Which payer has the highest denial rate?")
        answer = talk.hear_of("answer")["answer"]
        told = {message["step"]: message["summary"] for message in talk.heard if message["type"] == "step_finished"}
    assert told["planner"].startswith("1 metric, 1 group")
    assert told["executor"].startswith("rows: 1")
    cells = {str(cell) for row in answer["rows"] for cell in row}
    assert cells
    assert not [one for one in cells if one in " ".join(told.values())]


def test_what_is_no_message(server: Server) -> None:
    """An error with the id, where one can be read; the socket goes on."""
    wrong = [
        ("", 400, ""),
        ("{nope", 400, ""),
        ("[" * 50_000, 400, ""),
        ("[]", 422, ""),
        ('"ask"', 422, ""),
        ('{"type": "ask", "id": "a"}', 422, "a"),
        ('{"type": "ask", "id": "../a", "question": "claims"}', 422, ""),
        ('{"type": "ask", "question": "claims"}', 422, ""),
        ('{"type": "drop", "id": "a"}', 422, "a"),
        ('{"type": "ask", "id": "a", "question": "claims", "role": "engineer"}', 422, "a"),
        ('{"type": "ask", "id": "a", "question": NaN}', 422, "a"),
        ('{"type": "ask", "id": "a", "option_id": "1", "conversation_id": "unheard-of"}', 422, "a"),
        ('{"type": "cancel", "id": "a"}', 404, "a"),
        ("x" * 64_001, 413, ""),
        (b"\xff\xfe", 400, ""),
    ]
    with talking(server) as talk:
        for text, status, id_ in wrong:
            talk.connection.send(text)
            while (message := talk.hear())["type"] != "error":
                pass
            assert (message["problem"]["status"], message["id"]) == (status, id_), text[:80]
            assert message["problem"]["type"].startswith("urn:medflow:problem:")
        talk.ask("claims by payer")
        assert talk.hear_of("answer")["answer"]["status"] == "answered"
        assert [message["seq"] for message in talk.heard] == list(range(1, len(talk.heard) + 1))


def test_a_message_beyond_all_measure_closes_the_socket(server: Server) -> None:
    with talking(server) as talk:
        talk.connection.send("x" * 1_100_000)
        with pytest.raises(ConnectionClosed) as closed:
            talk.hear()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert server.client.get("/health").status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost"])
def test_a_page_of_another_site_opens_none(origin: str, server: Server) -> None:
    """403 in place of a socket; a page of this server, and who is no page, have one."""
    with pytest.raises(InvalidStatus) as refused, talking(server, origin=origin):
        pass
    assert refused.value.response.status_code == 403
    with talking(server, origin=server.url) as talk:
        talk.ask("hello")
        assert talk.hear_of("answer")["answer"]["kind"] == "greeting"


@pytest.mark.parametrize(
    ("address", "host", "status"), [("/ws/ask", "evil.example", 421), ("/ws/ask?role=engineer", "", 400), ("/ws", "", 403)]
)
def test_no_socket_there(address: str, host: str, status: int, server: Server) -> None:
    """By another name of this machine, with a parameter, or elsewhere."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    reply = httpx.get(server.url + address, headers=headers | ({"Host": host} if host else {}))
    assert reply.status_code == status
