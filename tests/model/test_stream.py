"""Events in, one reply out: whole streams give what was said, any other stream gives ModelBroken and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_backend.model.base import ModelReply, StopReason, Text, Thought, ToolCall, Usage
from rag_backend.model.errors import ModelBroken
from rag_backend.model.scripted import Answer, Use
from rag_backend.model.scripted.prompt_cache import Counted
from rag_backend.model.scripted.wire import events, output_tokens
from rag_backend.model.stream import Assembly

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_USES = st.builds(Use, tool=st.text(min_size=1, max_size=9), input=st.dictionaries(st.text(max_size=8), _JSON, max_size=3))
_ANSWERS = st.builds(Answer, text=st.text(max_size=90), calls=st.lists(_USES, max_size=3).map(tuple), thinks=st.booleans())


def seen(value: Any) -> Any:
    """An event as the SDK hands it over: attributes, except within a tool's input."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: inner if name == "input" else seen(inner) for name, inner in value.items()})
    return value


def gathered(stream: list[Any]) -> ModelReply:
    assembly = Assembly()
    for event in stream:
        assembly.add(seen(event))
    return assembly.reply()


def streamed(answer: Answer) -> list[Any]:
    return list(events(answer, "m", 1, Counted(5, 6, 7)))


@settings(deadline=None)
@given(_ANSWERS)
def test_what_was_said_is_what_is_read(answer: Answer) -> None:
    """Text, calls in their order with their whole input, usage."""
    reply = gathered(streamed(answer))
    assert reply.text == (answer.text if answer.text.strip() else "")
    assert [(call.name, call.input) for call in reply.calls] == [(use.tool, use.input) for use in answer.calls]
    assert reply.usage == Usage(5, output_tokens(answer), 6, 7)
    assert reply.stop_reason == ("tool_use" if answer.calls else "end_turn")
    assert sum(isinstance(block, Thought) for block in reply.blocks) == answer.thinks


@settings(deadline=None)
@given(_ANSWERS, st.data())
def test_a_stream_that_lacks_its_end_is_cut(answer: Answer, data: st.DataObject) -> None:
    """However few events are missing, there is no reply."""
    whole = streamed(answer)
    with pytest.raises(ModelBroken) as raised:
        gathered(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert raised.value.reason in ("cut", "malformed")


@settings(deadline=None)
@given(_ANSWERS, st.data())
def test_damage_is_told_or_harmless(answer: Answer, data: st.DataObject) -> None:
    """One field of one event replaced by anything: a reply whose every part has its type, or ModelBroken; never another error."""
    whole = json.loads(json.dumps(streamed(answer)))
    event = whole[data.draw(st.integers(0, len(whole) - 1))]
    while True:
        name = data.draw(st.sampled_from(sorted(event)))
        if not isinstance(event[name], dict) or not event[name] or data.draw(st.booleans()):
            break
        event = event[name]
    event[name] = data.draw(_JSON)
    try:
        reply = gathered(whole)
    except ModelBroken as error:
        assert error.reason in ("cut", "malformed")
        return
    assert all(isinstance(count, int) and count >= 0 for count in asdict(reply.usage).values())
    assert reply.stop_reason in get_args(StopReason) and isinstance(reply.text, str)
    assert all(isinstance(call.id, str) and isinstance(call.name, str) and isinstance(call.input, Mapping) for call in reply.calls)


@pytest.mark.parametrize("count", ["7", -1, 2.5, [3]])
def test_a_count_that_is_none_is_no_reply(count: Any) -> None:
    """What is spent of the budget is never guessed."""
    whole = streamed(Answer(text="x"))
    whole[-2] = {**whole[-2], "usage": {"output_tokens": count}}
    with pytest.raises(ModelBroken):
        gathered(whole)


@settings(deadline=None)
@given(st.lists(_JSON, max_size=6))
def test_anything_but_events_is_no_reply(stream: list[Any]) -> None:
    """Values of any form."""
    with pytest.raises(ModelBroken):
        gathered(stream)


def test_kinds_that_the_api_may_add_are_passed_over() -> None:
    """Unknown events, deltas, blocks and stop reasons break nothing."""
    whole = streamed(Answer(text="said"))
    strange = [
        {"type": "content_block_start", "index": 7, "content_block": {"type": "hologram", "light": 1}},
        {"type": "content_block_delta", "index": 7, "delta": {"type": "light_delta", "light": 2}},
        {"type": "weather", "fine": True},
    ]
    stopped = {"type": "message_delta", "delta": {"stop_reason": "bored"}, "usage": {"output_tokens": 3}}
    reply = gathered([*whole[:-2], *strange, stopped, whole[-1]])
    assert (reply.stop_reason, reply.blocks, reply.usage.output) == ("other", (Text("said"),), 3)


def test_redacted_thoughts_are_handed_back_as_they_came() -> None:
    """They are unreadable, and go back unchanged."""
    whole = streamed(Answer(calls=(Use(tool="count"),)))
    block = {"type": "redacted_thinking", "data": "c2VjcmV0"}
    reply = gathered([*whole[:2], {"type": "content_block_start", "index": 9, "content_block": block}, *whole[2:]])
    assert reply.blocks == (ToolCall("toolu_1_0", "count", {}), Thought(block))
    assert reply.message["content"][1] == block


def test_counts_of_later_events_replace_earlier_ones() -> None:
    """They are totals."""
    whole = streamed(Answer(text="x"))
    whole.insert(-1, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 41, "input_tokens": None}})
    assert gathered(whole).usage == Usage(5, 41, 6, 7)
