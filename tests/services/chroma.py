"""Chroma's own server, which is written in Rust: `chroma run`, never chromadb.app (see docs/decisions)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.server import Server, answers, free_ports, running


@dataclass
class Chroma:
    """A running server."""

    server: Server
    port: int

    @property
    def url(self) -> str:
        return f"chroma+http://127.0.0.1:{self.port}"


@contextmanager
def chroma(folder: Path, port: int | None = None) -> Iterator[Chroma]:
    """A server with its data below `folder`."""
    port = port or free_ports(1)[0]
    command = [
        str(Path(sys.executable).with_name("chroma")),
        "run",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--path",
        str(folder / "chroma"),
    ]
    with running(Server("chroma", command, folder, answers(f"http://127.0.0.1:{port}/api/v2/heartbeat"))) as server:
        yield Chroma(server, port)
