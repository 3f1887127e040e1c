"""What the DAGs share about when: the run date, and waiting until no run of the pipeline is under way."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseSensorOperator, Context, Param

PIPELINE = "claims_medallion"
RUN_DATE = "{{ params.run_date or (dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%d') }}"


def run_date_param() -> Param:
    """The date that a run counts as today."""
    return Param(
        None, type=["null", "string"], format="date", title="Run date", description="YYYY-MM-DD; default the date of the run itself"
    )


class NoRunSensor(BaseSensorOperator):
    """Waits until a DAG has no run under way. A run that begins right after is held by the writer's lock."""

    def __init__(self, *, of_dag: str, **options: Any) -> None:
        super().__init__(**options)
        self.of_dag = of_dag

    def poke(self, context: Context) -> bool:
        return context["ti"].get_dr_count(self.of_dag, states=["running"]) == 0


def wait_for_claims() -> NoRunSensor:
    """A release published between two steps of a batch makes it begin again: others keep out of its way."""
    return NoRunSensor(task_id="wait_for_claims", of_dag=PIPELINE, mode="reschedule", poke_interval=30, timeout=6 * 3600)
