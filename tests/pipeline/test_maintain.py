"""`medflow maintain` on lakes that the pipeline made: compaction, the command, and kill -9 at any point.

As a program, `python -m tests.pipeline.test_maintain HOME`, it maintains the lake below HOME again and again, each time in a fork
that is killed at the point that a line on stdin names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from medflow.cli import _run
from medflow.errors import UsageError, VerificationError
from medflow.lakehouse.releases import DataFileInfo, Release, ReleasedTable
from spark_jobs import compaction, retention
from spark_jobs.compaction import SMALL_BYTES, scattered
from spark_jobs.engines.duckdb import DuckDBEngine
from spark_jobs.maintain import MaintainOutcome, maintain
from spark_jobs.pipeline import Order
from spark_jobs.reverify import verify_release
from spark_jobs.writer import BranchWriter, Ref
from tests.support.claims import Line, Version, bluecross, unitedhealth
from tests.support.counts import counted
from tests.support.crash import Points
from tests.support.lake import RUN_DATE, Lake, order

_SEED = 5
_LOADS = 4
_RAW, _HISTORY, _LOG = "healthcare.claims_raw", "healthcare.claims_history", "healthcare.data_quality_log"
_SCATTERED = {_RAW, _HISTORY, _LOG, "healthcare.claims_quarantined"}  # what loads only ever append to
_MUCH_LATER = date(2027, 9, 1)


@dataclass
class Scene:
    """A lake of some loads, kept so that it can be set up again at the same place; and the process that maintains it."""

    lake: Lake
    kept: Path
    expected: dict[int, dict[str, list[tuple[Any, ...]]]] = field(default_factory=dict)

    def set_up(self) -> Lake:
        shutil.rmtree(self.lake.home)
        shutil.copytree(self.kept, self.lake.home)
        return self.lake


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Four loads of two payers into the same partitions, and replacements among them."""
    folder = tmp_path_factory.mktemp("maintain")
    lake = Lake(folder / "lake")
    for number in range(1, _LOADS + 1):
        claims = [Version(f"C{number}-{n}", service=date(2026, 1 + n % 2, 5)) for n in range(5)]
        again = [Version(f"C{number - 1}-0", sequence=1, lines=(Line(), Line(2)))] if number > 1 else []
        lake.put("bluecross", f"{number}.csv", bluecross([*claims, *again]))
        lake.put("unitedhealth", f"{number}.txt", unitedhealth(claims))
        assert lake.run().release == number
    kept = folder / "kept"
    shutil.copytree(lake.home, kept)
    made = Scene(lake, kept)
    made.expected = {number: whole(lake, number) for number in range(1, _LOADS + 1)}
    return made


@pytest.fixture
def loaded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The scene's lake as the loads left it; more than two small files of a partition are worth rewriting."""
    monkeypatch.setattr(compaction, "SMALL_FILES", 2)
    return scene.set_up()


def whole(lake: Lake, number: int) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of a release, sorted, by DuckDB from the files that its manifest names."""
    connection = duckdb.connect()
    read = "SELECT COLUMNS(*)::VARCHAR FROM read_parquet($1, union_by_name = true, hive_partitioning = false) ORDER BY ALL"
    tables = lake.release(number).tables
    return {name: connection.execute(read, [table.files]).fetchall() if table.files else [] for name, table in tables.items()}


def two_days_later(run_date: date = RUN_DATE) -> Order:
    """All files that lie there now are old by this order's clock."""
    return replace(order(run_date), clock=lambda: datetime.now(UTC) + timedelta(days=2))


def maintained(lake: Lake, run_date: date = RUN_DATE) -> MaintainOutcome:
    return maintain(lake.site(), two_days_later(run_date))


def stored(lake: Lake) -> Counter[tuple[str, ...]]:
    """How many files of each kind each folder holds: names differ from run to run."""
    root = lake.home / "warehouse"
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return Counter((*path.parts[:3], path.suffix) if path.parts[0] != "_releases" else ("_releases",) for path in paths)


