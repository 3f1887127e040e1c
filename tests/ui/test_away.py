"""An API that is away: the page says so and what to do, and goes on when it is back."""

from __future__ import annotations

from contextlib import AbstractContextManager

from playwright.sync_api import expect

from tests.api.server import Server, serving
from tests.services.server import free_ports
from tests.support.lake import Lake
from tests.ui.conftest import Readers
from tests.ui.page import WAIT_MS, paged, words


def served(lake: Lake, port: int) -> AbstractContextManager[Server]:
    """The API on this port."""
    return serving(lake, "analyst", "--port", str(port))


def test_killed_and_back(small: Lake, reader_of: Readers) -> None:
    """Killed in the middle of a conversation: the question has a clear problem, and is asked again with one press; nothing before it is lost."""
    port = free_ports(1)[0]
    with paged(f"http://127.0.0.1:{port}") as url:
        with served(small, port) as api:
            reader = reader_of(url)
            reader.ask("claims by payer")
            api.process.kill()
        problem = words(reader.ask("paid amount by payer"))
        assert "The service that answers is away" in problem
        assert "medflow serve" in problem
        assert reader.questions == ["claims by payer", "paid amount by payer"]
        with served(small, port):
            assert "Read as paid amount" in words(reader.click("Ask again"))


def test_away_from_the_start(small: Lake, reader_of: Readers) -> None:
    """Both pages say so; Try again brings them to life."""
    port = free_ports(1)[0]
    with paged(f"http://127.0.0.1:{port}") as url:
        reader, other = reader_of(url), reader_of(url, "pipeline")
        for one in (reader, other):
            expect(one.page.get_by_text("The service that answers is away")).to_be_visible(timeout=WAIT_MS)
        with served(small, port):
            other.button("Try again").click()
            expect(other.page.get_by_text("Current release")).to_be_visible(timeout=WAIT_MS)
            reader.button("Try again").click()
            expect(reader.page.get_by_text("you ask as analyst")).to_be_visible(timeout=WAIT_MS)
