"""`medflow setup`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from medflow.cli.console import json_option, print_json, progress, settings_of
from medflow.settings import Settings


@click.command()
@click.option("--vectors", is_flag=True, help="Fetch the embedding model (24 MB, once) and index the declarations with it.")
@click.option(
    "--trino",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the files that a Trino server for this lake is set up with: access rules of every role, limits, the catalog.",
)
@json_option
@click.pass_context
def setup(ctx: click.Context, vectors: bool, trino: Path | None, as_json: bool) -> int:
    """Set up what the assistant can do without: vectors beside words, a Trino server. Without an option, say what is set up."""
    from rag_backend.retrieval.set_up import set_up_vectors, state_of

    settings = settings_of(ctx)
    if trino is not None:
        return _trino(settings, trino, as_json)
    with progress() as report:
        told = set_up_vectors(settings, report) if vectors else state_of(settings)
    if as_json:
        print_json(told)
    else:
        _tell(told)
    return 0 if vectors is False or told["mode"] == "both" else 1


def _trino(settings: Settings, folder: Path, as_json: bool) -> int:
    from rag_backend.engines.trino_files import write_trino_files

    files = write_trino_files(settings, folder)
    if as_json:
        print_json({"folder": str(folder), "files": files})
    else:
        click.echo(f"{folder}: {', '.join(files)}")
        click.echo("Trino reads them from its etc folder; write them again whenever policy, tables or limits change")
    return 0


def _tell(told: dict[str, Any]) -> None:
    if told["mode"] == "bm25":
        click.echo("retrieval: by words alone (BM25). " + (told["notice"] or "`medflow setup --vectors` adds vectors"))
        return
    entries = ", ".join(f"{count} in {name}" for name, count in told["entries"].items())
    fetched = "fetched, " if told.get("fetched") else ""
    click.echo(f"model {told['model']}: {fetched}digests as tested, at {told['folder']}")
    click.echo(f"index {told['index']} in {told['store']}: {entries}")
    click.echo("retrieval: by words and by vectors; nothing is fetched when a question is asked")
