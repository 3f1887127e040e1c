"""`medflow maintain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from medflow.cli.console import date_option, json_option, order_of, print_json, print_table, site_of, wait_option

if TYPE_CHECKING:
    from spark_jobs.maintain import MaintainOutcome, TableCare

_KIB = 1024


@click.command()
@click.option("--engine", "build_engine", metavar="ENGINE", help="What rewrites tables; as of `medflow run`.")
@date_option
@wait_option
@json_option
@click.pass_context
def maintain(ctx: click.Context, build_engine: str | None, run_date: str | None, wait: float, as_json: bool) -> None:
    """Rewrite small files as few, expire releases past 30 and 30 days, and delete files that nothing needs."""
    from spark_jobs.maintain import maintain as look_after

    site = site_of(ctx, build_engine=build_engine)
    with order_of(run_date, wait) as order:
        outcome = look_after(site, order)
    if as_json:
        print_json(outcome.to_dict())
    else:
        _print_outcome(outcome)


def _print_outcome(outcome: MaintainOutcome) -> None:
    if outcome.nothing_done:
        click.echo("nothing to do")
    else:
        columns = ("table", "files compacted", "bytes", "snapshots expired", "files deleted", "bytes")
        print_table("Maintained", columns, [_row(table) for table in outcome.tables if table.changed], right=(1, 2, 3, 4, 5))
        click.echo()
    if outcome.release is not None:
        click.echo(f"release {outcome.release}, batch {outcome.batch_id}: the same rows in fewer files")
    if outcome.expired:
        click.echo(f"no longer kept: release {', '.join(map(str, outcome.expired))}")
    if outcome.branches:
        click.echo(f"branches dropped: {', '.join(outcome.branches)}")
    files, size = sum(t.swept.waiting_files for t in outcome.tables), sum(t.swept.waiting_bytes for t in outcome.tables)
    if files:
        click.echo(f"{files:,} files ({_shown(size)}) that nothing needs go when they are a day old")


def _row(table: TableCare) -> tuple[str, str, str, int, int, str]:
    done = table.compacted
    files = f"{done.files_before:,} -> {done.files_after:,}" if done else "-"
    size = f"{_shown(done.bytes_before)} -> {_shown(done.bytes_after)}" if done else "-"
    return table.table, files, size, table.snapshots, table.swept.files, _shown(table.swept.bytes) if table.swept.files else "-"


def _shown(size: int) -> str:
    amount, unit = float(size), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if amount < _KIB:
            break
        amount, unit = amount / _KIB, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
