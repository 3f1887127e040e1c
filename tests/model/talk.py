"""How the tests of the model talk to the scripted server: one good request, by the seam and as raw HTTP."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from medflow.settings import Settings, load_settings
from rag_backend.engines.base import Cancellation
from rag_backend.model.base import ModelReply, ModelRequest, user_message
from rag_backend.model.client import AnthropicModel
from rag_backend.model.scripted import KEY, Rule, ScriptedModel

SONNET = "claude-sonnet-5-5"
SCHEMA = {
    "type": "object",
    "properties": {"by": {"type": "string", "enum": ["month", "year"]}, "top": {"type": "integer"}},
    "required": ["by", "top"],
    "additionalProperties": False,
}
TOOL = {"name": "count", "description": "Counts.", "strict": True, "input_schema": SCHEMA}
RULES = ("You count. " * 200, "The catalogue: one metric. " * 400)
HEADERS = {"x-api-key": KEY, "anthropic-version": "2026-10-21", "content-type": "application/json"}


def request(question: str, **changed: Any) -> ModelRequest:
    """A request as the planner sends it."""
    return ModelRequest(**{"model": SONNET, "system": RULES, "messages": (user_message(question),), "tools": (TOOL,), **changed})


def settings(url: str, seconds: float = 60.0) -> Settings:
    """Settings that name the server; the key comes from the environment, as the fixture sets it."""
    return load_settings(model_base_url=url, model_timeout_s=seconds)


def asked(rules: Sequence[Rule], question: str = "how many", *, seconds: float = 60.0) -> ModelReply:
    """The reply of a server that plays the rules, by the real client."""
    with ScriptedModel(rules) as server:
        model = AnthropicModel(settings(server.url, seconds), sleep=no_sleep)
        try:
            return model.reply(request(question), Cancellation())
        finally:
            model.close()


async def no_sleep(_: float) -> None:
    """Does not wait between retries."""


def body(**changed: Any) -> dict[str, Any]:
    """A raw request that breaks no rule, with changes; a value of None leaves the field out."""
    good = {
        "model": SONNET,
        "max_tokens": 100,
        "system": [{"type": "text", "text": "You count.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "how many"}],
        "tools": [TOOL],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def posted(server: ScriptedModel, sent: Any, headers: Mapping[str, str] = HEADERS, path: str = "/v1/messages") -> tuple[int, str, bytes]:
    """Status, content type and body of a raw POST; what is not bytes is sent as JSON."""
    data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    try:
        connection.request("POST", path, data, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.headers.get("content-type", ""), answer.read()
    finally:
        connection.close()


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether it holds before long."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True
