"""`medflow maintain` on lakes that the pipeline made: what goes and what stays, the command, and kill -9 at any point.

As a program, `python -m tests.pipeline.test_maintain HOME`, it maintains the lake below HOME again and again, each time in a fork
that is killed at the point that a line on stdin names.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from medflow.errors import UsageError
from spark_jobs import compaction, retention
from spark_jobs.engines.duckdb import DuckDBEngine
from spark_jobs.maintain import maintain
from spark_jobs.writer import BranchWriter
from tests.pipeline.four_loads import LOADS, RAW, Scene, Told, command, data_files, maintained, two_days_later, whole
from tests.support.claims import Line, Version, bluecross
from tests.support.counts import counted
from tests.support.crash import Points
from tests.support.lake import RUN_DATE, Lake, order

_SEED = 5
_MUCH_LATER = date(2027, 9, 1)


def stored(lake: Lake) -> Counter[tuple[str, ...]]:
    """How many files of each kind each folder holds: names differ from run to run."""
    root = lake.home / "warehouse"
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return Counter((*path.parts[:3], path.suffix) if path.parts[0] != "_releases" else ("_releases",) for path in paths)


# --- retention and orphans, as the command shows them ---


def test_many_releases_later(loaded: Lake, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compacted, expired and swept in one call: kept releases are what they were, and the disk is emptier."""
    monkeypatch.setattr(retention, "KEPT_RELEASES", 2)
    size = sum(path.stat().st_size for path in (loaded.home / "warehouse").rglob("*") if path.is_file())
    found = maintained(loaded, _MUCH_LATER)
    assert (found.release, found.expired, found.branches) == (5, (1, 2, 3), ())
    assert {number: whole(loaded, number) for number in (4, 5)} == {4: scene.expected[4], 5: scene.expected[4]}
    assert size > sum(path.stat().st_size for path in (loaded.home / "warehouse").rglob("*") if path.is_file())
    assert sum(table.swept.files for table in found.tables) > 0
    with pytest.raises(UsageError, match="release 3 is no longer kept"):
        loaded.release(3)
    assert maintained(loaded, _MUCH_LATER).nothing_done
    listed = json.loads(command(loaded, "releases", "list", "--json").out)
    assert [entry["kept"] for entry in listed] == [False, False, False, True, True]
    assert f"no, expired on {_MUCH_LATER}" in command(loaded, "releases", "list").out
    refused = command(loaded, "releases", "restore", "2")
    assert refused.code == 2 and "release 2 is no longer kept" in refused.err
    assert command(loaded, "releases", "restore", "4").code == 0
    assert whole(loaded, 6) == scene.expected[4]


def test_files_of_a_killed_run_go_after_a_day(scene: Scene) -> None:
    """A run that was killed before it published leaves files; maintenance takes them a day later, and its branch after a week."""
    lake = scene.set_up()
    lake.put("bluecross", "9.csv", bluecross([Version("LATE")]))
    before = data_files(lake)
    command = [sys.executable, "-m", "tests.support.crash", "before step publish#1", "--", "run", "--date", RUN_DATE.isoformat()]
    assert subprocess.run(command, env=lake.environment(), capture_output=True, check=False).returncode == -9
    left = data_files(lake) - before
    now = replace(order(), clock=lambda: datetime.now(UTC))
    week = RUN_DATE + timedelta(days=8)
    assert maintain(lake.site(), now).branches == () == maintained(lake).branches
    assert left and left <= data_files(lake)  # the branch holds them
    assert len(maintain(lake.site(), replace(now, run_date=week)).branches) == 1
    assert left <= data_files(lake)  # they are too young
    assert sum(table.swept.files for table in maintained(lake, week).tables) >= len(left)
    assert data_files(lake) == before
    assert whole(lake, LOADS) == scene.expected[LOADS]
    assert lake.run().release == LOADS + 1
    assert len(whole(lake, LOADS + 1)[RAW]) == len(scene.expected[LOADS][RAW]) + 1


def test_a_refused_batch_stays_readable_for_30_days(scene: Scene) -> None:
    """`quarantine list --batch` shows the same lines after maintenance within them."""
    lake = scene.set_up()
    lake.put("bluecross", "bad.csv", bluecross([Version(f"BAD{n}", lines=(Line(units=0),)) for n in range(150)]))
    refused = command(lake, "run", "--date", RUN_DATE.isoformat())
    assert refused.code == 3, refused.err
    batch = refused.err.partition("refused batch ")[2][:16]
    before = command(lake, "quarantine", "list", "--batch", batch, "--json")
    assert json.loads(before.out)["total"] == 150
    assert maintained(lake, RUN_DATE + timedelta(days=30)).branches == ()
    assert command(lake, "quarantine", "list", "--batch", batch, "--json") == before
    assert maintained(lake, RUN_DATE + timedelta(days=31)).branches == (f"audit_{batch}",)
    assert command(lake, "run").code == 3  # its answer is in the ledger


