"""One small lake, an API and a page for all tests that only read, and a browser for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser

from tests.api.server import Server, serving
from tests.support.lake import Lake
from tests.ui.page import Reader, chromium, paged

Readers = Callable[..., Reader]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """2,000 claims with defects among them, one release."""
    lake = Lake(tmp_path_factory.mktemp("ui") / "lake")
    done = lake.command("generate", "--claims", "2000", "--seed", "7", "--defects", "0.04", "--out", str(lake.landing))
    assert done.returncode == 0, done.stderr
    lake.run()
    return lake


@pytest.fixture(scope="session")
def server(small: Lake) -> Iterator[Server]:
    with serving(small) as running:
        yield running


@pytest.fixture(scope="session")
def page_url(server: Server) -> Iterator[str]:
    with paged(server.url) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def reader_of(browser: Browser) -> Iterator[Readers]:
    """A reader of a page at an address, in a window of its own."""
    with ExitStack() as windows:

        def opened(url: str, path: str = "", *, width: int = 1280, scheme: str = "light") -> Reader:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True)  # type: ignore[arg-type]
            windows.callback(context.close)
            reader = Reader(context.new_page(), url)
            reader.page.on("request", lambda request: reader.hosts.add(request.url.split("/")[2]))
            return reader.open(path)

        yield opened


@pytest.fixture
def reader(reader_of: Readers, page_url: str) -> Reader:
    return reader_of(page_url)
