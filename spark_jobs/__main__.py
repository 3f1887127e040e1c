"""`python -m spark_jobs STEP`: one step of a batch in a process of its own, as Airflow starts it; spark-submit takes this file.

Prints the batch's id, which later steps are given. Exit codes are those of the `medflow` command.
"""

import sys

if not __package__:
    # Started as a file: its own folder comes first on the path, where inspect.py would hide Python's own inspect.
    sys.path[0] = sys.path[0].rpartition("/")[0]

import json
from pathlib import Path

import click

from medflow.cli import ended
from medflow.cli.console import date_option, order_of, parse_date, wait_option
from medflow.settings import load_settings
from spark_jobs.pipeline import Site
from spark_jobs.steps import JOBS, JobRequest, run_job
from spark_jobs.unchanged import COMMAND


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("step", type=click.Choice([job.name for job in JOBS]), metavar="STEP")
@click.option("--batch", "batch_id", metavar="ID", help="The batch that bronze began; default the one under way.")
@click.option("--engine", "build_engine", metavar="ENGINE", help="duckdb, spark, local[N] or spark://host:port (MEDFLOW_BUILD_ENGINE).")
@date_option
@wait_option
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@click.option("--result", type=click.Path(path_type=Path), metavar="FILE", help="Write the JSON to FILE, too: spark-submit mixes streams.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the whole traceback of an unexpected error; it may hold data.")
def spark_jobs(
    *, step: str, batch_id: str | None, build_engine: str | None, run_date: str | None, wait: float, as_json: bool, result: Path | None
) -> int:
    """Run one STEP: bronze, verify-bronze, silver, verify-silver, gate, gold, verify-gold or publish."""
    site = Site.open(load_settings(build_engine=build_engine))
    request = JobRequest(step, batch_id, parse_date(run_date) if run_date else None)
    with order_of(run_date, wait) as order:
        outcome = run_job(site, order, request)
    if result:
        result.write_text(json.dumps(outcome.to_dict()), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(outcome.to_dict()))
    else:
        click.echo(outcome.sentence)
        for notice in outcome.notices:
            click.echo(f"notice: {notice}")
    return 1 if outcome.all_rejected else 0


def main(arguments: list[str] | None = None) -> int:
    """Run one step; returns the exit code."""
    return ended(spark_jobs, COMMAND, sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