@dataclass
class Told:
    """What the command said, and how it ended."""

    code: int
    out: str
    err: str


def command(lake: Lake, *arguments: str) -> Told:
    """The command in this process, which has imported all that it needs."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = _run(["--home", str(lake.home), "--knowledge-base", str(lake.knowledge_base), *arguments])
    return Told(code, out.getvalue(), err.getvalue())


def data_files(lake: Lake) -> set[Path]:
    return set((lake.home / "warehouse").rglob("*.parquet"))


# --- what is worth rewriting ---


def files_of(*sizes: int) -> ReleasedTable:
    return ReleasedTable(1, "", (), tuple(DataFileInfo(f"{n}", {"payer_id": "a"}, 1, size) for n, size in enumerate(sizes)))


_MB = 1 << 20


@pytest.mark.parametrize(
    ("sizes", "worth"),
    [
        ([_MB] * 9, True),
        ([_MB] * 8, False),
        ([SMALL_BYTES] * 50, False),
        ([SMALL_BYTES - 1] * 9, True),
        ([*[_MB] * 9, 300 * _MB], False),
        ([*[_MB] * 9, 200 * _MB], True),
        ([*[_MB] * 12, 300 * _MB], True),
        ([], False),
    ],
    ids=["9 small", "8 small", "none is small", "just small", "few beside a large one", "enough beside it", "more beside it", "no file"],
)
def test_a_partition_is_rewritten_when_its_small_files_weigh(sizes: list[int], worth: bool) -> None:
    """More than 8 files below 32 MB, and more than one for each 32 MB that would have to be rewritten."""
    assert (list(scattered(files_of(*sizes))) == [("a",)]) is worth


def test_partitions_are_weighed_one_by_one() -> None:
    """Nine small files over two partitions are not many in either."""
    files = [DataFileInfo(f"{n}", {"payer_id": "a" if n < 5 else "b", "day": n % 1}, 1, 10) for n in range(9)]
    assert scattered(ReleasedTable(1, "", (), tuple(files))) == {}


# --- compaction ---


def test_compaction_gives_the_same_rows_in_fewer_files(loaded: Lake, scene: Scene) -> None:
    """A release of its own kind; every table equal row for row; sorted as declared; and the second time there is nothing to do."""
    before = loaded.release()
    found = maintained(loaded)
    after = loaded.release()
    assert (found.release, after.number, after.kind, after.parent) == (_LOADS + 1, _LOADS + 1, "compact", _LOADS)
    assert whole(loaded, after.number) == whole(loaded, _LOADS) == scene.expected[_LOADS]
    done = {table.table: table.compacted for table in found.tables if table.compacted}
    assert set(done) == _SCATTERED
    for name, table in done.items():
        count = [len(release.tables[name].data_files) for release in (before, after)]
        assert (table.files_before, table.files_after) == (count[0], table.partitions) == (_LOADS * table.partitions, count[1])
        assert table.bytes_before == sum(file.bytes for file in before.tables[name].data_files)
        assert table.bytes_after == sum(file.bytes for file in after.tables[name].data_files)
    assert {name: table for name, table in after.tables.items() if name not in done}.keys() == before.tables.keys() - done.keys()
    assert all(after.tables[name].snapshot == before.tables[name].snapshot for name in before.tables if name not in done)
    again = maintained(loaded)
    assert again.nothing_done and again.tables == () and loaded.release().number == _LOADS + 1
    assert not any(finding.failed for finding in verify_release(loaded.site(), lambda _: None)[1])


def test_a_partition_that_is_not_scattered_keeps_its_files(loaded: Lake, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """One payer's partitions are rewritten, the other's are as they were, in whatever order they are listed."""
    monkeypatch.setattr(compaction, "_is_scattered", lambda files: "bluecross" in files[0].partition.values())
    listed = BranchWriter.files

    def turned(writer: BranchWriter, table: str, ref: Ref, *partitions: Any) -> list[DataFileInfo]:
        files = listed(writer, table, ref, *partitions)
        return files[::-1] if ref == "branch" else files

    monkeypatch.setattr(BranchWriter, "files", turned)
    before = loaded.release()
    assert maintained(loaded).release == _LOADS + 1

    def of(release: Release, payer: str) -> set[str]:
        return {file.path for file in release.tables[_RAW].data_files if file.partition["payer_id"] == payer}

    after = loaded.release()
    assert of(after, "unitedhealth") == of(before, "unitedhealth") and len(of(after, "unitedhealth")) == _LOADS
    assert len(of(after, "bluecross")) == 1 and not of(after, "bluecross") & of(before, "bluecross")
    assert whole(loaded, after.number) == scene.expected[_LOADS]


def test_rewritten_partitions_are_sorted_as_declared(loaded: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only merged."""
    monkeypatch.setattr(compaction, "_is_scattered", lambda files: len(files) >= 1)
    monkeypatch.setattr(compaction._Rewrite, "write", forced(compaction._Rewrite.write))
    maintained(loaded)
    name = "healthcare.claims_clean"
    assert loaded.release().kind == "compact"
    for path in loaded.release().tables[name].files:
        keys = duckdb.connect().execute("SELECT payer_id, claim_id FROM read_parquet($1)", [path]).fetchall()
        assert keys == sorted(keys) and len(keys) > 1


