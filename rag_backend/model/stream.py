"""From the events of a stream to one reply. Every event is doubted: what has not the form that the API declares is no reply.

The tool input is read by a strict parser, once the block is whole: the SDK's own gathering accepts half of it as if it were all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, get_args

from rag_backend.model.base import ModelReply, ReplyBlock, StopReason, Text, Thought, ToolCall, Usage
from rag_backend.model.errors import ModelBroken

_MOST_CHARACTERS = 200_000
_CUT: frozenset[StopReason] = frozenset(("max_tokens", "model_context_window_exceeded", "refusal", "pause_turn"))
_GROWS = {  # kind of block -> kind of delta -> which field of the delta it grows by
    "text": {"text_delta": "text"},
    "tool_use": {"input_json_delta": "partial_json"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
}


@dataclass
class _Open:
    """A block that is being filled: the pieces of each text by the field that they belong to."""

    start: Any
    kind: str
    pieces: dict[str, list[str]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """What has come of a field."""
        return "".join(self.pieces.get(name, ()))


class Assembly:
    """One reply in the making."""

    def __init__(self) -> None:
        self._blocks: dict[int, _Open] = {}
        self._counts: dict[str, int] = {}
        self._stop: object = None
        self._characters = 0
        self._begun = self._ended = False

    def add(self, event: Any) -> None:
        """Take one event. Kinds that are not known are passed over: the API may add some.

        Raises:
            ModelBroken: the event has not the form of its kind, or there is no end of them.
        """
        match getattr(event, "type", None):
            case "message_start":
                self._begun = True
                self._count(getattr(_given(event, "message"), "usage", None))
            case "content_block_start":
                block = _given(event, "content_block")
                self._blocks[_index(event)] = _Open(block, _text(_given(block, "type")))
            case "content_block_delta":
                self._grow(event)
            case "message_delta":
                self._stop = getattr(_given(event, "delta"), "stop_reason", None)
                self._count(getattr(event, "usage", None))
            case "message_stop":
                self._ended = True

    def reply(self) -> ModelReply:
        """The reply, once the stream has ended.

        Raises:
            ModelBroken: it ended too early, or a tool's input is not a JSON object.
        """
        if not self._begun:
            _malformed()
        if not self._ended or self._stop is None:
            raise ModelBroken("cut", "the model's reply ended before its end")
        stop: StopReason = self._stop if self._stop in get_args(StopReason) else "other"  # type: ignore[assignment]
        blocks = (_whole(self._blocks[index], stop) for index in sorted(self._blocks))
        return ModelReply(stop, tuple(block for block in blocks if block is not None), self._usage())

    def _grow(self, event: Any) -> None:
        block, delta = self._blocks.get(_index(event)), _given(event, "delta")
        if block is None:
            _malformed()
        name = _GROWS.get(block.kind, {}).get(_text(_given(delta, "type")))
        if name is None:
            return
        more = _text(_given(delta, name))
        self._characters += len(more)
        if self._characters > _MOST_CHARACTERS:
            raise ModelBroken("too_long", f"the model's reply is longer than {_MOST_CHARACTERS:,} characters")
        block.pieces.setdefault(name, []).append(more)

    def _count(self, usage: Any) -> None:
        """Counts of later events are totals and replace earlier ones."""
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            value = getattr(usage, name, None)
            if value is None:
                continue
            if not isinstance(value, int) or value < 0:
                _malformed()
            self._counts[name] = value

    def _usage(self) -> Usage:
        get = self._counts.get
        return Usage(
            input=get("input_tokens", 0),
            output=get("output_tokens", 0),
            cache_read=get("cache_read_input_tokens", 0),
            cache_write=get("cache_creation_input_tokens", 0),
        )


def _whole(block: _Open, stop: StopReason) -> ReplyBlock | None:
    """The finished block; None = it says nothing, was cut off, or is of a kind that was not asked for."""
    if block.kind == "text":
        text = _text(_given(block.start, "text")) + block.text("text")
        return Text(text) if text.strip() else None  # a blank one could not be handed back
    if block.kind == "tool_use":
        return _call(block, stop)
    if block.kind == "thinking":
        return Thought({"type": "thinking", "thinking": block.text("thinking"), "signature": block.text("signature")})
    if block.kind == "redacted_thinking":
        return Thought({"type": "redacted_thinking", "data": _text(_given(block.start, "data"))})
    return None


def _call(block: _Open, stop: StopReason) -> ToolCall | None:
    given = _object(block.text("partial_json")) if "partial_json" in block.pieces else getattr(block.start, "input", None)
    if isinstance(given, Mapping):
        return ToolCall(_text(_given(block.start, "id")), _text(_given(block.start, "name")), given)
    return None if stop in _CUT else _malformed()


def _object(text: str) -> object:
    """What a text says, if it can be written down again: half of a character, and what no one can nest, are no value."""
    try:
        found = json.loads(text or "{}", parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _given(thing: Any, name: str) -> Any:
    value = getattr(thing, name, None)
    return _malformed() if value is None else value


def _text(value: object) -> str:
    return value if isinstance(value, str) else _malformed()


def _index(event: Any) -> int:
    index = getattr(event, "index", None)
    return index if isinstance(index, int) else _malformed()


def _malformed() -> NoReturn:
    raise ModelBroken("malformed", "the model's reply has not the form of a reply")
