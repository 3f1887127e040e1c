"""The DAGs by real Airflow: scheduler, triggerer, DAG processor, API server; Postgres for its metadata. New files start the runs.

The tests tell one story on one lake, in order: files land, a run publishes them, is cleared, backfilled, killed, refused.
"""

from __future__ import annotations

import os
import re
import signal
import time
from typing import Any

import pytest

from dags.assets import payers, table_names
from medflow.specs.knowledge_base import load_knowledge_base
from tests.service_mode.lake_of_airflow import CLAIMS, Scene, imported_dags, parent_of, process_of

CHAIN = ["bronze", "verify_bronze", "silver", "verify_silver", "quality_gate", "gold", "verify_gold", "publish", "refresh_assistant"]
EDGES = {
    CLAIMS: {(one, other) for one, other in zip(["look_for_files", *CHAIN], CHAIN, strict=False)},
    "lakehouse_maintenance": {("wait_for_claims", "maintain")},
    "quarantine_replay": {("wait_for_claims", "preview"), ("preview", "replay")},
}
_ID = re.compile(r"[0-9a-f]{16}")


def test_no_import_errors(airflow_scene: Scene) -> None:
    """Airflow reads three DAGs, and nothing in our folder troubles it."""
    assert airflow_scene.airflow.call("GET", "importErrors")["import_errors"] == []
    assert set(airflow_scene.airflow.dags()) == set(EDGES)


@pytest.mark.parametrize("dag", EDGES)
def test_edges(airflow_scene: Scene, dag: str) -> None:
    """Exactly these tasks in exactly this order."""
    tasks = airflow_scene.airflow.call("GET", f"dags/{dag}/tasks")["tasks"]
    assert {(task["task_id"], later) for task in tasks for later in task["downstream_task_ids"]} == EDGES[dag]
    assert {task["task_id"] for task in tasks} == {name for edge in EDGES[dag] for name in edge}


def test_dags_hold_no_data_code() -> None:
    """Reading a DAG imports no engine and no table library, and takes all names from the declarations."""
    done = imported_dags()
    assert done.returncode == 0, done.stderr
    assert not {"spark_jobs", "rag_backend", "pyiceberg", "duckdb", "pyarrow", "pyspark"} & set(done.stdout.split())


def test_names_are_those_of_the_declarations(airflow_scene: Scene) -> None:
    """The assets are the tables of a release, the mapped looks the folders of payers."""
    knowledge_base = load_knowledge_base(airflow_scene.lake.knowledge_base)
    assert table_names() == sorted(spec.name for spec in knowledge_base.table_specs)
    assert set(payers()) == set(knowledge_base.layouts)


def test_new_files_become_a_release(airflow_scene: Scene) -> None:
    """Landed files start a run by themselves; it publishes what `medflow run` publishes of the same files."""
    scene, airflow = airflow_scene, airflow_scene.airflow
    run = scene.land_and_wait("first", "--claims", "300", "--seed", "7")
    assert airflow.wait(CLAIMS, run) == "success", airflow.states(CLAIMS, run)
    assert set(airflow.states(CLAIMS, run).values()) == {"success"}
    assert scene.release == 1
    scene.agrees()
    told = [{(event["name"], event["extra"].get("release")) for event in _events(scene)}]
    assert told == [{(name, 1) for name in table_names()}]


def test_tasks_hand_on_ids_and_counts_alone(airflow_scene: Scene) -> None:
    """No text but the batch's id stands in any XCom."""
    airflow = airflow_scene.airflow
    run = airflow_scene.started()[0]
    batch = airflow.xcom(CLAIMS, run, "bronze")["batch_id"]
    assert _ID.fullmatch(batch)
    for task in airflow.tasks(CLAIMS, run):
        value = airflow.xcom(CLAIMS, run, task["task_id"], task["map_index"])
        assert _texts(value) <= {batch}, (task["task_id"], value)
    assert airflow.xcom(CLAIMS, run, "publish")["release"] == 1


def test_nothing_new(airflow_scene: Scene) -> None:
    """A run that finds nothing is a success whose steps are skipped."""
    airflow = airflow_scene.airflow
    run = airflow.trigger(CLAIMS)
    assert airflow.wait(CLAIMS, run) == "success"
    assert set(airflow.states(CLAIMS, run).values()) == {"skipped"}
    assert airflow_scene.release == 1


