"""Inside a network of containers: the server answers to the name that it is known by there, and to no other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.support.lake import Lake


@pytest.fixture(scope="module")
def inside(small: Lake) -> Iterator[httpx.Client]:
    """A client of `medflow serve --inside rag-backend`, by way of the loopback."""
    command = [sys.executable, "-m", "medflow", "serve", "--inside", "rag-backend", "--port", "0", "--json"]
    process = subprocess.Popen(command, env=small.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stderr
        told = ""
        while not told.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            told += line
        url = json.loads(told)["url"]
        assert url.startswith("http://rag-backend:")
        port = url.rpartition(":")[2]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Host": f"rag-backend:{port}"}, timeout=60) as client:
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_it_answers_to_its_name(inside: httpx.Client) -> None:
    assert inside.get("/ready").json()["release"] == 1


def test_it_answers_to_this_machines_own_names(inside: httpx.Client) -> None:
    """The port is published on a loopback."""
    port = inside.base_url.port
    assert inside.get("/health", headers={"Host": f"localhost:{port}"}).status_code == 200


@pytest.mark.parametrize("host", ["elsewhere", "rag-backend.example.org", "0.0.0.0"])
def test_it_answers_to_no_other_name(inside: httpx.Client, host: str) -> None:
    """A page of another site may point a name of its own at it."""
    assert inside.get("/health", headers={"Host": f"{host}:{inside.base_url.port}"}).status_code == 421
