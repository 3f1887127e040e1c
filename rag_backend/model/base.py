"""The seam of language models: what is sent, what comes back, and how it may end. Adapters: client, guarded, recorded.

The order of a request is the order of its cached prefix: tools, then system, then messages. The adapter marks the end of the system
text as what is kept, so tools and system must be the same bytes for every question that shares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from rag_backend.engines.base import Cancellation

Effort = Literal["low", "medium", "high"]
StopReason = Literal[
    "end_turn", "tool_use", "max_tokens", "stop_sequence", "pause_turn", "refusal", "model_context_window_exceeded", "other"
]


@dataclass(frozen=True)
class ModelRequest:
    """One call. `tools` and `messages` are as the Messages API writes them; `system` is text, one block each."""

    model: str
    system: tuple[str, ...]
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    max_tokens: int = 4_096
    effort: Effort = "low"


@dataclass(frozen=True)
class Text:
    """Words of the model."""

    text: str


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model calls; nothing says that the tool exists or that the input fits it."""

    id: str
    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class Thought:
    """What the model kept for itself: handed back as it came when the conversation goes on, never read or shown."""

    block: Mapping[str, Any]


ReplyBlock = Text | ToolCall | Thought


@dataclass(frozen=True)
class Usage:
    """Tokens of one call. `input` is what was neither read from the cache nor written to it."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def prompt(self) -> int:
        """Everything that was sent."""
        return self.input + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        """What counts against a day's budget."""
        return self.prompt + self.output


@dataclass(frozen=True)
class ModelReply:
    """What came back. Look at `stop_reason` before `blocks`: what a limit or a refusal cut off is no answer.

    A tool call that was cut before its end is not among the blocks.
    """

    stop_reason: StopReason
    blocks: tuple[ReplyBlock, ...]
    usage: Usage

    @property
    def text(self) -> str:
        """All words, one after the other."""
        return "".join(block.text for block in self.blocks if isinstance(block, Text))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls; the request allows one, the reply may hold any number."""
        return tuple(block for block in self.blocks if isinstance(block, ToolCall))

    @property
    def message(self) -> dict[str, Any]:
        """The reply as the message that goes back when the conversation goes on. The API refuses one without content."""
        return {"role": "assistant", "content": [_content(block) for block in self.blocks]}


def _content(block: ReplyBlock) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if isinstance(block, ToolCall):
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": dict(block.input)}
    return dict(block.block)


def user_message(text: str) -> dict[str, Any]:
    """Words of the asker."""
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def result_message(calls: tuple[ToolCall, ...], text: str, *, is_error: bool = True) -> dict[str, Any]:
    """What came of the calls of a reply: each needs an answer, and gets the same one."""
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": text, "is_error": is_error} for call in calls]
    return {"role": "user", "content": results}


class Model(Protocol):
    """A model that can be asked. Safe for several threads at once."""

    def reply(self, request: ModelRequest, cancel: Cancellation) -> ModelReply:
        """The model's reply to one request.

        Raises:
            QueryCancelled: the asker gave up; the connection is closed.
            ModelError: there is no reply; see `rag_backend.model.errors` for each kind.
        """
        ...

    def close(self) -> None:
        """Stop what is running and close connections."""
        ...
