"""`medflow status`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from medflow.cli.console import json_option, print_json, print_table, settings_of, site_of

if TYPE_CHECKING:
    from medflow.measurements import MeasuredOn

_DIGEST = 8  # characters of a SHA-256 that tell one from another


@click.command()
@click.option("--targets", is_flag=True, help="Show instead what is promised of the product, and the newest figures beside it.")
@json_option
@click.pass_context
def status(ctx: click.Context, targets: bool, as_json: bool) -> None:
    """Show the current release, what waits, who holds the lock, and which rebuilds are due."""
    if targets:
        _show_targets(ctx, as_json)
        return
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

    site = site_of(ctx)
    states: dict[str, int] = {}
    for entry in site.ledger.files():
        states[entry.state] = states.get(entry.state, 0) + 1
    holder = lock_holder(site.database)
    facts: dict[str, Any] = {"release": None, "tables": [], "files": states, "lock": holder and dict(holder)}
    if site.ledger.current_release() is not None:
        release = site.release()
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
    facts["notices"] = list(site.due().notices)
    return facts


def _show_targets(ctx: click.Context, as_json: bool) -> None:
    from medflow.measurements import version_of_declarations
    from medflow.targets import judged

    settings = settings_of(ctx)
    found, now = judged(settings.app_db), version_of_declarations(settings.knowledge_base)
    if as_json:
        print_json({"knowledge_base": now, "targets": [{**asdict(one), "at": one.at and one.at.isoformat()} for one in found]})
        return
    rows = [(one.name, one.aim, one.figure or None, one.state, one.at and f"{one.at:%Y-%m-%d %H:%M}", one.command) for one in found]
    print_table("", ("target", "aim", "figure", "state", "when (UTC)", "measured by"), rows)
    measured = [f"{one.name}: {_told(one.on, now)}" for one in found if one.on]
    if measured:
        click.echo("\n".join(("\nmeasured on", *measured)))


def _told(on: MeasuredOn, now: str) -> str:
    """What a figure is of, in one line; `now` is the version of the declarations."""
    lake = f"release {on.release}" if on.release is not None else f"{on.claims:,} claims, seed {on.seed}"
    model = "" if on.model_seconds is None else f" of {on.model_seconds:g} s"
    asked = f"{on.askings:,} of {on.asked} {on.asked_sha256[:_DIGEST]}"
    changed = "" if on.knowledge_base == now else " (changed since)"
    return f"{lake}; {asked}; {on.planner}{model}; knowledge base {on.knowledge_base[:_DIGEST]}{changed}; load {on.load:.1f}"
