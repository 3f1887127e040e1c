"""`medflow status`."""

from __future__ import annotations

from typing import Any

import click

from medflow.cli.console import json_option, print_json, print_table, site_of


@click.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show the current release, what waits, who holds the lock, and which rebuilds are due."""
    facts = _facts(ctx)
    if as_json:
        print_json(facts)
        return
    release = facts["release"]
    if release is None:
        click.echo("no release yet: `medflow land DIR` copies payer files, `medflow run` makes a release of them")
    else:
        click.echo(f"release {release['number']} ({release['kind']}, batch {release['batch_id']}, run date {release['run_date']})")
        print_table("", ("table", "rows", "files"), [(t["table"], t["rows"], t["files"]) for t in facts["tables"]], right=(1, 2))
    if facts["files"]:
        click.echo("files: " + ", ".join(f"{count} {state}" for state, count in facts["files"].items()))
    if facts["lock"]:
        click.echo(f"a run is at work: {facts['lock']['holder']} by {facts['lock']['who']} since {facts['lock']['since']}")
    for notice in facts["notices"]:
        click.echo(f"notice: {notice}")


def _facts(ctx: click.Context) -> dict[str, Any]:
    from medflow.lakehouse.lock import lock_holder
    from medflow.lakehouse.releases import read_release
    from spark_jobs.due import rebuilds_due

    site = site_of(ctx)
    states: dict[str, int] = {}
    for entry in site.ledger.files():
        states[entry.state] = states.get(entry.state, 0) + 1
    holder = lock_holder(site.database)
    facts: dict[str, Any] = {"release": None, "tables": [], "files": states, "lock": holder and dict(holder)}
    if site.ledger.current_release() is not None:
        release = read_release(site.database)
        facts["release"] = {
            "number": release.number,
            "kind": release.kind,
            "batch_id": release.batch_id,
            "run_date": release.run_date,
            "created_at": release.created_at,
        }
        facts["tables"] = [
            {"table": name, "rows": table.records, "files": len(table.data_files)} for name, table in sorted(release.tables.items())
        ]
    facts["notices"] = list(rebuilds_due(site.ledger, site.knowledge_base).notices)
    return facts
