"""One question over the API's socket: its steps as they happen, then its answer. Who stops reading stops the question."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import suppress
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from streamlit_app.problems import AWAY, ProblemError

_TICK = 0.2  # seconds after which the page is asked whether it still wants the answer
_TO_CONNECT, _TO_CLOSE = 5, 1
_ENDS = ("answer", "error")


def asked(api_url: str, body: dict[str, Any]) -> Generator[dict[str, Any] | None]:
    """Messages of the socket up to the answer or the error, and None while there is nothing new. Closed early, it cancels the question.

    Raises:
        ProblemError: the service is away, or went away.
    """
    try:
        with connect(_address(api_url), open_timeout=_TO_CONNECT, close_timeout=_TO_CLOSE, max_size=None, proxy=None) as socket:
            yield from _messages(socket, body)
    except (OSError, WebSocketException, ValueError):
        raise ProblemError(AWAY) from None


def _messages(socket: ClientConnection, body: dict[str, Any]) -> Generator[dict[str, Any] | None]:
    name, over = body["answer_id"], False
    socket.send(json.dumps({"type": "ask", "id": name, **body}))
    try:
        while not over:
            message = _next(socket)
            over = message is not None and message["type"] in _ENDS
            yield message
    finally:
        if not over:
            with suppress(WebSocketException):
                socket.send(json.dumps({"type": "cancel", "id": name}))


def _next(socket: ClientConnection) -> dict[str, Any] | None:
    try:
        message: dict[str, Any] = json.loads(socket.recv(timeout=_TICK))
    except TimeoutError:
        return None
    return message


def _address(api_url: str) -> str:
    return f"ws{api_url.removeprefix('http')}/ws/ask"