def forced(write: Any) -> Any:
    """Rewrite also what does not come out with fewer files."""

    def written(rewrite: Any, engine: Any, lock: Any) -> None:
        rewrite.scattered = {key: [*files, *files] for key, files in rewrite.scattered.items()}
        read = engine.files
        engine.files = lambda relation, paths, spec: read(relation, list(dict.fromkeys(paths)), spec)
        write(rewrite, engine, lock)
        del engine.files

    return written


def test_what_does_not_come_out_with_fewer_files_is_left(loaded: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """No release, no batch and no branch; what was written for nothing goes as an orphan."""
    monkeypatch.setattr(compaction, "_is_scattered", lambda files: len(files) == 1)
    before = data_files(loaded)
    found = maintain(loaded.site(), replace(order(), clock=lambda: datetime.now(UTC)))
    assert (found.release, found.batch_id, loaded.release().number) == (None, None, _LOADS)
    assert before < data_files(loaded)
    maintained(loaded)
    monkeypatch.setattr(compaction, "_is_scattered", lambda _: False)
    maintained(loaded)
    assert data_files(loaded) == before


def test_compaction_changes_nothing_that_is_told_of_loads(loaded: Lake) -> None:
    """Contents, gate history, fingerprints, declarations, candidates, notices; the lineage grows by one."""

    def facts() -> tuple[Any, ...]:
        site, release = loaded.site(), loaded.release()
        contents = {key: entry.release for key, entry in site.ledger.contents(release.number).items()}
        statistics = [site.ledger.statistics(payer, 5) for payer in ("bluecross", "unitedhealth")]
        return contents, statistics, site.ledger.files(), dict(release.fingerprints), release.declarations

    before = facts()
    maintained(loaded)
    assert facts() == before
    site = loaded.site()
    assert [entry.kind for entry in site.ledger.lineage()] == ["compact", *["load"] * _LOADS]
    batch = site.ledger.batch(loaded.release().batch_id)
    assert batch is not None and (batch.state, batch.release, set(batch.result["compacted"])) == ("published", 5, _SCATTERED)
    told = json.loads(command(loaded, "status", "--json").out)
    assert (told["release"]["kind"], told["notices"]) == ("compact", [])
    listed = json.loads(command(loaded, "releases", "list", "--json").out)
    assert [(entry["kind"], entry["kept"]) for entry in listed] == [*[("load", True)] * _LOADS, ("compact", True)]


def test_loads_and_restores_go_on_after_compaction(loaded: Lake, scene: Scene) -> None:
    """The next load builds on the compacted release; a restore goes behind it and back."""
    maintained(loaded)
    loaded.put("bluecross", "9.csv", bluecross([Version("LATE")]))
    assert loaded.run().release == 6
    assert len(whole(loaded, 6)[_RAW]) == len(scene.expected[_LOADS][_RAW]) + 1
    for number, like in ((2, 2), (5, _LOADS)):
        done = command(loaded, "releases", "restore", str(number), "--json")
        assert done.code == 0, done.err
        assert whole(loaded, json.loads(done.out)["release"]) == scene.expected[like]


@pytest.mark.parametrize("harm", ["LIMIT 1", "UNION ALL SELECT * FROM ({sql}) LIMIT 7", "WHERE {column} IS NOT NULL OR TRUE LIMIT 0"])
def test_compaction_that_would_change_rows_is_not_published(loaded: Lake, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    """Rows lost, doubled, or all gone: told with counts, and the release stays what it was."""
    write = DuckDBEngine.write

    def harmful(self: DuckDBEngine, sql: str, target: Any) -> list[str]:
        return write(self, f"{sql} {harm.format(sql=sql, column=target.spec.columns[0].name)}", target)

    monkeypatch.setattr(DuckDBEngine, "write", harmful)
    before = loaded.content()
    with pytest.raises(VerificationError, match=r"compacting healthcare\.\w+ would change it: a partition of \d+ rows came out with \d+"):
        maintained(loaded)
    assert loaded.release().number == _LOADS and loaded.content() == before
    monkeypatch.setattr(DuckDBEngine, "write", write)
    assert maintained(loaded).release == _LOADS + 1


def test_a_changed_value_is_noticed(loaded: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number of rows, one map or amount other than it was."""
    write = DuckDBEngine.write
    changes = {_RAW: ("fields", "MAP('CLAIM_ID', 'X')"), _HISTORY: ("paid_amount", "paid_amount + CAST(0.01 AS DECIMAL(12, 2))")}

    for name, (column, value) in changes.items():

        def harmful(self: DuckDBEngine, sql: str, target: Any, name: str = name, column: str = column, value: str = value) -> list[str]:
            if target.spec.name != name:
                return write(self, sql, target)
            chosen = ", ".join(f"{value} AS {column}" if c == column else c for c in target.spec.column_names)
            return write(self, f"SELECT {chosen} FROM ({sql}) AS rows_to_harm", target)

        monkeypatch.setattr(DuckDBEngine, "write", harmful)
        with pytest.raises(VerificationError, match=rf"compacting {name} would change it"):
            maintained(loaded)
    assert loaded.release().number == _LOADS


def test_a_table_that_waits_for_a_declared_column_is_left_to_the_run(loaded: Lake, tmp_path: Path) -> None:
    """Its new column comes with the next load, not with a compaction."""
    from tests.support.lake import copied_knowledge_base

    base = copied_knowledge_base(tmp_path / "kb")
    path = base / "bronze" / "claims_raw.yaml"
    path.write_text(path.read_text() + "  note: {type: string, about: a new one}\n")
    changed = Lake(loaded.home, base)
    found = maintain(changed.site(), two_days_later())
    assert {table.table for table in found.tables if table.compacted} == _SCATTERED - {_RAW}
    assert "note" not in [column.name for column in changed.release().tables[_RAW].columns]


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
    assert whole(lake, _LOADS) == scene.expected[_LOADS]
    assert lake.run().release == _LOADS + 1
    assert len(whole(lake, _LOADS + 1)[_RAW]) == len(scene.expected[_LOADS][_RAW]) + 1


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
            assert whole(lake, entry.release) == scene.expected[min(entry.release, _LOADS)], (point, entry.release)


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

    from spark_jobs.stored_files import Warehouse

    points = Points(point)
    compaction.SMALL_FILES = 2  # type: ignore[misc]
    retention.KEPT_RELEASES = 2  # type: ignore[misc]
    DuckDBEngine.write = points.around("write", DuckDBEngine.write)  # type: ignore[method-assign]
    BranchWriter.replace = points.around("branch", BranchWriter.replace)  # type: ignore[method-assign]
    Warehouse.delete = points.around("delete", Warehouse.delete)  # type: ignore[method-assign]
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
