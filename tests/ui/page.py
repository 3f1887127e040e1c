"""The page as a process of its own before a real API, and a reader with a real Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from streamlit_app.cells import Column, columns_of, number_of, shown
from streamlit_app.plain import typed
from tests.services.server import free_ports
from tests.support.lake import ROOT

_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
)
WAIT_MS = 60_000


@contextmanager
def paged(api_url: str) -> Iterator[str]:
    """The page before this API; its address."""
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "streamlit_app/app.py")]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": "/nonexistent", "MEDFLOW_API_URL": api_url}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_healthy(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the page ended"
        try:
            if httpx.get(f"{url}/_stcore/health", timeout=2, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.3)
    raise AssertionError("the page did not start")


@contextmanager
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS.split())
        yield browser
        browser.close()


@dataclass
class Reader:
    """Somebody before the page. `hosts`: every host that the browser asked."""

    page: Page
    url: str
    hosts: set[str] = field(default_factory=set)

    def open(self, path: str = "") -> Reader:
        self.page.goto(f"{self.url}/{path}", timeout=WAIT_MS)
        self.page.locator("h1").wait_for(timeout=WAIT_MS)
        return self

    def send(self, question: str) -> None:
        """Type a question and send it."""
        box = self.page.get_by_test_id("stChatInputTextArea")
        box.fill(question)
        box.press("Enter")

    def ask(self, question: str) -> Locator:
        """The answer, once it stands there."""
        before = self.answers.count()
        self.send(question)
        return self.answer(before)

    def click(self, name: str) -> Locator:
        """Press a button that asks something; its answer."""
        before = self.answers.count()
        self.button(name).last.click(timeout=WAIT_MS)
        return self.answer(before)

    def answer(self, place: int) -> Locator:
        """The answer in this place, once it is whole."""
        found = self.answers.nth(place)
        found.wait_for(timeout=WAIT_MS)
        self.page.get_by_test_id("stApp").and_(self.page.locator('[data-test-script-state="notRunning"]')).wait_for(timeout=WAIT_MS)
        return found

    def button(self, name: str) -> Locator:
        """A button by the words on it."""
        return self.page.get_by_role("button").filter(has_text=name)

    @property
    def answers(self) -> Locator:
        return self.page.locator('[class*="st-key-answer-"]')

    @property
    def main(self) -> Locator:
        """The page without its head."""
        return self.page.get_by_role("main")

    @property
    def questions(self) -> list[str]:
        """What the conversation shows as asked."""
        return self.page.get_by_test_id("stChatMessage").get_by_test_id("stText").all_inner_texts()


def heard(answer: dict[str, Any]) -> list[list[str]]:
    """The rows of an answer as `cells` reads them: a number is heard whole, however it is written for the eye."""
    return [[_heard(cell, column) for cell, column in zip(row, columns_of(answer), strict=True)] for row in answer["rows"]]


def _heard(cell: Any, column: Column) -> str:
    number = number_of(cell) if column.numeric else None
    return shown(cell, column) if number is None else str(int(number)) if number.is_integer() else repr(number)


def words(place: Locator) -> str:
    """The text of a part of the page, as it was given."""
    return typed(place.inner_text(timeout=WAIT_MS))


def cells(place: Locator, number: int = 0) -> list[list[str]]:
    """The rows of a table in a part of the page, as a screen reader hears them."""
    table = place.get_by_test_id("stDataFrame").nth(number)
    table.locator("td[role=gridcell]").first.wait_for(state="attached", timeout=WAIT_MS)
    rows = [row.locator("td[role=gridcell]").all_text_contents() for row in table.locator("tr[role=row]").all()]
    return [row for row in rows if row]
