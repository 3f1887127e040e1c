"""`medflow bench`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medflow import __version__
from medflow.cli.console import json_option, print_json, print_table, progress
from medflow.errors import UsageError
from medflow.settings import Settings, load_settings

if TYPE_CHECKING:
    from medflow.bench.report import Machine

_OWN = ("catalog", "warehouse", "landing")


@click.command()
@click.option("--claims", type=click.IntRange(min=1), multiple=True, default=(100_000,), metavar="N", help="Claims; may be given again.")
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the sample.")
@click.option("--work", type=click.Path(path_type=Path, file_okay=False), help="A new or empty folder to work in; default below HOME.")
@click.option("--keep", is_flag=True, help="Leave inputs and outputs in the folder.")
@click.option(
    "--only", default="a,b,c,d,q", metavar="WAYS", help="a, d: DuckDB, Spark by hand; b, c: medflow on DuckDB, Spark; q: questions."
)
@click.option("--bank", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Ask these instead of the approved questions.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the tables as Markdown too.")
@json_option
@click.pass_context
def bench(
    ctx: click.Context,
    claims: tuple[int, ...],
    seed: int,
    work: Path | None,
    keep: bool,
    only: str,
    bank: Path | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Measure the same files and rules four ways on this machine, then the assistant; fails where the outputs are not equal."""
    from medflow.bench import report
    from medflow.bench.answers import questions_of, run_answers
    from medflow.bench.plan import Order, run_bench

    ways = _ways(only)
    results, answers = [], []
    with _folder(ctx, work, keep) as folder:
        settings = _settings(ctx, folder)
        machine = _machine(settings)
        questions = questions_of(bank, settings.knowledge_base) if "q" in ways else []
        for count in claims:
            place = folder / str(count)
            place.mkdir()
            order = Order(
                claims=count,
                seed=seed,
                ways=ways.replace("q", ""),
                folder=place,
                knowledge_base=settings.knowledge_base.absolute(),
                cores=machine.cores,
                memory=settings.memory,
                key=settings.secret_pseudonym_key,
            )
            with progress() as tell:
                if order.ways:
                    results.append(run_bench(order, tell))
                if questions:
                    answers.append(run_answers(order, questions, tell))
    if out:
        out.write_text(report.markdown(results, answers, machine, seed), encoding="utf-8")
    if as_json:
        print_json(report.as_json(results, answers, machine, seed))
    else:
        click.echo(machine.told(seed))
        for result in results:
            click.echo()
            print_table(report.title(result), report.COLUMNS, report.table(result), right=range(1, len(report.COLUMNS)))
            click.echo("\n".join(report.notes(result)))
            click.echo("rows: " + ", ".join(f"{name} {count:,}" for name, count in result.rows.items()))
        for asked in answers:
            click.echo()
            print_table(report.asked_title(asked), report.ASKED, report.asked_table(asked), right=range(1, len(report.ASKED)))
            click.echo("\n".join(report.asked_notes(asked)))
    return 1 if any(result.failed for result in results) else 0


def _ways(only: str) -> str:
    asked = [way.strip() for way in only.split(",") if way.strip()]
    if not asked or not set(asked) <= set("abcdq"):
        raise UsageError(f"--only {only} is not a list of ways; allowed: a, b, c, d, q with commas between, such as a,b")
    return "".join(sorted(set(asked)))


@contextmanager
def _folder(ctx: click.Context, work: Path | None, keep: bool) -> Iterator[Path]:
    """The folder to work in; what is in it goes when all is done, unless it is to be kept."""
    if work is None:
        home = load_settings(home=ctx.obj["home"]).home
        home.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=home))
    else:
        work.mkdir(parents=True, exist_ok=True)
        folder = work.absolute()
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty; --work takes a new or empty folder")
    try:
        yield folder
    finally:
        if keep:
            click.echo(f"kept: {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _settings(ctx: click.Context, folder: Path) -> Settings:
    """Settings of lakes below `folder`. Raises UsageError: a setting would have the benchmark write elsewhere."""
    settings = load_settings(home=folder, knowledge_base=ctx.obj["knowledge_base"])
    own = load_settings(home=folder, **dict.fromkeys(_OWN, ""))
    elsewhere = [f"MEDFLOW_{name.upper()}" for name in _OWN if getattr(settings, name) != getattr(own, name)]
    if elsewhere:
        raise UsageError(f"{', '.join(elsewhere)} names a lake of yours; the benchmark makes its own: unset it for this command")
    return settings


def _machine(settings: Settings) -> Machine:
    from medflow.bench.report import Machine

    return Machine(
        day=datetime.now(UTC).date().isoformat(),
        cores=settings.threads or os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        load=os.getloadavg()[0],
        versions={
            "medflow": __version__,
            "Python": platform.python_version(),
            **{name: _version(name) for name in ("duckdb", "pyspark", "pyarrow")},
        },
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
