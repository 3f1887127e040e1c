"""What the client sends, byte for byte, and what it makes of a reply: the real SDK against the scripted server."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from medflow.errors import MissingExtraError, UsageError
from rag_backend.engines.base import Cancellation
from rag_backend.model.base import ModelReply, Text, Thought, ToolCall, Usage, result_message, user_message
from rag_backend.model.client import ANTHROPIC, AnthropicModel
from rag_backend.model.errors import ModelNotConfigured
from rag_backend.model.scripted import KEY, Answer, Rule, ScriptedModel, Use
from tests.model.talk import RULES, SONNET, TOOL, asked, request, settings
from tests.support.lake import ROOT

CALL = Answer(calls=(Use(tool="count", input={"by": "month", "of": ["ü", {"deep": [1, 2.5, None]}]}),))


@pytest.fixture
def server() -> Any:
    with ScriptedModel([Rule(reply=CALL)]) as running:
        yield running


@pytest.fixture
def model(server: ScriptedModel) -> Any:
    made = AnthropicModel(settings(server.url))
    yield made
    made.close()


def test_what_is_sent_is_the_contract(server: ScriptedModel, model: AnthropicModel) -> None:
    """Auto choice of one tool, low effort, one breakpoint at the end of the system text, and no field beyond these."""
    model.reply(request("how many by month"), Cancellation())
    assert server.requests[0].json == {
        "model": SONNET,
        "max_tokens": 4_096,
        "stream": True,
        "output_config": {"effort": "low"},
        "tools": [TOOL],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "system": [{"type": "text", "text": RULES[0]}, {"type": "text", "text": RULES[1], "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "how many by month"}]}],
    }


def test_without_tools_and_system_neither_is_named(server: ScriptedModel, model: AnthropicModel) -> None:
    """The light call that words an explanation has no tools."""
    model.reply(request("word this", tools=(), system=()), Cancellation())
    assert set(server.requests[0].json) == {"model", "max_tokens", "messages", "output_config", "stream"}


def test_two_questions_share_their_prefix_byte_for_byte(server: ScriptedModel, model: AnthropicModel) -> None:
    """Bodies that differ in the question alone differ in its bytes alone; the second reads the cache that the first wrote."""
    first = model.reply(request("how many by month"), Cancellation())
    second = model.reply(request("how many by year"), Cancellation())
    sent = [one.body for one in server.requests]
    assert sent[0].replace(b"by month", b"by year") == sent[1]
    assert b'"cache_control"' in sent[0] and sent[0].count(b"cache_control") == 1
    assert first.usage.cache_write > 1_024 and first.usage.cache_read == 0
    assert second.usage == replace(first.usage, cache_read=first.usage.cache_write, cache_write=0)
    assert second.usage.prompt == first.usage.prompt


def test_one_byte_of_the_system_text_loses_the_cache(model: AnthropicModel) -> None:
    """The tools before it are not kept by themselves: the one breakpoint stands at the end."""
    model.reply(request("how many"), Cancellation())
    changed = model.reply(request("how many", system=(RULES[0], RULES[1] + ".")), Cancellation())
    assert changed.usage.cache_read == 0 and changed.usage.cache_write > 1_024


def test_a_tool_call_is_read_whole(model: AnthropicModel) -> None:
    """Name, id and the nested input that came in pieces."""
    reply = model.reply(request("how many"), Cancellation())
    assert reply.stop_reason == "tool_use" and reply.text == ""
    assert [(call.name, call.input) for call in reply.calls] == [("count", {"by": "month", "of": ["ü", {"deep": [1, 2.5, None]}]})]


@pytest.mark.parametrize("reason", ["refusal", "max_tokens", "model_context_window_exceeded", "pause_turn", "end_turn", "stop_sequence"])
def test_a_stop_reason_is_handed_on(reason: Any) -> None:
    """A value: what it means is the caller's business."""
    reply = asked([Rule(reply=Answer(text="Let me", stop_reason=reason))])
    assert (reply.stop_reason, reply.blocks) == (reason, (Text("Let me"),))


def test_two_calls_and_an_unknown_tool_are_handed_on() -> None:
    """Nothing is believed of a reply, and nothing hidden."""
    reply = asked([Rule(reply=Answer(text="both", calls=(Use(tool="count", input={}), Use(tool="fly", input={"to": "x"}))))])
    assert [(call.name, dict(call.input)) for call in reply.calls] == [("count", {}), ("fly", {"to": "x"})]


@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "model_context_window_exceeded"])
def test_a_call_that_was_cut_off_is_no_call(reason: Any) -> None:
    """Half of an input is never read as if it were all."""
    reply = asked([Rule(reply=Answer(text="so", calls=(Use(tool="count", raw='{"by": "mon'),), stop_reason=reason))])
    assert (reply.stop_reason, reply.calls, reply.text) == (reason, (), "so")


