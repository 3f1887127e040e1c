"""`medflow land DIR`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from medflow.cli.console import json_option, print_json, progress, settings_of


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def land(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """Copy DIR/<payer>/... to the landing folder; a file that is there already, by content, is left alone."""
    from medflow.specs.knowledge_base import load_knowledge_base
    from spark_jobs.landing import Landing
    from spark_jobs.landing import land as land_files

    settings = settings_of(ctx)
    landing = Landing.of(settings)
    payers = load_knowledge_base(settings.knowledge_base).layouts
    with progress() as report:
        landed = land_files(folder, landing, payers, report)
    if as_json:
        print_json([asdict(file) for file in landed])
        return
    copied = sum(file.copied for file in landed)
    there = len(landed) - copied
    click.echo(f"{copied} files copied to {landing.address}" + (f", {there} there already" if there else ""))