def test_the_command(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of nothing to do, of work and of bad use; --json is the same."""
    lake = scene.set_up()
    told = lake.command("maintain", "--date", "2026-07-01")
    assert (told.returncode, told.stdout.splitlines()[0], told.stderr) == (0, "nothing to do", "")  # 4 files are not many
    answer = json.loads(command(lake, "maintain", "--json").out)
    assert answer["nothing_done"] and (answer["release"], answer["expired"], answer["branches"]) == (None, [], [])
    monkeypatch.setattr(compaction, "SMALL_FILES", 2)
    monkeypatch.setattr(retention, "KEPT_RELEASES", 2)
    told = command(lake, "maintain", "--date", _MUCH_LATER.isoformat())
    assert told.code == 0 and "no longer kept: release 1, 2, 3\n" in told.out and "the same rows in fewer files" in told.out
    assert re.search(r"healthcare\.claims_raw +8 -> 2 ", told.out)
    for arguments, said in ((["--date", "soon"], "write it as YYYY-MM-DD"), (["--engine", "pandas"], "no build engine 'pandas'")):
        wrong = command(lake, "maintain", *arguments)
        assert wrong.code == 2 and said in wrong.err


def test_an_empty_lake_needs_nothing(lake: Lake) -> None:
    """Before the first release."""
    assert command(lake, "maintain") == Told(0, "nothing to do\n", "")


def test_beside_a_run_it_waits_its_turn(loaded: Lake) -> None:
    """While another process holds the lake: a message, exit 1, and nothing is touched; with --wait it goes on afterwards."""
    before = stored(loaded)
    with loaded.site().lock(replace(order(), clock=lambda: datetime.now(UTC))).acquire("b1"):
        told = loaded.command("maintain")
        assert told.returncode == 1 and "batch b1" in told.stderr and "holds the lake" in told.stderr
        assert stored(loaded) == before
        waiting = subprocess.Popen([sys.executable, "-m", "medflow", "maintain", "--wait", "60"], env=loaded.environment())
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=6)
    assert waiting.wait(timeout=60) == 0


# --- kill -9 ---


@dataclass
class Crasher:
    """The process that maintains in forks; one line in, one line out."""

    child: subprocess.Popen[str]

    def maintain(self, point: str) -> str:
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write(f"{point}\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()


@pytest.fixture(scope="module")
def crasher(scene: Scene) -> Iterator[Crasher]:
    command = [sys.executable, "-m", "tests.pipeline.test_maintain", str(scene.lake.home)]
    with subprocess.Popen(command, env=scene.lake.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        yield Crasher(child)
        assert child.stdin is not None
        child.stdin.close()


def state(lake: Lake) -> tuple[Any, ...]:
    """What must come out the same: releases, which are kept, their rows, refs of tables, files of each kind."""
    site = lake.site()
    from medflow.lakehouse.catalog import Lake as OpenLake

    expired = site.ledger.expired()
    releases = [(entry.release, entry.kind, entry.release in expired) for entry in site.ledger.releases()]
    rows = {number: whole(lake, number) for number, _, is_expired in releases if not is_expired}
    tables = OpenLake(site.database, site.settings.warehouse).tables()
    return releases, rows, {name: sorted(table.refs()) for name, table in tables.items()}, stored(lake)


def readable_throughout(lake: Lake, scene: Scene, point: str) -> None:
    """After a kill every release that is not expired has all its rows."""
    ledger = lake.site().ledger
    expired = ledger.expired()
    assert set(expired) in (set(), {1, 2, 3}), point
    for entry in ledger.releases():
        if entry.release not in expired:
            assert whole(lake, entry.release) == scene.expected[min(entry.release, LOADS)], (point, entry.release)


def test_a_killed_maintenance_is_made_good_by_the_next(scene: Scene, crasher: Crasher) -> None:
    """Before and after each write, swap, publish and deletion, and at each statement that changes the catalog."""
    lake = scene.set_up()
    points = crasher.maintain("list").split(",")
    expected = state(lake)
    assert expected[0] == [(1, "load", True), (2, "load", True), (3, "load", True), (4, "load", False), (5, "compact", False)]
    kinds = {point.rpartition("#")[0] for point in points}
    wanted = {"before write", "after write", "before branch", "after publish", "before swap", "after swap", "before delete", "after delete"}
    assert wanted | {"statement", "commit"} <= kinds
    assert sum(point.startswith("before delete") for point in points) > 50
    boundaries = [point for point in points if point.split("#")[0].split()[-1] in ("swap", "publish")]
    others = sorted(set(points) - set(boundaries))
    for point in [*boundaries, *Random(_SEED).sample(others, counted(10, min(len(others), 100)))]:
        scene.set_up()
        assert crasher.maintain(point) == "killed", point
        readable_throughout(lake, scene, point)
        assert crasher.maintain("none") == "0", point
        assert state(lake) == expected, point


def attempt(home: Path, point: str) -> int:
    """One maintenance in this process, which may not survive it; with `list`, the points passed are printed."""
    from sqlalchemy import Engine, event

    from spark_jobs.stored_files import LocalWarehouse

    points = Points(point)
    compaction.SMALL_FILES = 2  # type: ignore[misc]
    retention.KEPT_RELEASES = 2  # type: ignore[misc]
    DuckDBEngine.write = points.around("write", DuckDBEngine.write)  # type: ignore[method-assign]
    BranchWriter.replace = points.around("branch", BranchWriter.replace)  # type: ignore[method-assign]
    LocalWarehouse.delete = points.around("delete", LocalWarehouse.delete)  # type: ignore[method-assign]
    compaction.publish = points.around("publish", compaction.publish)  # type: ignore[attr-defined]
    retention.land = points.around("swap", retention.land)  # type: ignore[attr-defined]

    @event.listens_for(Engine, "before_cursor_execute")
    def _statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")) and "heartbeat=" not in statement:
            points.at("statement")

    event.listen(Engine, "commit", lambda _: points.at("commit"))
    maintain(Lake(home).site(), two_days_later(_MUCH_LATER))
    if point == "list":
        print(",".join(points.passed), flush=True)
    return 0


def main(home: Path) -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(attempt(home, line.strip()))
        _, status = os.waitpid(child, 0)
        if line.strip() != "list":
            print("killed" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