def test_a_reply_can_be_handed_back_and_repaired() -> None:
    """The conversation goes on with the reply as it came, thoughts too, and an answer to each call; the API takes it."""
    with ScriptedModel(
        [
            Rule(call=1, reply=Answer(thinks=True, text="so", calls=(Use(tool="count"), Use(tool="fly")))),
            Rule(contains="no tool fly", reply=CALL),
        ]
    ) as repaired:
        other = AnthropicModel(settings(repaired.url))
        first = other.reply(request("how many"), Cancellation())
        assert isinstance(first.blocks[0], Thought)
        again = replace(request("how many"), messages=(user_message("how many"), first.message, result_message(first.calls, "no tool fly")))
        assert other.reply(again, Cancellation()).calls[0].input["by"] == "month"
        other.close()
        assert [one["type"] for one in repaired.requests[1].json["messages"][1]["content"]] == ["thinking", "text", "tool_use", "tool_use"]


def test_many_threads_share_a_client() -> None:
    """Each gets its own reply."""
    with ScriptedModel([Rule(contains=f"<{number}>", reply=Answer(text=str(number))) for number in range(40)]) as many:
        shared = AnthropicModel(settings(many.url))
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda number: shared.reply(request(f"<{number}>"), Cancellation()).text, range(40)))
        shared.close()
    assert replies == [str(number) for number in range(40)]


def test_a_closed_client_can_be_asked_again(model: AnthropicModel) -> None:
    """Closing frees threads and connections, no more."""
    assert model.reply(request("one"), Cancellation()).calls
    model.close()
    model.close()
    assert model.reply(request("two"), Cancellation()).calls


@pytest.mark.parametrize("key", ["", "käse", "two words", "line\nbreak"])
def test_a_key_that_cannot_be_sent_is_told_at_once(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The message names the setting and not the key; the caller can mend it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    with pytest.raises(ModelNotConfigured, match="ANTHROPIC_API_KEY") as raised:
        AnthropicModel(settings(""))
    assert isinstance(raised.value, UsageError) and raised.value.exit_code == 2
    assert not key or key not in str(raised.value)


def test_a_missing_sdk_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said before anything is asked."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"medflow\[assistant\]"):
        AnthropicModel(settings(""))


def test_the_sdk_is_not_loaded_before_the_first_call() -> None:
    """It takes seconds, and most questions need no model."""
    code = (
        "import sys; from medflow.settings import load_settings; from rag_backend.model.client import AnthropicModel;"
        "AnthropicModel(load_settings()); print('anthropic' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"


def test_another_address_comes_from_the_setting_alone(monkeypatch: pytest.MonkeyPatch, server: ScriptedModel) -> None:
    """The SDK's own variable sends no question elsewhere."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    model = AnthropicModel(settings(server.url))
    assert model.reply(request("how many"), Cancellation()).calls
    model.close()
    elsewhere = AnthropicModel(settings(""))
    assert str(elsewhere._opened().base_url).rstrip("/") == ANTHROPIC
    elsewhere.close()


def test_nothing_is_logged_at_any_level(model: AnthropicModel, caplog: pytest.LogCaptureFixture) -> None:
    """Not the question, not the key, not a header: the SDK's and the HTTP library's loggers say nothing, even where all is logged."""
    with caplog.at_level(logging.DEBUG):
        model.reply(request("the secret question"), Cancellation())
    assert [one for one in caplog.records if one.name.split(".")[0] in ("anthropic", "httpx2", "httpcore2", "httpx", "httpcore")] == []
    assert "secret question" not in caplog.text and KEY not in caplog.text


def test_nothing_is_printed_where_the_sdk_is_told_to(server: ScriptedModel) -> None:
    """ANTHROPIC_LOG=debug makes the SDK print whole requests, in a process that does nothing about it."""
    code = (
        "from medflow.settings import load_settings; from rag_backend.model.client import AnthropicModel;"
        "from rag_backend.engines.base import Cancellation; from tests.model.talk import request;"
        f"m = AnthropicModel(load_settings(model_base_url='{server.url}')); print(len(m.reply(request('the secret question'), Cancellation()).calls)); m.close()"
    )
    given = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_LOG": "debug", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=given, capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("1\n", "")


def test_a_reply_is_a_value() -> None:
    """Equal parts make equal replies; text and calls are found among any blocks."""
    blocks = (Thought({"type": "redacted_thinking", "data": "x"}), Text("a"), ToolCall("1", "count", {}), Text("b"))
    reply = ModelReply("tool_use", blocks, Usage(1, 2, 3, 4))
    assert (reply.text, len(reply.calls), reply.usage.prompt, reply.usage.total) == ("ab", 1, 8, 10)
    assert json.dumps(reply.message)
    assert reply.message["content"][0] == {"type": "redacted_thinking", "data": "x"}
