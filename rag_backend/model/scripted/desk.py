"""What the server decides: a request's headers and bytes in, what is sent back out. It knows no socket and no clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rag_backend.model.scripted.prompt_cache import PromptCache
from rag_backend.model.scripted.request_rules import Mistake, checked
from rag_backend.model.scripted.script import Answer, Failure, Page, Play, Rule, Script
from rag_backend.model.scripted.shape import Request, TextBlock, ToolResultBlock
from rag_backend.model.scripted.wire import Event, Limits, encoded, error_body, events, message_body

_PATH = "/v1/messages"
_JSON = "application/json"


@dataclass(frozen=True)
class Sent:
    """What goes back: in pieces as a stream, or one body. `rule` says how it is delivered, `call` which one it was; 0 = refused."""

    status: int
    content_type: str
    pieces: tuple[bytes, ...]
    streamed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    rule: Rule = field(default_factory=Rule)
    call: int = 0


class Desk:
    """Answers requests from a script. Safe for several threads."""

    def __init__(self, script: Script, limits: Limits, key: str) -> None:
        self._play = Play(script)
        self._limits = limits
        self._key = key
        self._cache = PromptCache(limits.least_cached_tokens)

    def answered(self, path: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """What a request gets. Names of headers are lower case."""
        if path.partition("?")[0] != _PATH:
            return _error(404, "Not found")
        if self._key not in (headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer ")):
            return _error(401, "invalid x-api-key")
        version = headers.get("anthropic-version")
        if version not in self._limits.versions:
            return _error(400, "anthropic-version: header is required" if version is None else "anthropic-version: is not a valid version")
        if len(body) > self._limits.most_bytes:
            return _error(413, "Request exceeds the maximum size")
        try:
            given = json.loads(body)
        except (ValueError, RecursionError):
            return _error(400, "The request body is not valid JSON")
        request = checked(given, self._limits)
        return _error(request.status, request.message) if isinstance(request, Mistake) else self._played(request, given)

    def _played(self, request: Request, given: Mapping[str, Any]) -> Sent:
        call, rule = self._play.next(last_user_text(request))
        if rule is None:
            return _error(500, f"no rule of the script fits call {call}", call=call)
        if isinstance(rule.reply, Page):
            moved = {"location": rule.reply.location} if rule.reply.location else {}
            return Sent(rule.reply.status, rule.reply.content_type, (rule.reply.body.encode(),), headers=moved, rule=rule, call=call)
        if isinstance(rule.reply, Failure) and not (rule.reply.within and request.stream):
            return _failed(rule.reply, rule, call)
        answer = rule.reply if isinstance(rule.reply, Answer) else Answer(text="scripted")
        counted = self._cache.count(given)
        if not request.stream:
            return Sent(200, _JSON, (_dumped(message_body(answer, request.model, call, counted)),), rule=rule, call=call)
        stream = list(events(answer, request.model, call, counted))
        if isinstance(rule.reply, Failure):
            stream = [*stream[:4], error_body(rule.reply.error)]
        pieces = tuple(encoded(event) for event in stream)
        return Sent(200, "text/event-stream; charset=utf-8", pieces, streamed=True, rule=rule, call=call)


def last_user_text(request: Request) -> str:
    """What the last message says: its texts and the results of tools in it."""
    said: list[str] = []
    for block in request.messages[-1].blocks:
        if isinstance(block, TextBlock):
            said.append(block.text)
        elif isinstance(block, ToolResultBlock):
            said += [block.content] if isinstance(block.content, str) else [inner.text for inner in block.content]
    return "\n".join(said)


def _failed(failure: Failure, rule: Rule, call: int) -> Sent:
    headers = {} if failure.retry_after is None else {"retry-after": f"{failure.retry_after:g}"}
    return Sent(failure.error, _JSON, (_dumped(error_body(failure.error)),), headers=headers, rule=rule, call=call)


def _error(status: int, message: str, *, call: int = 0) -> Sent:
    return Sent(status, _JSON, (_dumped(error_body(status, message)),), call=call)


def _dumped(body: Event) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
