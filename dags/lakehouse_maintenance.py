"""Looking after the lake once a week: small files, old releases, files that nothing needs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable

from dags.commands import RETRIES, WAIT, CommandOperator
from dags.turns import RUN_DATE, run_date_param, wait_for_claims

DOC = """
### Maintenance of the lakehouse

Rewrites small files as few (a new release with the same rows), expires releases past 30 and 30 days by run date, and deletes files
that nothing needs. It takes the writer's lock, as every run does, and waits until no run of `claims_medallion` is under way, which
would have to begin again after a new release. Running it twice, or clearing it, does no harm.

Reference: `docs/decisions/0010-maintenance.md`.
"""


def _counts(done: Mapping[str, Any]) -> dict[str, Any]:
    """How much was done, without names of files."""
    return {
        "batch_id": done["batch_id"],
        "release": done["release"],
        "expired_releases": len(done["expired"]),
        "snapshots_expired": sum(table["snapshots"] for table in done["tables"]),
        "files_deleted": sum(table["swept"]["files"] for table in done["tables"]),
    }


with DAG(
    "lakehouse_maintenance",
    description="Compact, expire, clean up",
    doc_md=DOC,
    schedule=CronTriggerTimetable("0 4 * * 0", timezone="UTC", run_immediately=timedelta()),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    params={"run_date": run_date_param()},
    tags=["medflow"],
):
    arguments = ["medflow", "maintain", f"--date={RUN_DATE}", WAIT, "--json"]
    wait_for_claims() >> CommandOperator(task_id="maintain", arguments=arguments, keep=_counts)
