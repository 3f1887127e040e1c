"""`medflow quarantine list|show|replay|waive`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from medflow.cli.console import date_option, json_option, order_of, print_json, print_table, site_of, wait_option
from medflow.errors import UsageError


@click.group()
def quarantine() -> None:
    """Lines that broke a rule, and their siblings: a queue, not a grave."""


def _selecting(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--payer", help="Lines of this payer."),
        click.option("--batch", "batch_id", help="Lines that this batch set aside."),
        click.option("--rule", help="Lines that broke this rule."),
    ):
        command = option(command)
    return command


@quarantine.command(name="list")
@_selecting
@click.option("--status", type=click.Choice(["open", "replayed", "waived"]), help="Lines in this state.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Lines to print; the counts are of all.")
@json_option
@click.pass_context
def list_(ctx: click.Context, /, as_json: bool, limit: int, **wanted: str | None) -> None:
    """The queue of the current release, or of a refused batch (--batch)."""
    from spark_jobs.queue_view import read_queue

    view = read_queue(site_of(ctx), limit=limit, **wanted)
    if as_json:
        print_json(view.to_dict())
        return
    print_table(f"Quarantine of {view.source}", ("payer", "rule", "status", "lines"), view.counts, right=(3,))
    click.echo()
    rows = [(r["row_id"][:12], r["payer_id"], r["file_name"], r["record_number"], r["rules"], r["status"]) for r in view.rows]
    print_table(f"{len(rows)} of {view.total} lines", ("row", "payer", "file", "record", "rules", "status"), rows, right=(3,))


@quarantine.command()
@click.argument("row")
@click.option("--batch", "batch_id", help="Look in the queue of this refused batch.")
@json_option
@click.pass_context
def show(ctx: click.Context, row: str, batch_id: str | None, as_json: bool) -> None:
    """One line with its record's text, which is patient data: ROW is its row id or the beginning of it."""
    from spark_jobs.queue_view import read_line

    line = read_line(site_of(ctx), row, batch_id)
    if as_json:
        print_json(line)
        return
    for name, value in line.items():
        if name != "errors":
            click.echo(f"{name}: {value}")
    for error in line["errors"]:
        click.echo(f"error: {error['rule_id']}: {error['message']}")


@quarantine.command()
@_selecting
@click.argument("rows", nargs=-1)
@date_option
@wait_option
@json_option
@click.pass_context
def replay(ctx: click.Context, /, rows: tuple[str, ...], run_date: str | None, wait: float, as_json: bool, **wanted: str | None) -> None:
    """Judge open lines again, with their siblings, after a rule or a mapping was mended."""
    from spark_jobs.rework import replay as replay_lines

    _resolve(ctx, replay_lines, rows, run_date, wait, as_json, wanted)


@quarantine.command()
@_selecting
@click.argument("rows", nargs=-1)
@date_option
@wait_option
@json_option
@click.pass_context
def waive(ctx: click.Context, /, rows: tuple[str, ...], run_date: str | None, wait: float, as_json: bool, **wanted: str | None) -> None:
    """Close open lines without loading them; name ROWS, or --payer, --batch or --rule."""
    from spark_jobs.rework import waive as waive_lines

    if not rows and not any(wanted.values()):
        raise UsageError("waive closes lines for good: name row ids, or --payer, --batch or --rule")
    _resolve(ctx, waive_lines, rows, run_date, wait, as_json, wanted)


def _resolve(
    ctx: click.Context,
    work: Callable[..., Any],
    rows: tuple[str, ...],
    run_date: str | None,
    wait: float,
    as_json: bool,
    wanted: dict[str, str | None],
) -> None:
    from medflow.cli.run import print_outcome
    from spark_jobs.rework import Selection

    with order_of(run_date, wait) as order:
        outcome = work(site_of(ctx), order, Selection(rows=rows, **wanted))
    if as_json:
        print_json(outcome.to_dict())
    elif outcome.release is None:
        click.echo("no selected line passes the rules as they are declared now; nothing changed")
    else:
        print_outcome(outcome)
