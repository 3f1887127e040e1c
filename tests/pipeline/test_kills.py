"""kill -9 at any point, then a run: the result is that of an undisturbed run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from random import Random

import pytest

from tests.support.claims import WRITERS, Line, Version, put
from tests.support.counts import counted
from tests.support.lake import Lake

_SEED, _SHARES = 11, 6  # shares: so that two workers can take them
_RUN = ("run", "--json", "--date", "2026-07-01")


@dataclass
class Scene:
    """A lake with one release and a second batch waiting, kept so that it can be set up again at the same place."""

    lake: Lake
    kept: Path
    points: list[str]
    expected: dict[str, list[str]]

    def set_up(self) -> None:
        shutil.rmtree(self.lake.home)
        shutil.copytree(self.kept, self.lake.home)

    def crash(self, point: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.support.crash", point, "--", *_RUN],
            env=self.lake.environment(),
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One scene for all points."""
    return made_scene(tmp_path_factory.mktemp("kills"))


def made_scene(folder: Path) -> Scene:
    """Release 1 of three payers; waiting: replacements that move months, new claims, defects, providers."""
    lake = Lake(folder / "lake")
    first = [
        Version(
            f"C{n}", service=date(2026, 1 + n % 3, 5), received=date(2026, 4, 1), adjudicated=date(2026, 4, 9), paid_on=date(2026, 4, 10)
        )
        for n in range(40)
    ]
    for payer, writer in WRITERS.items():
        lake.put(payer, "1.csv", writer(first))
    lake.run()
    later = [
        replace(v, sequence=1, service=date(2026, 3, 2), received=date(2026, 5, 1), adjudicated=date(2026, 5, 9), paid_on=date(2026, 5, 10))
        for v in first[:6]
    ]
    bad = Version(
        "BAD", lines=(Line(1), Line(2, units=0)), received=date(2026, 4, 1), adjudicated=date(2026, 4, 9), paid_on=date(2026, 4, 10)
    )
    new = [replace(v, claim=f"N{v.claim}") for v in first]
    for payer, writer in WRITERS.items():
        lake.put(payer, "2.csv", writer([*later, bad, *new]))
    put(lake.landing, "reference", "providers.csv", b"npi,name,specialty,state\n1234567893,Ann Lee,Cardiology,TX\n")
    kept = folder / "kept"
    shutil.copytree(lake.home, kept)
    made = Scene(lake, kept, [], {})
    done = made.crash(f"list:{folder / 'points'}")
    assert done.returncode == 0, done.stderr
    made.points = (folder / "points").read_text().splitlines()
    made.expected = lake.content()
    return made


def test_there_are_points_at_every_kind_of_place(scene: Scene) -> None:
    """The points that the suite draws from cover steps, writes, pointer swaps and catalog statements."""
    kinds = {point.rpartition("#")[0] for point in scene.points}
    assert {"before step publish", "after step silver", "in write", "before swap", "after swap", "statement", "commit"} <= kinds
    assert len(scene.points) >= 100


@pytest.mark.parametrize("share", range(_SHARES))
def test_a_killed_run_is_made_good_by_the_next(scene: Scene, share: int) -> None:
    """At each point: nothing half visible after the kill, and after one more run the tables of an undisturbed run."""
    boundaries = [point for point in scene.points if " step " in point]
    others = [point for point in scene.points if " step " not in point]
    chosen = boundaries + Random(_SEED).sample(others, counted(16, len(others)))
    assert len(chosen) >= 30
    for point in chosen[share::_SHARES]:
        scene.set_up()
        died = scene.crash(point)
        if not point.startswith("in "):
            assert died.returncode == -9, (point, died.stderr)
        assert scene.lake.release().number in (1, 2), point
        scene.lake.run()
        assert scene.lake.release().number == 2, point
        assert scene.lake.content() == scene.expected, point
