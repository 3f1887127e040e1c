"""`medflow generate`: sample claim files of three payers, and the truth about them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from medflow.cli.console import json_option, parse_date, print_json

_AS_OF = "2026-06-30"


@click.command()
@click.option("--claims", type=int, required=True, metavar="N", help="Distinct claims over the three payers.")
@click.option("--seed", type=int, required=True, metavar="S", help="The same seed and arguments give the same bytes.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="A folder that is new or empty.")
@click.option("--as-of", default=_AS_OF, show_default=True, metavar="YYYY-MM-DD", help="The day that the claims are known on.")
@click.option("--days", type=int, default=1, show_default=True, metavar="D", help="One folder a day for the D days up to then.")
@click.option("--defects", type=float, default=0.0, show_default=True, metavar="R", help="Share of lines with an error, 0 to 0.5.")
@click.option("--damage", metavar="KIND", help="Spoil one finished file; a wrong KIND lists all.")
@json_option
def generate(*, claims: int, seed: int, out: Path, as_of: str, as_json: bool, **more: Any) -> None:
    """Write N sample claims of three payers below DIR, with DIR/truth.json: what a right pipeline makes of them."""
    from medflow.generate import SampleRequest
    from medflow.generate import generate as write_sample

    begun = time.monotonic()
    request = SampleRequest(claims=claims, seed=seed, out=out, as_of=parse_date(as_of), **more)
    with _progress_bar(claims) as progress:
        truth = write_sample(request, progress)
    summary = {
        "out": str(out),
        "claims": claims,
        "files": sorted(truth["files"]),
        "lines": sum(truth["lines_read"].values()),
        "seconds": round(time.monotonic() - begun, 3),
    }
    if as_json:
        print_json(summary)
    else:
        _print_summary(summary, truth)


@contextmanager
def _progress_bar(claims: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal's standard error; silent elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("claims"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("claims", total=claims)
        yield lambda done: bar.update(task, completed=done)


def _print_summary(summary: dict[str, Any], truth: dict[str, Any]) -> None:
    files = len(summary["files"])
    click.echo(f"{summary['claims']:,} claims, {summary['lines']:,} lines in {files} file{'s' if files != 1 else ''}: {summary['out']}")
    if truth["own_error_share"]:
        share, quarantined = truth["own_error_share"], sum(truth["quarantine"].values())
        click.echo(f"{share:.1%} of the lines have an error of their own; {quarantined:,} lines belong into quarantine")
    if truth["damage"]:
        damage = truth["damage"]
        click.echo(f"damaged: {damage['file']} ({damage['about']}); it should be {damage['outcome']}")
    click.echo(f"truth.json says what a right pipeline makes of them; {summary['seconds']:.1f} s. next:  medflow land {summary['out']}")
