"""The Pipeline page: what the API says of releases, files and quality, as far as the role may read."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.api.server import Server, serving
from tests.support.lake import Lake
from tests.ui.conftest import Readers
from tests.ui.page import WAIT_MS, cells, paged, words


def test_the_release_and_what_went_into_it(small: Lake, reader_of: Readers) -> None:
    """As `engineer`: release, quality, quarantine, every file, the tables with their rows, and the links."""
    with serving(small, role="engineer") as server, paged(server.url) as url:
        reader = reader_of(url, "pipeline")
        expect(reader.page.get_by_text("Current release")).to_be_visible(timeout=WAIT_MS)
        release = server.client.get("/pipeline/releases").json()["releases"][0]
        main = reader.main
        assert f"{sum(release['tables'].values()):,}" in words(main)
        links = {link.inner_text().split()[-1]: link.get_attribute("href") for link in main.get_by_role("link").all()}
        assert links == {"Airflow": "http://localhost:8088", "Spark": "http://localhost:8080"}
        expect(main.get_by_text("found something")).to_be_visible(timeout=WAIT_MS)
        counts = server.client.get("/pipeline/quarantine").json()["counts"]
        reader.page.get_by_role("tab", name="Quarantine").click()
        queue = cells(reader.page.locator(".st-key-rows-queue"))
        assert queue[0][3] == f"{max(one['lines'] for one in counts):,}"
        reader.page.get_by_role("tab", name="Files").click()
        names = {row[1] for row in cells(reader.page.locator(".st-key-rows-files"))}
        assert names == {one["name"] for one in server.client.get("/pipeline/files").json()["files"]}
        reader.page.get_by_role("tab", name="Releases").click()
        tables = {row[0]: int(row[1]) for row in cells(reader.page.locator(".st-key-rows-tables"))}  # those that are in sight
        assert len(tables) > 5
        assert tables.items() <= release["tables"].items()


def test_what_the_role_may_not_read_is_said(server: Server, page_url: str, reader_of: Readers) -> None:
    """As `analyst`: quality and quarantine are closed, in words; the rest of the page is there."""
    assert server.client.get("/pipeline/quality").status_code == 403
    reader = reader_of(page_url, "pipeline")
    expect(reader.page.get_by_text("Your role may not read this").first).to_be_visible(timeout=WAIT_MS)
    expect(reader.page.get_by_text("Current release")).to_be_visible()
