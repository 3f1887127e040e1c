"""What stands before every request: who it is meant for, where it comes from, how long it is. And what every reply carries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag_backend.api.problems import ProblemError, rendered, unexpected

BODY_BYTES = 64_000
_DRAINED_BYTES, _DRAINED_SECONDS = 8_000_000, 2
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}


class Walls:
    """Lets a request or a socket through that was sent to one of `hosts` (name:port), from no other site; a body has up to 64,000 bytes."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._origins = frozenset(f"http://{host}" for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(_dressed(message))

        try:
            if problem := self._refused(Headers(scope=scope)):
                await _drained(receive)
                await rendered(problem)(scope, receive, sending)
                return
            await self._app(scope, _bounded(receive), sending)
        except asyncio.CancelledError:  # the server ends, and this took longer than it waits
            if begun:
                raise
            told = "the server was stopped before it had an answer; ask again when it is back"
            await rendered(ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "stopped", told))(scope, receive, sending)
        except Exception as error:  # whatever it is, its text stays in here
            if begun:
                raise ConnectionError("the reply was broken off") from None
            await rendered(unexpected(error))(scope, receive, sending)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A socket is opened for whom a request would be let through; the messages are counted where they are read."""
        if problem := self._refused(Headers(scope=scope)):
            await rendered(problem)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refused(self, headers: Headers) -> ProblemError | None:
        # A page of another site can point a name of its own at this machine (DNS rebinding): the name that was asked for tells.
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            told = f"this server answers to {' and '.join(sorted(self._hosts))} only"
            return ProblemError(HTTPStatus.MISDIRECTED_REQUEST, "unknown-host", told)
        if any(origin not in self._origins for origin in headers.getlist("origin")):
            return ProblemError(HTTPStatus.FORBIDDEN, "cross-origin", "pages of other sites may not ask this server")
        length = headers.get("content-length", "")
        return too_long() if length.isascii() and length.isdigit() and int(length[:20]) > BODY_BYTES else None


def too_long() -> ProblemError:
    """What is told of a body, or a message of a socket, that is too long."""
    told = f"a body has at most {BODY_BYTES:,} bytes"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-long", told, {"Connection": "close"})


def _bounded(receive: Receive) -> Receive:
    """The body as it comes, up to the limit: its length may not have been told, or not rightly."""
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > BODY_BYTES:
            await _drained(receive)
            raise too_long()
        return message

    return receiving


async def _drained(receive: Receive) -> None:
    """Read on for a while: who is still sending would not see the reply."""
    left, more = _DRAINED_BYTES, True
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAINED_SECONDS):
            while more and left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                more = message.get("more_body", False)


def _dressed(message: Message) -> Message:
    if message["type"] == "http.response.start":
        headers = MutableHeaders(scope=message)
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
    return message
