"""`medflow serve` as a process of its own on a free port, and a client that speaks to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from medflow.cli.console import read_json
from tests.support.lake import Lake

TODAY = "2026-07-01"


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    url: str
    client: httpx.Client

    def ask(self, question: str, **more: Any) -> dict[str, Any]:
        """An answer; fails where there is a problem instead."""
        return self.answer("/ask", question=question, today=TODAY, **more)

    def answer(self, address: str, **body: Any) -> dict[str, Any]:
        reply = self.client.post(address, json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def problem(self, reply: httpx.Response, status: int) -> dict[str, Any]:
        """The problem that a reply is."""
        assert reply.status_code == status, reply.text
        assert reply.headers["content-type"] == "application/problem+json"
        problem = reply.json()
        assert problem["status"] == status
        assert problem["type"].startswith("urn:medflow:problem:")
        assert problem["title"]
        assert "Traceback" not in reply.text
        return problem


@contextmanager
def serving(lake: Lake, role: str = "analyst", *options: str, **settings: str) -> Iterator[Server]:
    """A server on this lake with more options of `medflow serve`, until the end of the block."""
    command = [sys.executable, "-m", "medflow", "serve", "--role", role, "--port", "0", "--json", *options]
    environment = lake.environment() | {f"MEDFLOW_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stderr
        told = read_json(process.stdout)
        assert told, process.stderr.read()
        url = told["url"]
        with httpx.Client(base_url=url, timeout=60) as client:
            yield Server(process, url, client)
    finally:
        process.terminate()
        process.communicate(timeout=30)
