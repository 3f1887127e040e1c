"""Questions in threads, a few at a time, so that the server goes on listening; who goes away stops the question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request

from rag_backend.api.problems import ProblemError
from rag_backend.engines.base import Cancellation

Result = TypeVar("Result")
_THREADS, _WAITING = 8, 32


class Asking:
    """At most `threads` questions at once and `waiting` behind them; who comes when all places are taken is sent away."""

    def __init__(self, threads: int = _THREADS, waiting: int = _WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="question")
        self._places = threads + waiting

    async def run(self, request: Request, work: Callable[[Cancellation], Result], cancel: Cancellation | None = None) -> Result:
        """The result of the work, which stops when who sent the request is gone.

        Raises:
            ProblemError: all places are taken. QueryCancelled: the asker has gone or given up, or the server ends.
        """
        return await self.until(_gone(request), work, cancel or Cancellation())

    async def until(self, left: Coroutine[Any, Any, object], work: Callable[[Cancellation], Result], cancel: Cancellation) -> Result:
        """The result of the work, which stops when `left` ends, or at its switch.

        Raises:
            as `run`.
        """
        if not self._places:
            left.close()
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "too many questions at once; ask again", {"Retry-After": "1"})
        self._places -= 1
        working: asyncio.Future[Any] = asyncio.get_running_loop().run_in_executor(self._pool, work, cancel)
        working.add_done_callback(lambda one: one.cancelled() or one.exception())  # also where nobody is left to be told
        gone: asyncio.Future[Any] = asyncio.ensure_future(left)
        try:
            await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                cancel.cancel()
            result: Result = await working
            return result
        finally:
            cancel.cancel()
            gone.cancel()
            self._places += 1

    def close(self) -> None:
        """Wait for the threads; what they ask has been stopped by then."""
        self._pool.shutdown(wait=True, cancel_futures=True)


async def _gone(request: Request) -> None:
    """Ends when the asker does."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
