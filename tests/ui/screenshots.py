"""Pictures of the page for the documentation, light and dark: `make screenshots` writes them to docs/images/."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.api.server import serving
from tests.support.lake import ROOT, Lake
from tests.ui.page import WAIT_MS, Reader, chromium, paged

_IMAGES = ROOT / "docs/images"
_CLAIMS, _DAYS, _LAST = 3_000, 4, date(2026, 6, 30)
_SETTLED_MS = 3_500  # charts and tables are drawn after the page is whole


def a_week_of_releases(folder: Path) -> Lake:
    """A lake with one release a day."""
    lake = Lake(folder / "lake")
    files = folder / "files"
    size = [
        "--claims",
        str(_CLAIMS),
        "--seed",
        "7",
        "--out",
        str(files),
        "--days",
        str(_DAYS),
        "--as-of",
        _LAST.isoformat(),
        "--defects",
        "0.04",
    ]
    subprocess.run([sys.executable, "-m", "medflow", "generate", *size], check=True, cwd=ROOT, capture_output=True)
    shutil.copytree(files / "reference", lake.landing / "reference")
    for folder_of_day in sorted(path for path in files.iterdir() if path.name[0].isdigit()):
        shutil.copytree(folder_of_day, lake.landing, dirs_exist_ok=True)
        lake.run(date.fromisoformat(folder_of_day.name) + timedelta(days=1))
    return lake


def answered(reader: Reader) -> None:
    reader.ask("paid amount by payer and month in 2026")


def masked(reader: Reader) -> None:
    """The end of the table, where the small numbers are."""
    table = reader.ask("claims by specialty and payer").get_by_test_id("stDataFrame")
    table.locator("td[role=gridcell]").first.wait_for(state="attached", timeout=WAIT_MS)
    table.hover()
    reader.page.mouse.wheel(0, 100_000)


def clarified(reader: Reader) -> None:
    reader.ask("what is the cost by payer")


def refused(reader: Reader) -> None:
    reader.ask("claims for Cigna")


def begun(reader: Reader) -> None:
    reader.page.locator('[class*="st-key-starter-"]').first.wait_for(timeout=120_000)


def pipeline(reader: Reader) -> None:
    reader.page.get_by_text("found something").wait_for(timeout=WAIT_MS)


_SCENES: dict[str, tuple[str, str, int, Callable[[Reader], None]]] = {
    "start": ("analyst", "", 720, begun),
    "ask": ("analyst", "", 1020, answered),
    "clarify": ("analyst", "", 520, clarified),
    "refusal": ("analyst", "", 520, refused),
    "masked": ("business", "", 960, masked),
    "pipeline": ("engineer", "pipeline", 1060, pipeline),
}


def pictures(browser: Browser, url: str, role: str) -> None:
    """Every scene of a role, in both schemes."""
    for name, (asks, path, height, scene) in _SCENES.items():
        for scheme in ("light", "dark") if asks == role else ():
            context = browser.new_context(viewport={"width": 1280, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
            reader = Reader(context.new_page(), url).open(path)
            scene(reader)
            expect(reader.page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=WAIT_MS)
            reader.page.wait_for_timeout(_SETTLED_MS)
            reader.page.screenshot(path=_IMAGES / f"{name}-{scheme}.png")
            context.close()


def main() -> None:
    """Make the lake, serve it for each role, and take the pictures."""
    _IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        lake = a_week_of_releases(Path(folder))
        for role in dict.fromkeys(asks for asks, *_ in _SCENES.values()):
            with serving(lake, role=role) as server, paged(server.url) as url:
                pictures(browser, url, role)


if __name__ == "__main__":
    main()
