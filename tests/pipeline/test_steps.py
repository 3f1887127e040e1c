"""The jobs, each as a process of its own would do it, make what one run makes; in whatever way they are disturbed between."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medflow.errors import FencedError, GateRefused
from medflow.lakehouse.batch_steps import BatchSteps, FinishedJob
from medflow.lakehouse.catalog import Lake as Tables
from spark_jobs import plan
from spark_jobs.__main__ import main
from spark_jobs.carried import Carried, Origin
from spark_jobs.pipeline import Site
from spark_jobs.retention import retire
from spark_jobs.rework import rebuild
from spark_jobs.run import Batch, BatchFile, PayerFigures, QualityRow, Touched
from spark_jobs.steps import JOBS
from tests.support.claims import WRITERS, Line, Version, bluecross
from tests.support.counts import counted
from tests.support.lake import ROOT, Lake, copied_knowledge_base, order

QUALITY, QUEUE = "healthcare.data_quality_log", "healthcare.claims_quarantined"
NAMES = [job.name for job in JOBS]
DATED = ("--date", "2026-07-01")
PROVIDERS = b"npi,name,specialty,state\n1234567893,Ann Lee,Cardiology,TX\n1245319599,Bo Ray,Oncology,CA\n99,No One,,\n"


def sound(count: int, start: int = 0) -> list[Version]:
    """Claims of three months of service."""
    late = {"received": date(2026, 4, 1), "adjudicated": date(2026, 4, 9), "paid_on": date(2026, 4, 10)}
    return [Version(f"C{n}", member=f"M{n % 7}", service=date(2026, 1 + n % 3, 5), **late) for n in range(start, start + count)]


def put_first(lake: Lake) -> None:
    """A file of each payer, with a line in error, its sibling, and providers."""
    bad = replace(sound(1)[0], claim="BAD", lines=(Line(1), Line(2, units=0)))
    for payer, writer in WRITERS.items():
        lake.put(payer, "1.csv", writer([*sound(30), bad]))
    lake.put("reference", "providers.csv", PROVIDERS)


def put_second(lake: Lake) -> None:
    """Replacements that move claims out of old months, new claims, and a file that is rejected."""
    later = {"received": date(2026, 5, 1), "adjudicated": date(2026, 5, 9), "paid_on": date(2026, 5, 10)}
    moved = [replace(version, sequence=1, service=date(2026, 3, 2), **later) for version in sound(6)]
    for payer, writer in WRITERS.items():
        lake.put(payer, "2.csv", writer([*moved, *sound(20, 100)]))
    lake.put("aetna", "empty.csv", b"")


@dataclass
class Steps:
    """`python -m spark_jobs` on a lake, in this process."""

    lake: Lake
    captured: Callable[[], tuple[str, str]]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self.captured()
        code = main(list(arguments))
        return (code, *self.captured())

    def told(self, *arguments: str) -> dict[str, Any]:
        """The one line of JSON of a job that goes well."""
        code, out, err = self.run(*arguments, "--json")
        assert (code, err, out.count("\n")) == (0, "", 1), err
        return json.loads(out)

    def refused(self, *arguments: str, code: int = 2) -> str:
        """What is said when a job does not run, or ends with this exit code."""
        found, out, err = self.run(*arguments)
        assert (found, out) == (code, ""), (out, err)
        return err

    def through(self, first: str = "bronze", last: str = "publish") -> dict[str, Any]:
        """The jobs from one to another; what the last said."""
        outcomes = [self.told(name, *DATED) for name in NAMES[NAMES.index(first) : NAMES.index(last) + 1]]
        assert len({outcome["batch_id"] for outcome in outcomes}) == 1
        return outcomes[-1]

    def killed(self, point: str, *arguments: str) -> None:
        """A job in a process that kills itself at a point."""
        script = (
            "import sys; from tests.support.crash import Points, arm; arm(Points(sys.argv[1]));"
            "from spark_jobs.__main__ import main; sys.exit(main(sys.argv[2:]))"
        )
        command = [sys.executable, "-c", script, point, *arguments]
        died = subprocess.run(command, env=self.lake.environment(), cwd=ROOT, capture_output=True, text=True, check=False)
        assert died.returncode == -9, (point, died.stdout, died.stderr)


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Lake], Steps]:
    """The steps on a lake, which this process's environment names from now on."""

    def named(lake: Lake) -> Steps:
        for name, value in lake.environment().items():
            if name.startswith("MEDFLOW_"):
                monkeypatch.setenv(name, value)
        return Steps(lake, capsys.readouterr)

    return named


