"""A wire that is slow: a port that hands everything on to a server, and waits before each part of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def slowed(server_port: int, seconds: float) -> Iterator[int]:
    """A port of the loopback before a server's own; every part that goes either way comes `seconds` late."""
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listening, server_port, seconds), daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()


def _accept(listening: socket.socket, server_port: int, seconds: float) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            server = socket.create_connection(("127.0.0.1", server_port))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=_hand_on, args=(source, target, seconds), daemon=True).start()


def _hand_on(source: socket.socket, target: socket.socket, seconds: float) -> None:
    with suppress(OSError):
        while part := source.recv(1 << 16):
            time.sleep(seconds)
            target.sendall(part)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