def test_clearing_a_finished_run_changes_nothing(airflow_scene: Scene) -> None:
    """`silver` of a published batch, and all that follows, run again and find it published."""
    airflow, before = airflow_scene.airflow, airflow_scene.lake.content()
    run = airflow_scene.started()[0]
    tries = airflow.tries(CLAIMS, run)["silver"]
    airflow.clear(CLAIMS, run, ["silver"])
    assert airflow.wait(CLAIMS, run) == "success"
    assert airflow.tries(CLAIMS, run)["silver"] == tries + 1
    assert airflow.xcom(CLAIMS, run, "silver")["release"] == 1
    assert (airflow_scene.release, airflow_scene.lake.content()) == (1, before)


def test_a_backfill_of_old_dates_changes_nothing(airflow_scene: Scene) -> None:
    """It takes no files: what waits belongs to the day on which it is first seen."""
    airflow = airflow_scene.airflow
    days = {"from_date": "2026-03-01T00:00:00Z", "to_date": "2026-03-02T00:00:00Z"}
    airflow.call("POST", "backfills", json={"dag_id": CLAIMS, **days, "run_backwards": False, "dag_run_conf": {}, "max_active_runs": 1})
    runs = [one["dag_run_id"] for one in airflow.runs(CLAIMS) if one["run_type"] == "backfill"]
    assert len(runs) == 2
    for run in runs:
        assert airflow.wait(CLAIMS, run) == "success"
        assert set(airflow.states(CLAIMS, run).values()) == {"skipped"}
        assert "a backfill takes no files" in airflow.log(CLAIMS, run, "look_for_files", index=0)
    assert airflow_scene.release == 1


def test_killed_tasks_are_tried_again(airflow_scene: Scene) -> None:
    """Kill -9 of silver's process, then of the supervisor of gold: one more release, nothing lost, nothing doubled."""
    scene, airflow = airflow_scene, airflow_scene.airflow
    run = scene.land_and_wait("second", "--claims", "200", "--seed", "8")
    scheduler = airflow.parts["scheduler"].process.pid
    silver = process_of("spark_jobs silver --batch", scheduler)
    time.sleep(1)  # it has begun to work
    os.kill(silver, signal.SIGKILL)
    gold = process_of("spark_jobs gold --batch", scheduler)
    os.kill(parent_of(parent_of(gold)), signal.SIGKILL)
    assert airflow.wait(CLAIMS, run) == "success", airflow.states(CLAIMS, run)
    tries = airflow.tries(CLAIMS, run)
    assert tries["silver"] > 1 and tries["gold"] > 1, tries
    assert scene.release == 2
    scene.agrees()


def test_a_refusal_is_not_retried(airflow_scene: Scene) -> None:
    """The gate's word is final: one try, and a message that names payer, rule and counts."""
    scene, airflow = airflow_scene, airflow_scene.airflow
    run = scene.land_and_wait("bad", "--claims", "300", "--seed", "9", "--defects", "0.3")
    assert airflow.wait(CLAIMS, run) == "failed"
    states = airflow.states(CLAIMS, run)
    assert (states["verify_silver"], states["quality_gate"], states["gold"]) == ("success", "failed", "upstream_failed")
    assert airflow.tries(CLAIMS, run)["quality_gate"] == 1
    told = airflow.log(CLAIMS, run, "quality_gate")
    assert re.search(
        r"bluecross: \d+ of \d+ lines \(\d+\.\d%\) have an error of their own, refused from 10%; most often \w+ \(\d+ lines", told
    ), told
    assert scene.release == 2


def test_a_replay_counts_first(airflow_scene: Scene) -> None:
    """Only counts come from the preview; lines that still break their rules stay, and nothing is published."""
    airflow = airflow_scene.airflow
    run = airflow.trigger("quarantine_replay", payer="aetna", preview_only=True)
    assert airflow.wait("quarantine_replay", run) == "success"
    assert airflow.states("quarantine_replay", run)["replay"] == "skipped"
    refused = airflow.client.post("/api/v2/dags/quarantine_replay/dagRuns", json={"logical_date": None, "conf": {"rule": "x' OR 1=1 --"}})
    assert refused.status_code == 400, refused.text
    assert airflow_scene.release == 2


def _events(scene: Scene) -> list[dict[str, Any]]:
    events = scene.airflow.call("GET", "assets/events", params={"source_task_id": "publish", "limit": 100})["asset_events"]
    return [{**event, "name": event["name"]} for event in events]


def _texts(value: Any) -> set[str]:
    if isinstance(value, dict):
        assert set(value) <= {"batch_id", "release", "rejected", "rows", "new", "again", *table_names()}, value
        return set().union(*(_texts(part) for part in value.values()))
    assert value is None or isinstance(value, (str, int)), value
    return {value} if isinstance(value, str) else set()