@pytest.fixture
def steps(lake: Lake, at_work: Callable[[Lake], Steps]) -> Steps:
    """The steps on an empty lake."""
    return at_work(lake)


@pytest.fixture
def other(tmp_path: Path) -> Lake:
    """A lake for `medflow run`, to compare with."""
    return Lake(tmp_path / "other")


def whole(lake: Lake) -> dict[str, list[str]]:
    """Every table of the release, the quality log included."""
    return lake.content(list(lake.release().tables))


def ledger(lake: Lake) -> list[Any]:
    """Files as the ledger has them, and what is kept of each batch but for its time."""
    site, release = lake.site(), lake.release()
    batches = [site.ledger.batch(entry.batch_id) for entry in site.ledger.releases()]
    return [site.ledger.files(), batches, release.fingerprints, release.run_date, release.number, release.parent]


def test_each_step_of_the_plan_is_in_one_job() -> None:
    """The jobs are the plan, grouped: none left out, none twice, and within a job in the plan's order."""
    steps = [step.name for step in plan.STEPS]
    assert Counter(name for job in JOBS for name in job.steps) == Counter(steps)
    for job in JOBS:
        assert sorted(job.steps, key=steps.index) == list(job.steps)


def test_the_jobs_make_what_a_run_makes(steps: Steps, other: Lake) -> None:
    """Two batches, the second touching months of the first: tables, quality log, ledger and release are those of `medflow run`."""
    for number, put_files in enumerate((put_first, put_second), start=1):
        for lake in (steps.lake, other):
            put_files(lake)
        last = steps.through()
        assert last["release"] == number
        assert other.run().batch_id == last["batch_id"]
        assert whole(steps.lake) == whole(other)
        assert ledger(steps.lake) == ledger(other)
    assert any("BAD," in row for row in whole(other)[QUEUE])


def test_a_batch_of_provider_files_alone(steps: Steps, other: Lake) -> None:
    """No claim line is there to be judged."""
    for lake in (steps.lake, other):
        lake.put("reference", "providers.csv", PROVIDERS)
    steps.through()
    other.run()
    assert whole(steps.lake) == whole(other)


def test_what_a_job_prints(steps: Steps) -> None:
    """Ids and counts as JSON; else a sentence that names the next job."""
    put_first(steps.lake)
    bronze = steps.told("bronze", *DATED)
    assert set(bronze) == {"batch_id", "job", "release", "rejected", "rows", "seconds"}
    assert (bronze["job"], bronze["release"], bronze["rejected"]) == ("bronze", None, 0)
    assert bronze["rows"] == {"healthcare.claims_raw": 32 + 31 + 32 + 3}
    assert steps.told("verify-bronze")["rows"] == {}
    code, out, _ = steps.run("silver", "--batch", bronze["batch_id"])
    assert code == 0
    assert out.startswith(f"batch {bronze['batch_id']}: silver done in ")
    assert out.endswith("; next: python -m spark_jobs verify-silver\n")


# The first are those that `make test` runs.
_POINTS = [
    ("bronze", "after step bronze#1"),
    ("silver", "before step providers#1"),
    ("gate", "after step quality gate#1"),
    ("gold", "after swap#3"),
    ("publish", "before landing release#1"),
    ("bronze", "before swap#1"),
    ("bronze", "after swap#2"),
    ("verify-bronze", "after step verify bronze#1"),
    ("silver", "after swap#2"),
    ("silver", "after step providers#1"),
    ("publish", "after step quality log#1"),
]


