"""`medflow refresh`."""

from __future__ import annotations

import click

from medflow.cli.console import json_option, print_json, progress, settings_of, utc_today


@click.command()
@json_option
@click.pass_context
def refresh(ctx: click.Context, as_json: bool) -> int:
    """Bring the assistant to the current release before somebody asks: index, readers of all roles, shared cache."""
    from rag_backend.ready import refresh as refreshed

    with progress() as report:
        found = refreshed(settings_of(ctx), utc_today(), report)
    if as_json:
        print_json(found.to_dict())
        return 0
    click.echo(f"release {found.release} is open for {', '.join(one.role for one in found.roles)}")
    searched = "words and vectors" if found.retrieval == "both" else "words alone (BM25)"
    click.echo(f"questions are searched for by {searched}{'. ' + found.notice if found.notice else ''}")
    for one in found.roles:
        if one.asked:
            click.echo(f"{one.role}: {one.answered} of {one.asked} approved questions answered ahead")
    return 0
