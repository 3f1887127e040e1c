"""The adapter of the Messages API: one call at a time for each caller, with a limit on its whole length, given up at once when asked."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
import time
from concurrent.futures import CancelledError, Future, wait
from typing import TYPE_CHECKING

from medflow.errors import MissingExtraError
from medflow.settings import Settings
from rag_backend.engines.base import Cancellation
from rag_backend.model.base import ModelReply, ModelRequest
from rag_backend.model.errors import ModelError, ModelNotConfigured, ModelTimeout, ModelUnavailable
from rag_backend.model.event_loop import EventLoopThread

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from rag_backend.model.messages_api import Sleep

ANTHROPIC = "https://api.anthropic.com"
_LOOK_S = 0.02
_SECONDS_TO_CLOSE = 1


class AnthropicModel:
    """Claude behind `settings.model_base_url`. One connection pool for all threads; the SDK is loaded at the first call."""

    def __init__(self, settings: Settings, *, sleep: Sleep = asyncio.sleep) -> None:
        """`sleep` is what waits between retries.

        Raises:
            ModelNotConfigured: no key that can be sent.
            MissingExtraError: the SDK is not installed.
        """
        self._key = _usable(settings.model_key)
        if importlib.util.find_spec("anthropic") is None:
            raise MissingExtraError("anthropic", "assistant")
        self._url = settings.model_base_url or ANTHROPIC
        self._timeout_s = settings.model_timeout_s
        self._sleep = sleep
        self._loop = EventLoopThread("model")
        self._lock = threading.Lock()
        self._client: AsyncAnthropic | None = None

    def reply(self, request: ModelRequest, cancel: Cancellation) -> ModelReply:
        """See `Model.reply`. Overload is tried again, at most twice, as long as the time limit allows; nothing else is."""
        from rag_backend.model.messages_api import exchange

        cancel.raise_if_cancelled()
        client = self._opened()
        ends = time.monotonic() + self._timeout_s
        outcome = _awaited(self._loop.submit(lambda: exchange(client, request, ends, self._sleep)), ends, cancel)
        if isinstance(outcome, ModelError):
            raise outcome
        return outcome

    def close(self) -> None:
        """Close connections; calls under way end as unavailable."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            wait((self._loop.submit(client.close),), timeout=_SECONDS_TO_CLOSE)
        self._loop.close()

    def _opened(self) -> AsyncAnthropic:
        from rag_backend.model.messages_api import opened

        with self._lock:
            if self._client is None:
                self._client = opened(self._key, self._url)
            return self._client


def _usable(key: str) -> str:
    if not key:
        raise ModelNotConfigured("there is no key for the model: set ANTHROPIC_API_KEY, or ask with MEDFLOW_PLANNER=grammar")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ModelNotConfigured("ANTHROPIC_API_KEY holds characters that no key has; set it again")
    return key


def _awaited(future: Future[ModelReply | ModelError], ends: float, cancel: Cancellation) -> ModelReply | ModelError:
    """The outcome, as long as it is wanted: whatever ends the waiting closes the connection."""
    try:
        while not future.done():
            cancel.raise_if_cancelled()
            left = ends - time.monotonic()
            if left <= 0:
                return ModelTimeout()
            wait((future,), timeout=min(_LOOK_S, left))
        return future.result()
    except CancelledError:
        return ModelUnavailable("the model's client was closed")
    finally:
        future.cancel()
