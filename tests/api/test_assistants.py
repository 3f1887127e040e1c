"""The assistants of a lake: one a release, built once however many ask, and never of another lake."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from rag_backend.assistant import Assistant, Assistants
from tests.support.lake import Lake

_TODAY = date(2026, 7, 1)


def payers(assistant: Assistant) -> set[str]:
    return {row[0] for row in assistant.ask("claims by payer", _TODAY)["rows"]}


def test_one_a_release(small: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight threads at once have the same assistant, which was built once."""
    built = []
    build = Assistants._of
    monkeypatch.setattr(Assistants, "_of", lambda self, release: built.append(release.number) or build(self, release))
    with closing(Assistants(small.settings, "analyst")) as assistants, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: assistants.current(), range(16)))
    assert len({id(assistant) for assistant in found}) == 1
    assert built == [1]


def test_another_lake_in_its_place(tmp_path: Path) -> None:
    """A catalog that was made anew: release 1 is another one, and neither values nor rows of the first are told."""
    lake = Lake(tmp_path / "lake")
    lake.generate(200)
    for payer in ("aetna", "unitedhealth"):
        shutil.move(lake.landing / payer, tmp_path / payer)
    lake.run()
    with closing(Assistants(lake.settings, "analyst")) as assistants:
        assert payers(assistants.current()) == {"BlueCross"}
        assert assistants._catalog is not None
        assistants._catalog.dispose()
        for path in lake.home.glob("lake.db*"):
            path.unlink()
        shutil.rmtree(lake.home / "warehouse")
        shutil.rmtree(lake.landing / "bluecross")
        shutil.move(tmp_path / "aetna", lake.landing / "aetna")
        lake.run(_TODAY + timedelta(days=1))
        assert lake.release().number == 1
        assert payers(assistants.current()) == {"Aetna"}


def test_a_values_file_that_is_not_whole_is_read_again(small: Lake, tmp_path: Path) -> None:
    """A power cut in the middle of it costs seconds, not an answer."""
    copy = Lake(tmp_path / "lake")
    shutil.copytree(small.home, copy.home)
    with closing(Assistants(copy.settings, "analyst")) as assistants:
        expected = payers(assistants.current())
    (kept,) = (copy.home / "readers").rglob("*.values.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_text(kept.read_text(encoding="utf-8")[:100], encoding="utf-8")
    with closing(Assistants(copy.settings, "analyst")) as assistants:
        assert payers(assistants.current()) == expected
