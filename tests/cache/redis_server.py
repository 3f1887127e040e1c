"""A Redis server of a test's own on a free port, which a test may stop, wake, empty and kill."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis

_STARTS_WITHIN = 30.0
PASSWORD = "a pass/word: for tests"


@dataclass
class RedisServer:
    """A running server; `client` is an attacker's: it reads and writes what it likes."""

    process: subprocess.Popen[bytes]
    port: int
    client: redis.Redis

    @property
    def url(self) -> str:
        return f"redis://:a%20pass%2Fword%3A%20for%20tests@127.0.0.1:{self.port}/1"

    def stop(self) -> None:
        """It is there, and does nothing."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A server in memory alone, until the end of the block."""
    program = shutil.which("redis-server")
    assert program, "redis-server is not installed: `make packages` installs it"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", PASSWORD]
    process = subprocess.Popen([program, *given], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = redis.Redis(port=port, db=1, password=PASSWORD, socket_timeout=_STARTS_WITHIN)
    try:
        _await(client, process)
        yield RedisServer(process, port, client)
    finally:
        client.close()
        process.kill()  # also one that was stopped
        process.wait()


def _await(client: redis.Redis, process: subprocess.Popen[bytes]) -> None:
    latest = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            assert process.poll() is None, "redis-server has ended"
            assert time.monotonic() < latest, "redis-server does not listen"
            time.sleep(0.05)
