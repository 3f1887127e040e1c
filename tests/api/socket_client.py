"""A client that asks over a socket, and keeps all that it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.api.server import TODAY, Server

_SECONDS = 60


class Talk:
    """One socket; `heard` is every message so far."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.heard: list[dict[str, Any]] = []

    def say(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def ask(self, question: str, id_: str = "one", **more: Any) -> None:
        self.say(type="ask", id=id_, question=question, today=TODAY, **more)

    def hear(self) -> dict[str, Any]:
        """The next message."""
        message: dict[str, Any] = json.loads(self.connection.recv(timeout=_SECONDS))
        self.heard.append(message)
        return message

    def hear_of(self, kind: str) -> dict[str, Any]:
        """The next message of a kind."""
        while (message := self.hear())["type"] != kind:
            assert message["type"] not in ("answer", "error"), message
        return message

    def until_step(self, name: str) -> None:
        """Wait until a step has begun."""
        while self.hear_of("step_started")["step"] != name:
            pass


@contextmanager
def talking(server: Server, **options: Any) -> Iterator[Talk]:
    """A socket to the server, until the end of the block."""
    with connect(f"ws{server.url.removeprefix('http')}/ws/ask", proxy=None, **options) as connection:
        yield Talk(connection)