@dataclass
class Scene:
    """A lake with one release and a second batch waiting, kept so that it can be set up again at the same place."""

    lake: Lake
    kept: Path
    expected: tuple[dict[str, list[str]], list[Any]]

    def set_up(self) -> None:
        shutil.rmtree(self.lake.home)
        shutil.copytree(self.kept, self.lake.home)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """What an undisturbed run makes of it is expected."""
    folder = tmp_path_factory.mktemp("steps")
    lake = Lake(folder / "lake")
    put_first(lake)
    lake.run()
    put_second(lake)
    shutil.copytree(lake.home, folder / "kept")
    lake.run()
    return Scene(lake, folder / "kept", (whole(lake), ledger(lake)))


@pytest.mark.parametrize(("job", "point"), _POINTS[: counted(5, len(_POINTS))])
def test_a_killed_job_is_run_again(scene: Scene, at_work: Callable[[Lake], Steps], job: str, point: str) -> None:
    """Wherever it was killed, the same job and those after it make what an undisturbed run makes."""
    scene.set_up()
    steps = at_work(scene.lake)
    if job != "bronze":
        steps.through(last=NAMES[NAMES.index(job) - 1])
    steps.killed(point, job, *DATED)
    assert scene.lake.release().number == 1
    assert steps.through(job)["release"] == 2
    assert (whole(scene.lake), ledger(scene.lake)) == scene.expected


def test_a_publish_that_was_killed_after_the_release_is_done(steps: Steps) -> None:
    """The release stands; asked again, publish says so."""
    put_first(steps.lake)
    steps.through(last="verify-gold")
    steps.killed("after landing release#1", "publish")
    assert steps.told("publish")["release"] == 1
    assert [entry.release for entry in steps.lake.site().ledger.releases()] == [1]


def test_a_cleared_job_runs_again_and_those_after_it_must(steps: Steps, other: Lake) -> None:
    """Silver once more after gold was finished: gold waits for its turn again, and the end is the same."""
    for lake in (steps.lake, other):
        put_first(lake)
        lake.run()
        put_second(lake)
    other.run()
    batch_id = steps.through(last="gold")["batch_id"]
    first = steps.lake.site().ledger.batch(batch_id)
    steps.told("silver")
    assert steps.lake.site().ledger.batch(batch_id) == first
    told = steps.refused("verify-gold")
    assert (
        told == f"medflow: batch {batch_id}: verify-silver is not finished; next: python -m spark_jobs verify-silver --batch {batch_id}\n"
    )
    steps.through("verify-silver")
    assert whole(steps.lake) == whole(other)


def test_bronze_again_begins_again(steps: Steps, other: Lake) -> None:
    """With a file that came meanwhile it is another batch, and the one before is no longer under way."""
    for lake in (steps.lake, other):
        put_first(lake)
    former = steps.through(last="silver")["batch_id"]
    for lake in (steps.lake, other):
        put_second(lake)
    batch_id = steps.told("bronze", *DATED)["batch_id"]
    assert batch_id != former
    assert f"batch {former} is not under way (batch {batch_id} is)" in steps.refused("verify-silver", "--batch", former)
    assert "verify-bronze is not finished" in steps.refused("silver")
    steps.through("verify-bronze")
    other.run()
    assert whole(steps.lake) == whole(other)


@pytest.mark.parametrize("last", ["bronze", "verify-gold"])
def test_a_release_of_others_between_two_jobs(steps: Steps, other: Lake, last: str) -> None:
    """The batch was computed from what is no longer current: it says so, changes nothing, and begins again with bronze."""
    for lake in (steps.lake, other):
        put_first(lake)
        lake.run()
        put_second(lake)
    batch_id = steps.through(last=last)["batch_id"]
    rebuild(steps.lake.site(), order(), "claims_monthly_summary")
    following = NAMES[NAMES.index(last) + 1]
    told = steps.refused(following)
    assert f"batch {batch_id} cannot go on: release 2 was published meanwhile" in told
    assert "begins again with: python -m spark_jobs bronze" in told
    assert steps.lake.release().number == 2
    assert steps.through()["batch_id"] == batch_id
    other.run()
    assert steps.lake.content() == other.content()


