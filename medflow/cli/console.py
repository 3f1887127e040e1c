"""What the commands share: settings and site from the context, progress and tables on a terminal, JSON elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from medflow.errors import UsageError
from medflow.settings import Settings, load_settings

if TYPE_CHECKING:
    from rag_backend.model.base import Model
    from spark_jobs.pipeline import Order, Site

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
date_option = click.option("--date", "run_date", metavar="YYYY-MM-DD", help="The run's date; default today in UTC.")
planner_option = click.option(
    "--planner", type=click.Choice(["grammar", "claude", "grammar+claude"]), help="Who reads the question (MEDFLOW_PLANNER)."
)
wait_option = click.option("--wait", type=float, default=0.0, metavar="SECONDS", help="Wait so long for another run to end.")


def settings_of(ctx: click.Context, **arguments: Any) -> Settings:
    """Settings from the group's options and the environment."""
    return load_settings(home=ctx.obj["home"], knowledge_base=ctx.obj["knowledge_base"], **arguments)


def site_of(ctx: click.Context, **arguments: Any) -> Site:
    """The opened lake."""
    from spark_jobs.pipeline import Site

    return Site.open(settings_of(ctx, **arguments))


def utc_now() -> datetime:
    """The instant that it is."""
    return datetime.now(UTC)


def utc_today() -> date:
    """The day that it is in UTC."""
    return utc_now().date()


def parse_date(text: str | None) -> date:
    """A date argument, or today in UTC. Raises UsageError: not a date."""
    if text is None:
        return utc_today()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a date; write it as YYYY-MM-DD") from None


@contextmanager
def order_of(run_date: str | None, wait: float) -> Iterator[Order]:
    """An order with progress on a terminal's standard error."""
    from spark_jobs.pipeline import Order

    with progress() as report:
        yield Order(run_date=parse_date(run_date), clock=lambda: datetime.now(UTC), wait_seconds=wait, report=report)


@contextmanager
def model_of(settings: Settings) -> Iterator[Model | None]:
    """The model that the planner asks, closed at the end; None where the planner asks nobody."""
    if settings.planner == "grammar":
        yield None
        return
    from rag_backend.model.opened import opened_model

    with closing(opened_model(settings, utc_today)) as model:
        yield model


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A spinner with the current step, on a terminal; silent elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("starting") as status:
        yield lambda text: status.update(text)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def read_json(output: Iterable[str]) -> dict[str, Any] | None:
    """What another command printed as JSON, as soon as it stands in its output, which may go on; None: the output ended before."""
    told = ""
    for line in output:
        told += line
        if line == "}\n":
            value: dict[str, Any] = json.loads(told)
            return value
    return None


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Iterable[int] = ()) -> None:
    """A table as wide as the terminal (or 120 columns where there is none); columns in `right` are numbers."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", header_style="", box=None, pad_edge=False)
    numbers = set(right)
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_shown(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 140, markup=False, highlight=False).print(table)


def _shown(cell: Any) -> str:
    if cell is None:
        return "-"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
