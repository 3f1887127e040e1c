"""Inside a network of containers: the server answers to the name that it is known by there, and to no other."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.api.server import serving
from tests.support.lake import Lake


@pytest.fixture(scope="module")
def inside(small: Lake) -> Iterator[httpx.Client]:
    """A client of `medflow serve --inside rag-backend`, by way of the loopback."""
    with serving(small, "analyst", "--inside", "rag-backend") as server:
        url = server.url
        assert url.startswith("http://rag-backend:")
        port = url.rpartition(":")[2]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Host": f"rag-backend:{port}"}, timeout=60) as client:
            yield client


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
