"""`medflow files list|exclude|retry|reject`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import click

from medflow.cli.console import json_option, order_of, print_json, print_table, site_of
from medflow.lakehouse.ledger import Ledger
from medflow.lakehouse.ledger_entries import FileEntry

_reason = click.option("--reason", default="decided by a person", show_default=True, help="Kept in the ledger; no patient data, please.")


@click.group()
def files() -> None:
    """List the files that were seen; exclude, retry or reject one by its SHA-256 (a beginning is enough)."""


@files.command(name="list")
@click.option("--state", help="Only files in this state.")
@click.option("--payer", help="Only files of this payer.")
@json_option
@click.pass_context
def list_(ctx: click.Context, state: str | None, payer: str | None, as_json: bool) -> None:
    """Every file that was seen, by payer and hash."""
    entries = [entry for entry in site_of(ctx).ledger.files(payer) if state in (None, entry.state)]
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    rows = [(e.payer, e.sha256[:12], e.name, e.state, e.records, e.lines, e.release, e.reason_code) for e in entries]
    print_table("Files", ("payer", "sha256", "name", "state", "records", "lines", "release", "reason"), rows, right=(4, 5, 6))


@files.command()
@click.argument("sha")
@_reason
@json_option
@click.pass_context
def exclude(ctx: click.Context, sha: str, reason: str, as_json: bool) -> None:
    """Leave a file out of every run until it is retried."""
    _decide(ctx, lambda ledger: ledger.exclude(sha, reason), as_json)


@files.command()
@click.argument("sha")
@json_option
@click.pass_context
def retry(ctx: click.Context, sha: str, as_json: bool) -> None:
    """Take a rejected, refused, excluded or withdrawn file up again in the next run."""
    _decide(ctx, lambda ledger: ledger.retry(sha), as_json)


@files.command()
@click.argument("sha")
@_reason
@json_option
@click.pass_context
def reject(ctx: click.Context, sha: str, reason: str, as_json: bool) -> None:
    """Reject a file for good; no changed declaration revives it."""
    _decide(ctx, lambda ledger: ledger.reject(sha, reason), as_json)


def _decide(ctx: click.Context, decision: Callable[[Ledger], FileEntry], as_json: bool) -> None:
    """Under the lock: a run at work would write over the decision."""
    site = site_of(ctx)
    with order_of(None, 0) as order, site.lock(order) as lock:
        lock.acquire("files")
        entry = decision(site.ledger)
    if as_json:
        print_json(asdict(entry))
    else:
        click.echo(f"{entry.name} ({entry.payer}, {entry.sha256[:12]}): {'waits for the next run' if entry.retry else entry.state}")
