"""Replies kept in a file, one a line, and given again without a network: a test of a real model's words that costs nothing.

A line holds the digest of the whole request and the reply; never the request, never a key. The same request asked again has the
reply that was recorded last.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from medflow.errors import UsageError
from rag_backend.engines.base import Cancellation
from rag_backend.model.base import Model, ModelReply, ModelRequest, ReplyBlock, Text, Thought, ToolCall, Usage
from rag_backend.model.errors import ModelNotConfigured

Mode = Literal["record", "replay"]
_KINDS: dict[str, type[Text] | type[ToolCall] | type[Thought]] = {"text": Text, "tool_call": ToolCall, "thought": Thought}


class RecordedModel:
    """Records what `inner` replies, or replays it; to replay, `inner` may be None and is never asked."""

    def __init__(self, inner: Model | None, file: Path, mode: Mode) -> None:
        """Raises UsageError: the file cannot be read, or there is nobody to record."""
        if mode == "record" and inner is None:
            raise UsageError("nobody to record: give the model whose replies are kept")
        self._inner = inner if mode == "record" else None
        self._file = file
        self._lock = threading.Lock()
        self._replies = _read(file) if mode == "replay" else {}

    def reply(self, request: ModelRequest, cancel: Cancellation) -> ModelReply:
        """See `Model.reply`.

        Raises:
            ModelNotConfigured: the request was never recorded.
        """
        cancel.raise_if_cancelled()
        digest = request_digest(request)
        if self._inner is None:
            return self._kept(digest)
        reply = self._inner.reply(request, cancel)
        line = json.dumps({"request": digest, "reply": _written(reply)}, ensure_ascii=False)
        with self._lock, self._file.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        return reply

    def close(self) -> None:
        """Close the model that is recorded."""
        if self._inner is not None:
            self._inner.close()

    def _kept(self, digest: str) -> ModelReply:
        if digest not in self._replies:
            raise ModelNotConfigured(
                f"{self._file.name} has no reply to this request: the prompt, the tools or the question changed. Record it again: "
                "ask the same with RecordedModel(…, mode='record') and ANTHROPIC_API_KEY set"
            )
        return self._replies[digest]


def request_digest(request: ModelRequest) -> str:
    """SHA-256 of everything that is sent; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(asdict(request), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _written(reply: ModelReply) -> dict[str, Any]:
    names = {kind: name for name, kind in _KINDS.items()}
    blocks = [{"kind": names[type(block)], **asdict(block)} for block in reply.blocks]
    return {"stop_reason": reply.stop_reason, "blocks": blocks, "usage": asdict(reply.usage)}


def _read(file: Path) -> dict[str, ModelReply]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ModelNotConfigured(f"there is no recording {file.name}: make one with RecordedModel(…, mode='record')") from None
    except OSError as error:
        raise UsageError(f"the recording {file.name} cannot be read: {error.strerror}") from None
    return dict(_line(text, f"{file.name}:{number}") for number, text in enumerate(lines, start=1) if text.strip())


def _line(text: str, where: str) -> tuple[str, ModelReply]:
    try:
        given = json.loads(text)
        reply = given["reply"]
        blocks = tuple(_block(block) for block in reply["blocks"])
        return str(given["request"]), ModelReply(reply["stop_reason"], blocks, Usage(**reply["usage"]))
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{where} is no recorded reply; remove the line and record it again") from None


def _block(given: dict[str, Any]) -> ReplyBlock:
    return _KINDS[given["kind"]](**{name: value for name, value in given.items() if name != "kind"})
