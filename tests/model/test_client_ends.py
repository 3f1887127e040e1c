"""Every way in which a call ends without a reply: the kind of error, how often the server was asked, and that no word leaks."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from typing import Any

import pytest

from rag_backend.engines.base import Cancellation, QueryCancelled
from rag_backend.model.client import AnthropicModel
from rag_backend.model.errors import (
    ModelBroken,
    ModelError,
    ModelMistake,
    ModelOverloaded,
    ModelRefusedKey,
    ModelTimeout,
    ModelUnavailable,
)
from rag_backend.model.scripted import KEY, Answer, Failure, Page, Rule, ScriptedModel, Use
from tests.model.talk import asked, eventually, no_sleep, request, settings

LONG = Answer(text="word " * 2_000)
HOUR = 3_600
SECRET = "what " + "nobody may read"

# fmt: off
ENDS: dict[str, tuple[Rule, type[ModelError], int]] = {  # what is played, what is raised, how often the server is asked
    "a bad request": (Rule(reply=Failure(error=400)), ModelMistake, 1),
    "no such model": (Rule(reply=Failure(error=404)), ModelMistake, 1),
    "too large": (Rule(reply=Failure(error=413)), ModelMistake, 1),
    "a wrong key": (Rule(reply=Failure(error=401)), ModelRefusedKey, 1),
    "no credit": (Rule(reply=Failure(error=402)), ModelRefusedKey, 1),
    "no permission": (Rule(reply=Failure(error=403)), ModelRefusedKey, 1),
    "too many requests": (Rule(reply=Failure(error=429)), ModelOverloaded, 3),
    "overloaded": (Rule(reply=Failure(error=529)), ModelOverloaded, 3),
    "overloaded within the stream": (Rule(reply=Failure(error=529, within=True)), ModelOverloaded, 3),
    "come back in an hour": (Rule(reply=Failure(error=429, retry_after=HOUR)), ModelOverloaded, 1),
    "a server's error": (Rule(reply=Failure(error=500)), ModelBroken, 1),
    "a server's error within the stream": (Rule(reply=Failure(error=500, within=True)), ModelBroken, 1),
    "a wrong request within the stream": (Rule(reply=Failure(error=400, within=True)), ModelMistake, 1),
    "a request time-out": (Rule(reply=Failure(error=408)), ModelBroken, 1),
    "a gateway's page": (Rule(reply=Page(body="<html>502 Bad gateway", status=502)), ModelBroken, 1),
    "a page that says all is well": (Rule(reply=Page(body="<html>Welcome")), ModelBroken, 1),
    "an empty body": (Rule(reply=Page(body="", content_type="text/event-stream")), ModelBroken, 1),
    "JSON in place of a stream": (Rule(reply=Page(body='{"type": "message"}', content_type="application/json")), ModelBroken, 1),
    "half of a JSON event": (Rule(reply=Page(body='event: message_start\ndata: {"type": "mess\n\n', content_type="text/event-stream")), ModelBroken, 1),
    "an event of another form": (Rule(reply=Page(body='event: message_start\ndata: []\n\n', content_type="text/event-stream")), ModelBroken, 1),
    "bytes that are no text": (Rule(reply=Page(body="event: \udcff\n\n".encode("utf-8", "replace").decode(), content_type="text/event-stream")), ModelBroken, 1),
    "a redirection": (Rule(reply=Page(body="", status=307, location="http://127.0.0.1:9/v1/messages")), ModelBroken, 1),
    "cut at once": (Rule(hangs_up=True), ModelBroken, 1),
    "cut in the first event": (Rule(reply=LONG, cut_after=0), ModelBroken, 1),
    "cut in the middle": (Rule(reply=LONG, cut_after=9), ModelBroken, 1),
    "broken input": (Rule(reply=Answer(calls=(Use(tool="count", raw='{"by": "month"'),))), ModelBroken, 1),
    "an input that is no object": (Rule(reply=Answer(calls=(Use(tool="count", raw='["month"]'),))), ModelBroken, 1),
    "an input that is no number": (Rule(reply=Answer(calls=(Use(tool="count", raw='{"by": NaN}'),))), ModelBroken, 1),
    "too long a reply": (Rule(reply=Answer(calls=(Use(tool="count", raw='"' * 200_001),))), ModelBroken, 1),
}
# fmt: on


@pytest.mark.parametrize(("rule", "kind", "times"), ENDS.values(), ids=ENDS)
def test_each_end_has_its_error(rule: Rule, kind: type[ModelError], times: int) -> None:
    """The kind, and no retry but for overload; no word of the question, the key or the server stands in what is raised."""
    with ScriptedModel([rule]) as server:
        model = AnthropicModel(settings(server.url), sleep=no_sleep)
        with pytest.raises(ModelError) as raised:
            model.reply(request(SECRET), Cancellation())
        model.close()
        assert len(server.requests) == times
    assert type(raised.value) is kind
    told = "".join(traceback.format_exception(raised.value))
    for secret in (SECRET, KEY, "scripted ", "Bad gateway"):
        assert secret not in told
    assert raised.value.__cause__ is None and raised.value.__context__ is None


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        ("cut in the middle", "cut"),
        ("broken input", "malformed"),
        ("a gateway's page", "server"),
        ("too long a reply", "too_long"),
        ("a page that says all is well", "malformed"),
    ],
)
def test_what_is_broken_has_a_reason(raised: str, reason: str) -> None:
    """One of a closed list, so that a caller can tell what a repair may mend."""
    with pytest.raises(ModelBroken) as told:
        asked([ENDS[raised][0]])
    assert told.value.reason == reason


def test_a_wrong_key_is_refused_by_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real refusal, not a scripted one; the key is not repeated."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-wrong")
    with pytest.raises(ModelRefusedKey) as raised:
        asked([Rule()])
    assert "sk-wrong" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1", "http://", "nonsense"])
def test_a_server_that_is_not_there_is_unavailable(url: str) -> None:
    """Nobody listens, or the address is none."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        model = AnthropicModel(settings(url or f"http://127.0.0.1:{held.getsockname()[1]}"))
        with pytest.raises(ModelUnavailable, match="MEDFLOW_MODEL_BASE_URL"):
            model.reply(request("how many"), Cancellation())
        model.close()


