"""Listens on this machine's loopback, or inside a closed network of containers, as long as nobody has to say who they are."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from medflow.errors import UsageError
from rag_backend.api.app import create_app
from rag_backend.api.desk import Desk

LOOPBACK = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}
_SECONDS_TO_END = 5
_LONGEST_HEAD = 16_384
_LONGEST_MESSAGE = 1_000_000  # beyond it a socket is closed; what is longer than a body may be is refused before


def listening(host: str, port: int, *, inside: bool = False) -> socket.socket:
    """A socket that listens on a loopback address, or in a container on all of its addresses; port 0 takes a free one.

    Raises:
        UsageError: the address is not this machine's own, or the port is taken.
    """
    if inside:
        return _bound("0.0.0.0", port, "this container")
    if host not in LOOPBACK:
        raise UsageError(f"--host {host} is refused: without log-in only this machine may ask; allowed: {', '.join(LOOPBACK)}")
    return _bound(LOOPBACK[host], port, host)


def _bound(address: str, port: int, host: str) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=128)
    except OSError as error:
        raise UsageError(f"port {port} of {host} cannot be used: {error.strerror}; choose another one (--port, MEDFLOW_API_PORT)") from None


def serve(desk: Desk, on: socket.socket, tell: Callable[[], None], names: tuple[str, ...] = ()) -> None:
    """Answer until SIGINT or SIGTERM; then end what is under way, the worker processes too. `tell` is called when it listens.

    `names` are those that a closed network knows this machine by, beside the loopback's own.
    """
    port = on.getsockname()[1]
    hosts = [f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]", *names)]
    config = uvicorn.Config(
        create_app(desk, hosts),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=_LONGEST_MESSAGE,
        ws_per_message_deflate=False,
        http="h11",
        h11_max_incomplete_event_size=_LONGEST_HEAD,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ended)
    tell()
    uvicorn.Server(config).run(sockets=[on])


def _ended(*_: Any) -> None:
    raise SystemExit(0)
