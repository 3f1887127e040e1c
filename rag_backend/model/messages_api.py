"""One call of the Messages API by the official SDK, streamed, with retries where it asks to come back later. Loading it takes seconds.

A tool is never forced, no temperature set, no reply begun and thinking not turned off: current models refuse all four.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anthropic
import httpx2

from rag_backend.model.base import ModelReply, ModelRequest
from rag_backend.model.errors import ModelError, ModelOverloaded
from rag_backend.model.failures import RAISED, Busy, failure
from rag_backend.model.stream import Assembly

_CONNECT_S = 5.0
_PAUSES_S = (0.5, 1.0)  # before each retry, unless the service asks for more
_SPEAKS = ("anthropic", "httpx2", "httpcore2")  # at DEBUG they write whole requests

Sleep = Callable[[float], Awaitable[None]]


def opened(key: str, url: str) -> anthropic.AsyncAnthropic:
    """A client that asks this address only, and logs nothing of what is asked, whatever its loggers are set to."""
    for name in _SPEAKS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
    return anthropic.AsyncAnthropic(
        api_key=key,
        base_url=url,
        max_retries=0,  # ours know what time is left
        open_telemetry=False,
        http_client=anthropic.DefaultAsyncHttpxClient(follow_redirects=False),
    )


async def exchange(client: anthropic.AsyncAnthropic, request: ModelRequest, ends: float, sleep: Sleep) -> ModelReply | ModelError:
    """The reply, or why there is none, at `ends` of the monotonic clock at the latest.

    Errors are returned: one raised in a coroutine that nobody waits for any more would be logged.
    """
    for pause in (*_PAUSES_S, None):
        outcome = await _attempt(client, request, ends)
        if not isinstance(outcome, Busy):
            return outcome
        seconds = max(pause or 0.0, outcome.retry_after)
        if pause is None or time.monotonic() + seconds >= ends:
            break
        await sleep(seconds)
    return ModelOverloaded("the model's server has too much to do; try again later")


async def _attempt(client: anthropic.AsyncAnthropic, request: ModelRequest, ends: float) -> ModelReply | ModelError | Busy:
    left = max(ends - time.monotonic(), 0.001)
    timeout = httpx2.Timeout(left, connect=min(left, _CONNECT_S))
    assembly = Assembly()
    try:
        async with await client.messages.create(**body_of(request), stream=True, timeout=timeout) as stream:
            async for event in stream:
                assembly.add(event)
        return assembly.reply()
    except ModelError as error:
        return error
    except RAISED as error:
        return failure(error)


def body_of(request: ModelRequest) -> dict[str, Any]:
    """What is sent; the end of the system text is the one breakpoint of the cached prefix."""
    system: list[Mapping[str, Any]] = [{"type": "text", "text": text} for text in request.system]
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": list(request.messages),
        "output_config": {"effort": request.effort},
    }
    if system:
        body["system"] = [*system[:-1], {**system[-1], "cache_control": {"type": "ephemeral"}}]
    if request.tools:
        body["tools"] = list(request.tools)
        body["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    return body
