"""`medflow ask` and `medflow sql`."""

from __future__ import annotations

from typing import Any

import click

from medflow.cli.console import json_option, model_of, parse_date, planner_option, print_json, print_table, settings_of

_SHOWN = 20


@click.command()
@click.argument("question")
@click.option("--role", default="analyst", show_default=True, help="Who asks: business, analyst or engineer.")
@click.option("--today", metavar="YYYY-MM-DD", help="The day that `last month` and the like count from; default today in UTC.")
@click.option("--release", type=int, metavar="N", help="Ask an older release.")
@planner_option
@json_option
@click.pass_context
def ask(ctx: click.Context, question: str, role: str, today: str | None, release: int | None, planner: str | None, as_json: bool) -> int:
    """Ask a question in plain words: a table and how it was read, or why there is no answer."""
    from rag_backend.assistant import opened

    settings = settings_of(ctx, planner=planner)
    with model_of(settings) as model, opened(settings, role, release, model) as assistant:
        return _show(assistant.ask(question, parse_date(today)), as_json)


@click.command()
@click.argument("text", metavar="SQL")
@click.option("--role", default="analyst", show_default=True, help="Who asks: analyst or engineer.")
@click.option("--release", type=int, metavar="N", help="Ask an older release.")
@json_option
@click.pass_context
def sql(ctx: click.Context, text: str, role: str, release: int | None, as_json: bool) -> int:
    """Run one SELECT on the current release, as far as the role may read."""
    from rag_backend.assistant import opened

    with opened(settings_of(ctx, planner="grammar"), role, release) as assistant:
        return _show(assistant.sql(text, parse_date(None)), as_json)


def _show(answer: dict[str, Any], as_json: bool) -> int:
    if as_json:
        print_json(answer)
    else:
        tell(answer)
    return 0 if answer["status"] in ("answered", "clarify") else 1


def tell(answer: dict[str, Any]) -> None:
    """An answer on a terminal."""
    if answer["status"] == "refused":
        click.echo(f"No answer ({answer['reason_code']}): {answer['explanation']}")
        _listed("You could ask:", answer["nearest"])
        return
    if answer["status"] == "clarify":
        click.echo(answer["explanation"])
        _listed("Did you mean:", [option["label"] for option in answer["options"]])
        return
    for part in answer["parts"] or [answer]:
        _table(part)
    click.echo(answer["explanation"])
    for line in (f"Read as: {answer['interpretation']}" if answer["interpretation"] else "", *(n["text"] for n in answer["notices"])):
        if line:
            click.echo(line)
    click.echo(f"Release {answer['release']['number']} of {answer['release']['created_at'][:16]}, {answer['lane']} lane")
    _listed("Next:", answer["follow_ups"])


def _table(part: dict[str, Any]) -> None:
    """The first rows of an answer, or of one of its parts."""
    if not part["rows"]:
        return
    from rag_backend.agents.explainer import shown

    units = [column["unit"] for column in part["columns"]]
    rows = [[shown(cell, unit) for cell, unit in zip(row, units, strict=True)] for row in part["rows"][:_SHOWN]]
    places = {column["name"]: place for place, column in enumerate(part["columns"])}
    for row, name, _ in part["suppressed_cells"]:
        if row < _SHOWN:
            rows[row][places[name]] = "masked"
    numbers = [place for place, column in enumerate(part["columns"]) if column["unit"]]
    print_table("", tuple(column["label"] for column in part["columns"]), rows, right=numbers)
    if part["row_count"] > _SHOWN:
        click.echo(f"... {part['row_count'] - _SHOWN:,} more rows; --json shows all")


def _listed(title: str, lines: list[str]) -> None:
    if lines:
        click.echo("\n".join([title, *(f"  {line}" for line in lines)]))
