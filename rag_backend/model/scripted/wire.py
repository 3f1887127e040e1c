"""A scripted reply as it goes over the wire: the API's JSON message, its stream of events, its errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rag_backend.model.scripted.prompt_cache import Counted, tokens
from rag_backend.model.scripted.script import Answer, Use

_PIECE = 24  # characters of a delta
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}

Event = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """What the server takes. `all_required`: this product's rule that every property of a tool is required, stricter than the API's."""

    models: tuple[str, ...] = ("claude-sonnet-5-5", "claude-haiku-5-5")
    versions: tuple[str, ...] = ("2023-06-01", "2026-10-21")
    most_bytes: int = 32_000_000
    least_cached_tokens: int = 1_024
    all_required: bool = True


def error_body(status: int, message: str = "") -> Event:
    """The body of an error. Without a message it says what kind it is, as an error of the script."""
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message or f"scripted {kind}"}, "request_id": "req_scripted"}


def message_body(answer: Answer, model: str, call: int, counted: Counted) -> Event:
    """A whole reply in one JSON object."""
    blocks = list(_blocks(answer, call))
    content = [{**block, field: _joined(block, deltas)} if field else block for block, field, deltas in blocks]
    usage = _usage(counted, output_tokens(answer))
    return {**_head(model, call), "content": content, "stop_reason": _stop_reason(answer), "stop_sequence": None, "usage": usage}


def events(answer: Answer, model: str, call: int, counted: Counted) -> Iterator[Event]:
    """The same reply as the events of a stream."""
    head = {**_head(model, call), "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(counted, 1)}
    yield {"type": "message_start", "message": head}
    yield {"type": "ping"}
    for index, (block, field, deltas) in enumerate(_blocks(answer, call)):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        if field:
            for delta in deltas:
                yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stopped = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    yield {"type": "message_delta", "delta": stopped, "usage": _usage(counted, output_tokens(answer))}
    yield {"type": "message_stop"}


def encoded(event: Event) -> bytes:
    """One event as server-sent."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def output_tokens(answer: Answer) -> int:
    """A crude count of what the reply says."""
    return tokens(len(answer.text) + sum(len(_input(use)) + len(use.tool) for use in answer.calls)) or 1


def _blocks(answer: Answer, call: int) -> Iterator[tuple[Event, str, list[Event]]]:
    """Each block as it begins, the field that grows, and the deltas that it grows by."""
    if answer.thinks:
        yield {"type": "thinking", "thinking": "", "signature": ""}, "signature", [{"type": "signature_delta", "signature": f"sig{call}"}]
    if answer.text:
        pieces = [{"type": "text_delta", "text": piece} for piece in _pieces(answer.text)]
        yield {"type": "text", "text": ""}, "text", pieces
    for number, use in enumerate(answer.calls):
        block = {"type": "tool_use", "id": f"toolu_{call}_{number}", "name": use.tool, "input": {}}
        pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *_pieces(_input(use)))]
        yield block, "input", pieces


def _joined(block: Event, deltas: list[Event]) -> Any:
    """What the deltas make of the field; an input that is no JSON stays the text that it is."""
    text = "".join(delta.get("text") or delta.get("partial_json") or delta.get("signature") or "" for delta in deltas)
    if block["type"] != "tool_use":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _input(use: Use) -> str:
    return json.dumps(use.input, ensure_ascii=False) if use.raw is None else use.raw


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _stop_reason(answer: Answer) -> str:
    return answer.stop_reason or ("tool_use" if answer.calls else "end_turn")


def _head(model: str, call: int) -> Event:
    return {"id": f"msg_{call}", "type": "message", "role": "assistant", "model": model}


def _usage(counted: Counted, output: int) -> Event:
    return {
        "input_tokens": counted.input,
        "cache_creation_input_tokens": counted.written,
        "cache_read_input_tokens": counted.read,
        "cache_creation": {"ephemeral_5m_input_tokens": counted.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
    }
