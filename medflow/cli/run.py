"""`medflow run`."""

from __future__ import annotations

import click

from medflow.cli.console import date_option, json_option, order_of, print_json, print_table, site_of, wait_option
from medflow.errors import UsageError


@click.command()
@click.option("--engine", "build_engine", metavar="ENGINE", help="duckdb, spark, local[N] or spark://host:port (MEDFLOW_BUILD_ENGINE).")
@click.option("--rebuild", "table", metavar="TABLE", help="Compute a table, and what depends on it, anew.")
@click.option("--recover", "recovers", is_flag=True, help="The lake's files are lost: build it anew from all published landing files.")
@date_option
@wait_option
@json_option
@click.pass_context
def run(
    ctx: click.Context, /, build_engine: str | None, table: str | None, recovers: bool, run_date: str | None, wait: float, as_json: bool
) -> int:
    """Take what waits in the landing folder to a verified, published release."""
    if table and recovers:
        raise UsageError("--recover builds every table anew: leave out --rebuild")
    site = site_of(ctx, build_engine=build_engine)
    with order_of(run_date, wait) as order:
        if recovers:
            from spark_jobs.recovery import recover

            outcome = recover(site, order)
        elif table:
            from spark_jobs.rework import rebuild

            outcome = rebuild(site, order, table)
        else:
            from spark_jobs.pipeline import run_pipeline

            outcome = run_pipeline(site, order)
    if as_json:
        print_json(outcome.to_dict())
    else:
        print_outcome(outcome)
    return 1 if outcome.all_rejected else 0


def print_outcome(outcome: object) -> None:
    """One summary of a run: files, tables, gate, notices."""
    from spark_jobs.outcome import RunOutcome

    assert isinstance(outcome, RunOutcome)
    if outcome.files:
        rows = [(f.payer, f.name, f.state, f.records, f.lines, f.reason_code or "; ".join(f.warnings) or "") for f in outcome.files]
        print_table("Files", ("payer", "file", "state", "records", "lines", "note"), rows, right=(3, 4))
        for file in outcome.files:
            if file.reason:
                click.echo(f"{file.name}: {file.reason}")
        click.echo()
    if outcome.release is not None:
        print_table("Rows written", ("table", "rows"), list(outcome.rows.items()), right=(1,))
        click.echo()
        gate = outcome.gate
        for finding in gate.get("findings", ()):
            click.echo(f"gate: {finding['outcome']}: {finding['payer']} {finding['rule']} at {finding['rate']:.2%}")
        click.echo(f"release {outcome.release}, batch {outcome.batch_id}, gate {gate['outcome']}, {outcome.pipeline_seconds:.1f} s")
    elif outcome.files:
        click.echo("every file was rejected; nothing was published. Mend them, or the payer's declaration, and run again")
    else:
        click.echo("nothing changed: no new file waits in the landing folder")
    for notice in outcome.notices:
        click.echo(f"notice: {notice}")
