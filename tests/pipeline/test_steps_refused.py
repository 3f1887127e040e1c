"""Jobs that may not go on: out of turn, refused by the gate, or after something happened between two jobs; each says what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from medflow.errors import FencedError, GateRefused
from medflow.lakehouse.batch_steps import BatchSteps, FinishedJob
from medflow.lakehouse.catalog import Lake as Tables
from spark_jobs.pipeline import Site
from spark_jobs.retention import retire
from spark_jobs.rework import rebuild
from tests.pipeline.steps import DATED, NAMES, Steps, put_first, put_second, sound
from tests.support.claims import bluecross
from tests.support.lake import Lake, copied_knowledge_base, order

QUALITY = "healthcare.data_quality_log"


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
