"""`medflow releases list|restore`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import click

from medflow.cli.console import date_option, json_option, order_of, print_json, print_table, site_of, wait_option


@click.group()
def releases() -> None:
    """List releases; restore an older one as a new release."""


@releases.command(name="list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Every release, oldest first; those that are no longer kept can be neither read nor restored."""
    ledger = site_of(ctx).ledger
    entries, expired = ledger.releases(), ledger.expired()
    if as_json:
        print_json([{**asdict(entry), "kept": entry.release not in expired} for entry in entries])
        return
    rows = [
        (e.release, e.kind, e.batch_id, e.run_date, e.created_at.strftime("%Y-%m-%d %H:%M"), e.restored, _kept(expired.get(e.release)))
        for e in entries
    ]
    print_table("Releases", ("release", "kind", "batch", "run date", "created (UTC)", "restores", "kept"), rows, right=(0,))


def _kept(expired_on: date | None) -> str:
    return "yes" if expired_on is None else f"no, expired on {expired_on}"


@releases.command()
@click.argument("number", type=int)
@date_option
@wait_option
@json_option
@click.pass_context
def restore(ctx: click.Context, number: int, run_date: str | None, wait: float, as_json: bool) -> None:
    """Publish a new release with the content of release NUMBER; files that came later are withdrawn."""
    from spark_jobs.restore import restore as restore_release

    site = site_of(ctx)
    with order_of(run_date, wait) as order, site.lock(order) as lock:
        lock.acquire("restore", wait)
        lake = site.lake()
        made = restore_release(lake, site.ledger, lock, number, run_date=order.run_date, created_at=order.clock())
    withdrawn = [entry.name for entry in site.ledger.files(state="withdrawn")]
    if as_json:
        print_json({"release": made, "restored": number, "withdrawn": withdrawn})
        return
    click.echo(f"release {made} has the content of release {number}")
    if withdrawn:
        click.echo(f"{len(withdrawn)} files are withdrawn; `medflow files retry SHA` takes one up again: {', '.join(withdrawn[:5])}")
