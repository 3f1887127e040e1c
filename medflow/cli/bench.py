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
from typing import TYPE_CHECKING, Any

import click

from medflow import __version__
from medflow.cli.console import json_option, progress
from medflow.errors import UsageError
from medflow.settings import Settings, load_settings

if TYPE_CHECKING:
    from medflow.bench.plan import Order
    from medflow.bench.report import Machine

_OWN = ("catalog", "warehouse", "landing")
_WAYS = ("a", "b", "c", "d", "q", "mix", "model")
_WAYS_TOLD = "a, d: DuckDB, Spark by hand; b, c: medflow on DuckDB, Spark; q: questions; mix: the question mix; model: beside a slow model."


@click.command()
@click.option("--claims", type=click.IntRange(min=1), multiple=True, default=(100_000,), metavar="N", help="Claims; may be given again.")
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the sample.")
@click.option("--work", type=click.Path(path_type=Path, file_okay=False), help="A new or empty folder to work in; default below HOME.")
@click.option("--keep", is_flag=True, help="Leave inputs and outputs in the folder.")
@click.option("--only", default="a,b,c,d,q", metavar="WAYS", help=_WAYS_TOLD)
@click.option("--bank", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Ask these instead of the approved questions.")
@click.option("--model-seconds", type=click.FloatRange(min=0), default=4.0, show_default=True, help="How long the slow model takes.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the tables as Markdown too.")
@json_option
@click.pass_context
def bench(ctx: click.Context, /, claims: tuple[int, ...], seed: int, work: Path | None, **chosen: Any) -> int:
    """Measure the same files and rules four ways on this machine, then the assistant; fails where the outputs are not equal."""
    from medflow.cli.bench_figures import Circumstances, keep_benchmark
    from medflow.cli.bench_run import Asked, Measured

    ways, measured = _ways(chosen["only"]), Measured()
    with _folder(ctx, work, chosen["keep"]) as folder:
        settings = _settings(ctx, folder)
        machine = _machine(settings)
        asked = Asked.of(ways, settings.knowledge_base, chosen["bank"], chosen["model_seconds"])
        for count in claims:
            with progress() as tell:
                measured.add(_order(count, seed, ways, settings), asked, tell)
    if chosen["out"]:
        chosen["out"].write_text(measured.markdown(machine, seed), encoding="utf-8")
    if chosen["as_json"]:
        measured.show_json(machine, seed)
    else:
        measured.show(machine, seed)
    circumstances = Circumstances(settings.knowledge_base, seed, round(machine.load, 1), chosen["bank"])
    keep_benchmark(load_settings(home=ctx.obj["home"]).app_db, measured, circumstances)
    return 1 if measured.failed else 0


def _ways(only: str) -> frozenset[str]:
    asked = frozenset(way.strip() for way in only.split(",") if way.strip())
    if not asked or not asked <= set(_WAYS):
        raise UsageError(f"--only {only} is not a list of ways; allowed: {', '.join(_WAYS)} with commas between, such as a,b")
    return asked


def _order(claims: int, seed: int, ways: frozenset[str], settings: Settings) -> Order:
    """What is measured of one size, in a folder of its own."""
    from medflow.bench.plan import WAYS, Order

    place = settings.home / str(claims)
    place.mkdir()
    return Order(
        claims=claims,
        seed=seed,
        ways="".join(way for way in WAYS if way in ways),
        folder=place,
        knowledge_base=settings.knowledge_base.absolute(),
        cores=settings.cores,
        memory=settings.memory,
        key=settings.secret_pseudonym_key,
    )


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
