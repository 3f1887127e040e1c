"""The jobs, each as a process of its own would do it, make what one run makes; also where one is killed or done again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spark_jobs import plan
from spark_jobs.steps import JOBS
from tests.pipeline.steps import DATED, NAMES, PROVIDERS, Steps, put_first, put_second
from tests.support.counts import counted
from tests.support.lake import ROOT, Lake

QUEUE = "healthcare.claims_quarantined"


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


def test_started_as_a_file(tmp_path: Path) -> None:
    """As spark-submit starts it: from any folder, with its own folder first on the path."""
    command = [sys.executable, str(ROOT / "spark_jobs/__main__.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "verify-bronze" in done.stdout