@pytest.mark.parametrize("busy", [Failure(error=429, retry_after=3), Failure(error=529), Failure(error=529, within=True)])
def test_overload_is_tried_twice_again(busy: Failure) -> None:
    """The third answer is good; waiting is as long as the server asks, else it grows."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    with ScriptedModel([Rule(reply=busy, times=2), Rule(reply=Answer(text="now"))]) as server:
        model = AnthropicModel(settings(server.url), sleep=sleep)
        assert model.reply(request("how many"), Cancellation()).text == "now"
        model.close()
        assert len({one.body for one in server.requests}) == 1 and len(server.requests) == 3
    assert waited == ([3, 3] if busy.retry_after else [0.5, 1.0])


SLOW = {
    "before the first byte": Rule(first_byte_s=HOUR),
    "between the events": Rule(reply=LONG, between_s=0.05),
    "between the retries": Rule(reply=Failure(error=429, retry_after=50)),
}


@pytest.mark.parametrize("rule", SLOW.values(), ids=SLOW)
def test_cancelling_ends_a_call_wherever_it_waits(rule: Rule) -> None:
    """The caller is free again, and the server sees the connection close."""
    cancel, ended = Cancellation(), []

    def ask() -> None:
        with pytest.raises(QueryCancelled):
            model.reply(request("how many"), cancel)
        ended.append(True)

    with ScriptedModel([rule]) as server:
        model = AnthropicModel(settings(server.url))
        asking = threading.Thread(target=ask)
        asking.start()
        assert eventually(lambda: bool(server.requests and server.requests[0].status))
        time.sleep(0.1)
        assert asking.is_alive()
        cancel.cancel()
        asking.join(20)
        assert ended == [True]
        assert server.requests[0].status == 429 or eventually(lambda: server.requests[0].left)
        assert len(server.requests) == 1
        model.close()


def test_a_cancelled_question_is_not_asked() -> None:
    """The switch is looked at before anything is sent."""
    cancel = Cancellation()
    cancel.cancel()
    with ScriptedModel([Rule()]) as server:
        model = AnthropicModel(settings(server.url))
        with pytest.raises(QueryCancelled):
            model.reply(request("how many"), cancel)
        assert server.requests == ()


@pytest.mark.parametrize(
    "rule",
    [Rule(first_byte_s=HOUR), Rule(reply=LONG, between_s=0.2), Rule(reply=Failure(error=529), first_byte_s=0.4)],
    ids=["silent", "trickling", "overloaded slowly"],
)
def test_the_time_limit_holds_for_the_whole_call(rule: Rule) -> None:
    """A server that sends a little again and again, or is overloaded again and again, is not waited for any longer."""
    with ScriptedModel([rule]) as server:
        model = AnthropicModel(settings(server.url, 1.0))
        with pytest.raises((ModelTimeout, ModelOverloaded)) as raised:
            model.reply(request("how many"), Cancellation())
        assert isinstance(raised.value, ModelTimeout) or rule.reply == Failure(error=529)
        assert rule.reply == Failure(error=529) or eventually(lambda: server.requests[0].left)
        model.close()


def test_a_connection_that_nobody_takes_runs_into_the_limit() -> None:
    """The server accepts connections and never reads."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        model = AnthropicModel(settings(f"http://127.0.0.1:{deaf.getsockname()[1]}", 0.5))
        with pytest.raises(ModelTimeout):
            model.reply(request("how many"), Cancellation())
        model.close()


def test_closing_ends_a_call_of_another_thread() -> None:
    """It ends as unavailable, not in silence."""
    raised: list[Any] = []

    def ask() -> None:
        try:
            model.reply(request("how many"), Cancellation())
        except ModelError as error:
            raised.append(error)

    with ScriptedModel([Rule(first_byte_s=HOUR)]) as server:
        model = AnthropicModel(settings(server.url))
        asking = threading.Thread(target=ask)
        asking.start()
        assert eventually(lambda: len(server.requests) == 1)
        model.close()
        asking.join(20)
    assert [type(error) for error in raised] in ([ModelUnavailable], [ModelBroken])
