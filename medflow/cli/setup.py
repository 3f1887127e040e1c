"""`medflow setup`."""

from __future__ import annotations

from typing import Any

import click

from medflow.cli.console import json_option, print_json, progress, settings_of


@click.command()
@click.option("--vectors", is_flag=True, help="Fetch the embedding model (24 MB, once) and index the declarations with it.")
@json_option
@click.pass_context
def setup(ctx: click.Context, vectors: bool, as_json: bool) -> int:
    """Set up what the assistant can do without: vectors beside words. Without an option, say what is set up."""
    from rag_backend.retrieval.set_up import set_up_vectors, state_of

    settings = settings_of(ctx)
    with progress() as report:
        told = set_up_vectors(settings, report) if vectors else state_of(settings)
    if as_json:
        print_json(told)
    else:
        _tell(told)
    return 0 if vectors is False or told["mode"] == "both" else 1


def _tell(told: dict[str, Any]) -> None:
    if told["mode"] == "bm25":
        click.echo("retrieval: by words alone (BM25). " + (told["notice"] or "`medflow setup --vectors` adds vectors"))
        return
    entries = ", ".join(f"{count} in {name}" for name, count in told["entries"].items())
    fetched = "fetched, " if told.get("fetched") else ""
    click.echo(f"model {told['model']}: {fetched}digests as tested, at {told['folder']}")
    click.echo(f"index {told['index']} in {told['store']}: {entries}")
    click.echo("retrieval: by words and by vectors; nothing is fetched when a question is asked")
