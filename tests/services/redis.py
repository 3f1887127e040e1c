"""Redis: the cache, in memory alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis as client

from tests.services.server import NotReady, Server, free_ports, program, running

PASSWORD = "a pass/word: for tests"


@dataclass
class Redis:
    """A running server; `client` is an attacker's: it reads and writes what it likes."""

    server: Server
    port: int
    client: client.Redis

    @property
    def url(self) -> str:
        return f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/1"


@contextmanager
def redis(folder: Path, port: int | None = None) -> Iterator[Redis]:
    """A server in memory alone, until the end of the block."""
    port = port or free_ports(1)[0]
    command = [program("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--save", "", "--appendonly", "no", "--requirepass", PASSWORD]
    with client.Redis(port=port, db=1, password=PASSWORD, socket_timeout=30) as attacker:
        server = Server("redis", command, folder, _ready(attacker))
        with running(server):
            yield Redis(server, port, attacker)


def _ready(attacker: client.Redis) -> Callable[[], None]:
    def ready() -> None:
        try:
            attacker.ping()
        except client.ConnectionError as error:
            raise NotReady(str(error)) from None

    return ready
