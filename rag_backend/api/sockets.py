"""Questions over a socket: each step is told as it happens. A socket that closes stops the query and the model's call."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.exceptions import HTTPException

from rag_backend.api.desk import Desk, TheDesk
from rag_backend.api.messages import AskMessage, CancelMessage, Malformed, message_of
from rag_backend.api.problems import ProblemError, content_of, problem_of, rendered
from rag_backend.api.questions import asked, new_id
from rag_backend.engines.base import Cancellation
from rag_backend.steps import Step

_GONE = 1006  # a socket that has ended

sockets = APIRouter()


@sockets.websocket("/ws/ask")
async def ask_over_socket(socket: WebSocket, desk: TheDesk) -> None:
    """One question after another, until the socket closes."""
    if socket.url.query:
        told = "nothing is asked by the address: give all in messages"
        refused = rendered(ProblemError(HTTPStatus.BAD_REQUEST, "no-parameters", told))
        await refused(socket.scope, socket.receive, socket.send)
        return
    await socket.accept()
    await _Conversing(socket, desk).until_closed()


class _Conversing:
    """One socket: at most one question at a time, and one message after the other."""

    def __init__(self, socket: WebSocket, desk: Desk) -> None:
        self._socket, self._desk = socket, desk
        self._sending = asyncio.Lock()
        self._seq = 0
        self._asked: tuple[str, Cancellation] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    async def until_closed(self) -> None:
        """Take messages; at the end stop the question that is under way, and wait for its end."""
        try:
            with suppress(WebSocketDisconnect):
                while True:
                    await self._take(await self._received())
        finally:
            self._closed.set()
            if self._answering is not None:
                await asyncio.gather(self._answering, return_exceptions=True)

    async def _received(self) -> str:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(_GONE)
        return str(message.get("text") or (message.get("bytes") or b"").decode(errors="replace"))

    async def _take(self, text: str) -> None:
        try:
            message = message_of(text)
        except Malformed as error:
            await self._tell_problem(error.id, error.problem)
            return
        if isinstance(message, CancelMessage):
            await self._cancel(message.id)
        elif self._asked is not None:
            told = "one question at a time: wait for the answer, or cancel the question that is under way"
            await self._tell_problem(message.id, ProblemError(HTTPStatus.CONFLICT, "one-at-a-time", told))
        else:
            cancel = Cancellation()
            self._asked = message.id, cancel
            self._answering = asyncio.create_task(self._answer(message, cancel))

    async def _cancel(self, id_: str) -> None:
        if self._asked is None or self._asked[0] != id_:
            await self._tell_problem(id_, ProblemError(HTTPStatus.NOT_FOUND, "not-under-way", "no question of this id is under way here"))
        else:
            self._asked[1].cancel()

    async def _answer(self, message: AskMessage, cancel: Cancellation) -> None:
        with suppress(WebSocketDisconnect):  # nobody is left to be told
            try:
                answer = await self._computed(message, cancel)
            except WebSocketDisconnect:
                raise
            except Exception as error:  # whatever it is, its text stays in here
                self._asked = None
                await self._tell_problem(message.id, problem_of(error))
            else:
                self._asked = None
                await self._tell(message.id, "answer", f'"answer":{answer}')

    async def _computed(self, message: AskMessage, cancel: Cancellation) -> str:
        """The answer as JSON, written in the thread; each step is told the while."""
        steps: asyncio.Queue[Step | None] = asyncio.Queue()
        loop, answer_id = asyncio.get_running_loop(), message.answer_id or new_id()
        work = asked(self._desk, message, answer_id, lambda step: _hand_over(loop, steps, step))
        with self._desk.under_way.entered(answer_id, cancel):
            working = asyncio.ensure_future(self._desk.asking.until(self._closed.wait(), lambda switch: _json(work(switch)), cancel))
            working.add_done_callback(lambda _: steps.put_nowait(None))
            try:
                while (step := await steps.get()) is not None:
                    await self._tell_step(message.id, step)
            finally:
                cancel.cancel()
                await asyncio.wait((working,))
            return working.result()

    async def _tell_step(self, id_: str, step: Step) -> None:
        if step.ms is None:
            await self._tell(id_, "step_started", f'"step":{_json(step.name)}')
        else:
            told = {"step": step.name, "ms": round(step.ms, 1), "summary": step.summary}
            await self._tell(id_, "step_finished", _json(told)[1:-1])

    async def _tell_problem(self, id_: str, problem: HTTPException) -> None:
        await self._tell(id_, "error", f'"problem":{_json(content_of(problem))}')

    async def _tell(self, id_: str, kind: str, content: str) -> None:
        async with self._sending:
            self._seq += 1
            try:
                await self._socket.send_text(f'{{"type":"{kind}","id":"{id_}","seq":{self._seq},{content}}}')
            except RuntimeError:  # closed the while
                raise WebSocketDisconnect(_GONE) from None


def _hand_over(loop: asyncio.AbstractEventLoop, steps: asyncio.Queue[Step | None], step: Step) -> None:
    """From the question's thread to the server's."""
    loop.call_soon_threadsafe(steps.put_nowait, step)


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
