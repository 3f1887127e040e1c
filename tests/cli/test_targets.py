"""`medflow status --targets`: what is promised, the newest figure that counts for it, and what `medflow eval` keeps of a whole run."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from medflow.errors import CatalogError
from medflow.measurements import MeasuredOn, Measurement, keep, newest_first, version_of_declarations
from medflow.specs.question_mix import MIX_FILE
from medflow.targets import APPROVED, BANK, judged
from tests.cli.test_eval import _COUNTED, _WRONG, bank
from tests.support.lake import Lake

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SAMPLE = MeasuredOn("k" * 64, APPROVED, "a" * 64, 77, "grammar", 1.5, claims=10_000, seed=7)
BESIDE_A_MODEL = replace(SAMPLE, planner="claude", model_seconds=4.0)
RELEASE = MeasuredOn("k" * 64, BANK, "b" * 64, 930, "grammar", 2.0, release=3)
KEPT: dict[str, tuple[float, str, MeasuredOn]] = {
    "bank.precision": (1.0, "share", RELEASE),
    "bank.coverage": (0.913, "share", RELEASE),
    "answers.p95": (285.4, "ms", SAMPLE),
    "answers.cached_p95": (16.0, "ms", SAMPLE),
    "model.own_p95": (412.0, "ms", BESIDE_A_MODEL),
    "mix.hit_rate": (0.399, "share", replace(SAMPLE, asked=MIX_FILE, askings=400)),
}


def measured(name: str, value: float | None = None, at: datetime = NOON, **on: Any) -> Measurement:
    """A figure as it is kept, with changes to what it is of."""
    kept, unit, where = KEPT[name]
    return Measurement(name, kept if value is None else value, unit, at, replace(where, **on))


def app_db(lake: Lake) -> str:
    return lake.settings.app_db


def states(lake: Lake) -> dict[str, str]:
    return {one.name: one.state for one in judged(app_db(lake))}


def targets(lake: Lake) -> list[dict[str, Any]]:
    """What the command prints for programs."""
    done = lake.command("status", "--targets", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["targets"]


def test_without_a_lake_nothing_is_measured(lake: Lake) -> None:
    """Every target is there with its aim and the command that measures it; nothing is made by looking."""
    found = targets(lake)
    assert {one["state"] for one in found} == {"not measured yet"}
    assert [one["aim"] for one in found] == [
        "100 %", "at least 90 %", "below 300 ms", "below 15 ms", "below 1,000 ms", "at least 40 %", "at least 4.5 of 5",
    ]  # fmt: skip
    assert all(one["command"] for one in found)
    assert found[-1]["figure"] == "none yet"
    assert not lake.home.exists()


def test_each_target_has_its_figure(lake: Lake) -> None:
    """Value, state, when and on what."""
    keep(app_db(lake), [measured(name) for name in KEPT])
    found = targets(lake)
    assert [(one["figure"], one["state"]) for one in found] == [
        ("100 %", "met"),
        ("91.3 %", "met"),
        ("285.4 ms", "met"),
        ("16 ms", "missed"),
        ("412 ms", "met"),
        ("39.9 %", "missed"),
        ("none yet", "not measured yet"),
    ]
    assert {one["at"] for one in found[:-1]} == {NOON.isoformat()}
    assert (found[0]["on"]["release"], found[0]["on"]["asked_sha256"]) == (3, "b" * 64)
    assert (found[4]["on"]["claims"], found[4]["on"]["model_seconds"]) == (10_000, 4.0)
    told = lake.command("status", "--targets").stdout
    where = f"release 3; 930 of questions.jsonl bbbbbbbb; grammar; knowledge base {'k' * 8} (changed since); load 2.0"
    assert f"right answers, bank: {where}\n" in told
    assert "10,000 claims, seed 7; 77 of approved questions aaaaaaaa; claude of 4 s;" in told
    assert "2026-07-01 12:00  medflow bench --only mix" in told


def test_figures_of_the_declarations_as_they_are_say_nothing(lake: Lake) -> None:
    """Only what was measured on others is marked."""
    keep(app_db(lake), [measured("mix.hit_rate", knowledge_base=version_of_declarations(lake.knowledge_base))])
    assert "changed since" not in lake.command("status", "--targets").stdout


@pytest.mark.parametrize(("value", "state"), [(0.4, "met"), (0.3999, "missed")])
def test_at_least_means_that_too(lake: Lake, value: float, state: str) -> None:
    keep(app_db(lake), [measured("mix.hit_rate", value)])
    assert states(lake)["cache hit rate, question mix"] == state


@pytest.mark.parametrize(("value", "state"), [(299.9, "met"), (300.0, "missed")])
def test_below_does_not(lake: Lake, value: float, state: str) -> None:
    keep(app_db(lake), [measured("answers.p95", value)])
    assert states(lake)["uncached answer, p95"] == state


def test_the_newest_figure_counts(lake: Lake) -> None:
    """By its time, whenever it was written; of the same time, the one written last."""
    keep(app_db(lake), [measured("answers.p95", 500)])
    keep(app_db(lake), [measured("answers.p95", 200, NOON - timedelta(days=1))])
    assert states(lake)["uncached answer, p95"] == "missed"
    keep(app_db(lake), [measured("answers.p95", 250)])
    assert states(lake)["uncached answer, p95"] == "met"
    assert [one.value for one in newest_first(app_db(lake))] == [250, 500, 200]


@pytest.mark.parametrize(
    ("name", "on"),
    [
        ("bank.precision", {"asked": "mine.jsonl"}),
        ("bank.precision", {"askings": 3}),
        ("answers.p95", {"claims": 300}),
        ("answers.p95", {"asked": BANK}),
        ("model.own_p95", {"model_seconds": 0.2}),
        ("model.own_p95", {"askings": 12}),
        ("mix.hit_rate", {"claims": 9_999}),
    ],
)
def test_a_figure_of_something_else_does_not_count(lake: Lake, name: str, on: dict[str, Any]) -> None:
    """Other questions, too few of them, a small sample, a faster model: the older figure stands."""
    keep(app_db(lake), [measured(name, 0.7 if name.startswith("bank") else None)])
    before = states(lake)
    keep(app_db(lake), [measured(name, 0.0, NOON + timedelta(hours=1), **on)])
    assert states(lake) == before
    assert len(newest_first(app_db(lake))) == 2


def test_what_is_kept_comes_back(lake: Lake) -> None:
    """Every field; an instant keeps its moment."""
    one = measured("model.own_p95", at=NOON.astimezone())
    keep(app_db(lake), [one])
    assert newest_first(app_db(lake)) == [one]


@pytest.mark.parametrize(("ratings", "figure", "state"), [((5, 4, 5), "4.7 of 5 (3)", "met"), ((5, 3, None), "4.0 of 5 (2)", "missed")])
def test_ratings_count_once_they_are_collected(lake: Lake, ratings: tuple[int | None, ...], figure: str, state: str) -> None:
    """Their mean; an empty table is none yet."""
    lake.home.mkdir(parents=True)
    with sqlite3.connect(lake.home / "app.db") as connection:
        connection.execute("CREATE TABLE medflow_feedback (answer_id TEXT, rating INTEGER)")
        connection.commit()
        assert (judged(app_db(lake))[-1].figure, states(lake)["mean rating"]) == ("none yet", "not measured yet")
        connection.executemany("INSERT INTO medflow_feedback VALUES ('x', ?)", [(rating,) for rating in ratings])
        connection.commit()
    assert (judged(app_db(lake))[-1].figure, states(lake)["mean rating"]) == (figure, state)


def test_a_database_that_does_not_open_is_told(lake: Lake) -> None:
    """By the setting that names it."""
    lake.home.mkdir(parents=True)
    (lake.home / "app.db").write_text("this is no database, and long enough to be read as one" * 20)
    with pytest.raises(CatalogError, match="MEDFLOW_APP_DB names cannot be written"):
        keep(app_db(lake), [measured("answers.p95")])
    done = lake.command("status", "--targets")
    assert (done.returncode, "MEDFLOW_APP_DB names cannot be read" in done.stderr) == (1, True)


def test_the_version_is_of_every_declaration(tmp_path: Path) -> None:
    """A file that changes, comes or goes is another version."""
    (tmp_path / "semantic").mkdir()
    (tmp_path / "semantic" / "x.yaml").write_text("a: 1")
    versions = [version_of_declarations(tmp_path)]
    (tmp_path / "semantic" / "x.yaml").write_text("a: 2")
    versions.append(version_of_declarations(tmp_path))
    (tmp_path / "y.yaml").write_text("")
    versions.append(version_of_declarations(tmp_path))
    assert len(set(versions)) == 3


def test_an_evaluation_keeps_its_figures(lake: Lake, tmp_path: Path) -> None:
    """Also where an answer is wrong: the run is whole. What it was measured on stands beside them."""
    begun = datetime.now(UTC)
    asked = bank(tmp_path, _WRONG)
    assert lake.command("eval", asked, "--data", "200,3").returncode == 1
    found = {one.name: one for one in newest_first(app_db(lake))}
    assert {name: one.value for name, one in found.items() if name != "bank.p95"} == {"bank.precision": 0.0, "bank.coverage": 0.0}
    on = found["bank.precision"].on
    assert (on.asked, on.asked_sha256) == ("bank.jsonl", hashlib.sha256(Path(asked).read_bytes()).hexdigest())
    assert (on.askings, on.planner, on.release, on.claims, on.seed) == (3, "grammar", None, 200, 3)
    assert on.knowledge_base == version_of_declarations(lake.knowledge_base)
    assert on.load > 0
    assert begun - timedelta(seconds=1) < found["bank.precision"].at < datetime.now(UTC) + timedelta(seconds=1)
    assert states(lake)["right answers, bank"] == "not measured yet"


def test_an_evaluation_that_fails_keeps_nothing(lake: Lake, tmp_path: Path) -> None:
    """No figures of half a run, nor of one that the planner did not read."""
    assert lake.command("eval", str(tmp_path / "none.jsonl"), "--data", "200,3").returncode == 2
    closed = {"MEDFLOW_MODEL_BASE_URL": "http://127.0.0.1:9", "ANTHROPIC_API_KEY": "no-key"}
    done = lake.command("eval", bank(tmp_path, _COUNTED), "--data", "200,3", "--planner", "claude", environment=closed)
    assert done.returncode == 0, done.stderr
    assert "were not read by claude: these figures are not kept" in done.stderr
    assert newest_first(app_db(lake)) == []


def test_figures_that_cannot_be_kept_change_nothing_else(lake: Lake, tmp_path: Path) -> None:
    """A warning on standard error; output and exit code are those of the evaluation."""
    (tmp_path / "file").write_text("x")
    elsewhere = {"MEDFLOW_APP_DB": f"sqlite:///{tmp_path}/file/app.db"}
    done = lake.command("eval", bank(tmp_path, _COUNTED), "--data", "200,3", "--json", environment=elsewhere)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"]["right"] == 2
    assert "these figures are not kept" in done.stderr
    assert "MEDFLOW_APP_DB" in done.stderr