def test_a_run_that_took_the_same_files(steps: Steps) -> None:
    """The batch is in a release: every job of it is done, and bronze finds nothing."""
    put_first(steps.lake)
    batch_id = steps.through(last="verify-bronze")["batch_id"]
    assert steps.lake.run().batch_id == batch_id
    for name in NAMES[1:]:
        assert (steps.told(name)["release"], steps.told(name)["rows"]) == (1, {})
    assert steps.told("bronze")["batch_id"] is None
    assert steps.lake.release().number == 1


def test_a_batch_that_was_withdrawn_does_not_come_back(steps: Steps) -> None:
    """After a restore the tables are where the batch once began; its last job does not publish it again."""
    put_first(steps.lake)
    steps.lake.run()
    put_second(steps.lake)
    batch_id = steps.through()["batch_id"]
    assert steps.lake.command("releases", "restore", "1").returncode == 0
    assert "release 3 was published meanwhile" in steps.refused("publish", "--batch", batch_id)
    assert steps.lake.release().number == 3


def test_a_file_that_was_taken_away_between_two_jobs(steps: Steps) -> None:
    """A person's decision on a file stands."""
    put_first(steps.lake)
    steps.through(last="silver")
    excluded = next(entry for entry in steps.lake.site().ledger.files() if entry.payer == "aetna")
    assert steps.lake.command("files", "exclude", excluded.sha256).returncode == 0
    assert "aetna/1.csv of aetna is excluded now" in steps.refused("verify-silver")
    steps.through()
    assert {row["payer_id"] for row in steps.lake.rows("healthcare.claims_history")} == {"bluecross", "unitedhealth"}


def test_snapshots_that_were_expired_between_two_jobs(steps: Steps) -> None:
    """After weeks, `medflow maintain` drops the branch of a batch that was left: it begins again."""
    put_first(steps.lake)
    steps.through(last="silver")
    site, weeks_later = steps.lake.site(), date(2026, 9, 1)
    with site.lock(order()) as lock:
        lock.acquire("maintain")
        retire(Tables(site.database, site.settings.warehouse), site.ledger, lock, weeks_later)
    assert "was expired. It begins again" in steps.refused("verify-silver")
    assert steps.through()["release"] == 1


