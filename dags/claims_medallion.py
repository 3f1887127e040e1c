"""The pipeline as a DAG: new payer files to one verified, published release."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, AssetOrTimeSchedule, Context, CronTriggerTimetable, TriggerRule, chain

from dags.assets import payers, table_assets
from dags.commands import RETRIES, WAIT, CommandOperator, only
from dags.landing import landing_asset
from dags.turns import PIPELINE, RUN_DATE, run_date_param
from medflow.settings import load_settings

DOC = """
### Claims: landing files to one release

`look_for_files` looks into each payer's landing folder. Where nothing waits, the run ends here, and is a success.
`bronze` takes what waits as one batch; every later task goes on with that batch, on a branch that no reader sees. `publish` makes
all of it visible at once, as one release. `refresh_assistant` then warms the assistant; if it fails, the release stands.

| What you see | What to do |
|---|---|
| `quality_gate` failed | its log names payer, rule and counts, and how to see the lines; mend the files or the rules, start a run |
| `verify_*` failed | a second computation disagrees; nothing was published. The log names table and figures |
| a task says that the batch begins again | another release was published meanwhile: clear `bronze` and what follows |
| a task is up for retry | nothing: it begins again from where the task before it ended |
| `bronze` says that all files were rejected | `medflow files list` says why |

Clearing a task of a run that has published changes nothing. A backfill takes no files, for a file belongs to the day on which it was
first seen; give `run_date` to have it take what waits under that date.

Pages: Spark's master (port 8080), and `medflow status` for the release, the files that wait and the writer at work.
Reference: `docs/decisions/0011-one-step-at-a-time.md`, `docs/decisions/0031-airflow-starts-steps.md`, `docs/follow-one-claim.md`.
"""
_BATCH = "{{ ti.xcom_pull(task_ids='bronze')['batch_id'] }}"
_KEPT = only("batch_id", "release", "rejected", "rows")


def _backfilled(context: Context) -> str | None:
    if context["dag_run"].run_type != "backfill" or context["params"]["run_date"]:
        return None
    return "a backfill takes no files, which belong to the day on which they are first seen; give run_date to have it take them"


def _nobody_waits(found: Mapping[str, Any]) -> str | None:
    return None if found["new"] or found["again"] else "no file waits"


def _nothing_taken(ended: Mapping[str, Any]) -> str | None:
    return "nothing changed: no new file waits in the landing folder" if ended["batch_id"] is None else None


def _step(name: str, task_id: str | None = None, **options: Any) -> CommandOperator:
    """A step of `python -m spark_jobs` on the batch that bronze began."""
    own: list[Any] = [f"--date={RUN_DATE}"] if name == "bronze" else [f"--batch={_BATCH}"]
    arguments = ["spark_jobs", name, *own, WAIT, "--json"]
    return _operator(name)(task_id=task_id or name.replace("-", "_"), arguments=arguments, keep=_KEPT, **options)


def _operator(name: str) -> type[CommandOperator]:
    if name in ("bronze", "silver", "gold") and load_settings().builds_with_spark:
        from dags.spark_step import SparkStepOperator

        return SparkStepOperator
    return CommandOperator


with DAG(
    PIPELINE,
    description="Landing files to one verified, published release",
    doc_md=DOC,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("@daily", timezone="UTC", run_immediately=timedelta()), assets=[landing_asset()]
    ),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    params={"run_date": run_date_param()},
    tags=["medflow"],
):
    look = CommandOperator.partial(
        task_id="look_for_files",
        keep=only("new", "again"),
        before=_backfilled,
        nothing=_nobody_waits,
        doc_md="Whether a payer's folder holds files that a run would take. Changes nothing.",
    ).expand(arguments=[["spark_jobs.waiting", f"--payer={payer}", "--json"] for payer in payers()])
    chain(
        look,
        _step("bronze", nothing=_nothing_taken, trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS),
        _step("verify-bronze"),
        _step("silver"),
        _step("verify-silver"),
        _step("gate", "quality_gate"),
        _step("gold"),
        _step("verify-gold"),
        _step("publish", outlets=table_assets()),
        CommandOperator(
            task_id="refresh_assistant",
            arguments=["medflow", "refresh", "--json"],
            keep=only("release"),
            optional=True,
        ),
    )
