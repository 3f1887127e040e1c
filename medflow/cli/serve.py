"""`medflow serve`."""

from __future__ import annotations

import sys
from contextlib import closing

import click

from medflow.cli.console import json_option, model_of, print_json, settings_of, utc_now
from medflow.errors import MissingExtraError

_PACKAGES = ("fastapi", "fastapi_swagger", "langgraph", "uvicorn", "websockets")


@click.command()
@click.option("--role", default="analyst", show_default=True, help="As whom all questions are answered: business, analyst or engineer.")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address: 127.0.0.1, localhost or ::1.")
@click.option(
    "--inside",
    metavar="NAME",
    help="In a container that its network knows by NAME: listen on its addresses. Nobody logs in: publish the port on a loopback alone.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="Default 8000 (MEDFLOW_API_PORT); 0 takes a free one.")
@json_option
@click.pass_context
def serve(ctx: click.Context, /, role: str, host: str, inside: str | None, port: int | None, as_json: bool) -> int:
    """Answer questions over HTTP, for who is on this machine, until it is stopped."""
    try:
        from rag_backend.api import server
        from rag_backend.api.desk import Desk
        from rag_backend.checkpoints import conversations
        from rag_backend.graph import Graph
        from rag_backend.records import records_of
    except ModuleNotFoundError as missing:
        if missing.name not in _PACKAGES:
            raise
        raise MissingExtraError(missing.name, "serve") from None
    from rag_backend.assistant import Assistants

    settings = settings_of(ctx)
    port = settings.api_port if port is None else port
    with (
        server.listening(host, port, inside=bool(inside)) as listening,
        model_of(settings) as model,
        closing(Assistants(settings, role, model)) as lake,
        conversations(settings.app_db) as kept,
        records_of(settings.app_db) as records,
    ):
        name, number = listening.getsockname()[:2]
        name = inside or name
        url = f"http://{f'[{name}]' if ':' in name else name}:{number}"
        try:
            server.serve(
                Desk(lake, utc_now, Graph(kept), records), listening, lambda: _tell(url, role, as_json), (inside,) if inside else ()
            )
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


def _tell(url: str, role: str, as_json: bool) -> None:
    if as_json:
        print_json({"url": url, "role": role})
    else:
        click.echo(f"MedFlow answers as {role} at {url}; what can be asked: {url}/api-docs; Ctrl-C ends it")
    sys.stdout.flush()