def test_changed_declarations_between_two_jobs(steps: Steps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Silver under other rules than bronze would be no batch of one set of declarations."""
    put_first(steps.lake)
    steps.through(last="verify-bronze")
    changed = copied_knowledge_base(tmp_path / "kb")
    path = changed / "silver/claim_line.yaml"
    path.write_text(path.read_text().replace("units > 999", "units > 998"))
    monkeypatch.setenv("MEDFLOW_KNOWLEDGE_BASE", str(changed))
    assert "the declarations have changed since it began" in steps.refused("silver")
    assert steps.through()["release"] == 1


def test_the_gate_refuses(steps: Steps, other: Lake) -> None:
    """Exit code 3 and the words of `medflow run`; later jobs and bronze repeat them; the batch can be read with its log."""
    for lake in (steps.lake, other):
        lake.put("bluecross", "good.csv", bluecross(sound(100)))
        lake.run()
        lake.put("bluecross", "bad.csv", bluecross([*sound(90, 200), *(replace(v, npi="1234567890") for v in sound(30, 400))]))
    with pytest.raises(GateRefused) as refusal:
        other.run()
    batch_id = steps.through(last="verify-silver")["batch_id"]
    for name in ("gate", "gold", "publish", "gate", "bronze"):
        assert steps.refused(name, code=3) == f"medflow: {refusal.value}\n", name
    assert steps.lake.site().ledger.batch(batch_id) == other.site().ledger.batch(batch_id)
    assert sorted(entry.state for entry in steps.lake.site().ledger.files()) == ["published", "refused"]
    assert logged(steps.lake, batch_id) == logged(other, batch_id)
    assert steps.lake.release().number == 1
    steps.lake.command("files", "retry", next(e.sha256 for e in steps.lake.site().ledger.files(state="refused")))
    assert steps.told("bronze")["batch_id"] == batch_id


def logged(lake: Lake, batch_id: str) -> int:
    """Rows of the quality log on a batch's branch, the release's own left out."""
    tables = Tables(lake.site().database, lake.settings.warehouse)
    table = tables.table(QUALITY)
    on_branch, on_main = (
        sum(file.record_count for file in tables.data_files(table, table.refs()[name].snapshot_id))
        for name in (f"audit_{batch_id}", "main")
    )
    assert on_branch > on_main
    return on_branch - on_main


def test_out_of_turn(steps: Steps) -> None:
    """Each says which job is next, with exit code 2, and nothing changes."""
    put_first(steps.lake)
    assert "no batch is under way; `python -m spark_jobs bronze` begins one" in steps.refused("silver")
    assert "there is no batch 0123456789abcdef" in steps.refused("silver", "--batch", "0123456789abcdef")
    assert "leave out --batch" in steps.refused("bronze", "--batch", "0123456789abcdef")
    batch_id = steps.told("bronze", *DATED)["batch_id"]
    for name in NAMES[2:]:
        assert f"verify-bronze is not finished; next: python -m spark_jobs verify-bronze --batch {batch_id}" in steps.refused(name)
    assert "runs under the date 2026-07-01" in steps.refused("verify-bronze", "--date", "2026-07-02")
    assert "'2026-7' is not a date" in steps.refused("verify-bronze", "--date", "2026-7")
    assert "no build engine 'duck'" in steps.refused("verify-bronze", "--engine", "duck")
    assert "is not one of 'bronze'" in steps.refused("copper")
    steps.through("verify-bronze")


def test_nothing_to_take(steps: Steps) -> None:
    """Nothing waits: batch null and exit code 0. Every file rejected: exit code 1. Both leave the batch under way alone."""
    put_first(steps.lake)
    steps.through()
    assert steps.told("bronze") == {"batch_id": None, "job": "bronze", "release": None, "rejected": 0, "rows": {}} | {
        "seconds": pytest.approx(0, abs=60)
    }
    steps.lake.put("aetna", "empty.csv", b"")
    code, out, _ = steps.run("bronze")
    assert (code, out.startswith("every file was rejected")) == (1, True)
    assert steps.run("bronze") == (0, "nothing changed: no new file waits in the landing folder\n", "")
    assert "is published as release 1; nothing is left to do" in steps.run("publish")[1]


def test_a_locked_lake(steps: Steps) -> None:
    """Another run at work is told; the job can wait for it."""
    put_first(steps.lake)
    steps.told("bronze", *DATED)
    site: Site = steps.lake.site()
    with site.lock(replace(order(), clock=lambda: datetime.now(UTC))) as lock:
        lock.acquire("run")
        assert "holds the lake" in steps.refused("verify-bronze", code=1)
        with pytest.raises(FencedError):
            lock.release()
            BatchSteps(site.database).begin(lock)
    assert list(BatchSteps(site.database).finished(str(BatchSteps(site.database).batch_under_way()))) == ["bronze"]
    steps.told("verify-bronze", "--wait", "5")


def test_progress_of_another_version_is_not_taken_up(steps: Steps) -> None:
    """What later code cannot read is an error that says what to do."""
    put_first(steps.lake)
    steps.told("bronze", *DATED)
    site = steps.lake.site()
    kept = BatchSteps(site.database)
    row = kept.finished(str(kept.batch_under_way()))["bronze"]
    with site.lock(order()) as lock:
        lock.acquire("run")
        kept.begin(lock)
        kept.record(lock, FinishedJob(row.batch_id, row.job, row.heads, {"batch": {"files": []}}, row.finished_at))
    assert "another version of MedFlow" in steps.refused("verify-bronze")


def test_started_as_a_file(tmp_path: Path) -> None:
    """As spark-submit starts it: from any folder, with its own folder first on the path."""
    command = [sys.executable, str(ROOT / "spark_jobs/__main__.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "verify-bronze" in done.stdout


# --- what is carried from job to job ---

_TEXT = st.text(max_size=12)
_COUNT = st.integers(-(2**62), 2**62)
_RATE = st.floats(allow_nan=False, allow_infinity=False)
_MONTHS = st.none() | st.sets(st.dates(), max_size=4)
_FILES = st.builds(BatchFile, _TEXT, _TEXT, _TEXT, st.just(Path("/")), st.dates(), _COUNT, _COUNT, _COUNT).map(
    lambda file: replace(file, path=Path("/landing") / file.name)
)
_BATCHES = st.builds(
    Batch,
    _TEXT,
    st.sampled_from(["load", "replay", "rebuild"]),
    st.lists(_FILES, max_size=3).map(tuple),
    st.lists(_TEXT, max_size=2).map(tuple),
    st.lists(st.tuples(_TEXT, _TEXT), max_size=2).map(tuple),
)
_FIGURES = st.builds(PayerFigures, _COUNT, _COUNT, _COUNT, st.none() | _RATE, st.dictionaries(_TEXT, _COUNT), st.none() | _TEXT)
_QUALITY = st.builds(
    QualityRow,
    _TEXT,
    st.sampled_from(["bronze", "silver", "gate", "gold"]),
    _TEXT,
    st.sampled_from(["warn", "error"]),
    _COUNT,
    _COUNT,
    st.none() | _RATE,
    st.sampled_from(["pass", "warn", "refuse"]),
)
_CARRIED = st.builds(
    Carried,
    origin=st.builds(Origin, st.none() | _COUNT, st.dictionaries(_TEXT, _COUNT, max_size=3)),
    declarations=_TEXT,
    batch=_BATCHES,
    run_date=st.dates(),
    started_at=st.datetimes(timezones=st.just(UTC)),
    built_with=_TEXT,
    due_gold=st.lists(_TEXT, max_size=2).map(tuple),
    fingerprints=st.dictionaries(_TEXT, _TEXT, max_size=3),
    touched=st.builds(Touched, _MONTHS, _MONTHS),
    figures=st.dictionaries(_TEXT, _FIGURES, max_size=3),
    quality=st.lists(_QUALITY, max_size=3),
    rows=st.dictionaries(_TEXT, _COUNT, max_size=3),
)


@given(_CARRIED)
def test_what_is_carried_comes_back_whole(carried: Carried) -> None:
    """Dates, sets, None and large numbers survive JSON; files are found in the landing folder of the job that reads it."""
    text = json.dumps(carried.to_json())
    assert "/landing" not in text
    assert Carried.from_json(json.loads(text), Path("/landing")) == carried


def test_a_finished_job_comes_back_as_it_was_recorded(lake: Lake) -> None:
    """Snapshot ids of 63 bits, nested content and the instant."""
    site = lake.site()
    kept = BatchSteps(site.database)
    at = datetime(2026, 7, 1, 6, 30, 15, 123456, tzinfo=UTC)
    first = FinishedJob("b1", "bronze", {"t": 2**62 + 1}, {"a": [None, 1.5, {"b": "é"}]}, at)
    second = replace(first, job="silver", finished_at=at + timedelta(hours=1))
    with site.lock(order()) as lock:
        lock.acquire("b1")
        kept.record(lock, first)
        kept.record(lock, second)
        assert kept.finished("b1") == {"bronze": first, "silver": second}
        kept.forget(lock, "b1", ["silver", "gold"])
        assert kept.finished("b1") == {"bronze": first}
        kept.begin(lock)
    assert (kept.finished("b1"), kept.batch_under_way()) == ({}, None)
