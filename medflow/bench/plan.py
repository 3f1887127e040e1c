"""The benchmark's order: make the input, run the ways one after the other, compare what they wrote."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from medflow.bench.measure import Measured, measured
from medflow.bench.outputs import Outputs, differences
from medflow.errors import MedflowError

WAYS = {
    "a": "DuckDB by hand",
    "b": "medflow on DuckDB",
    "c": "medflow on Spark",
    "d": "Spark by hand",
}
_KINDS = {"a": ("",), "b": ("",), "c": ("cold", "warm"), "d": ("cold", "warm")}
_MEDFLOW = [sys.executable, "-m", "medflow"]
RUN_DATE = "2026-07-01"  # the day after the sample's last
DEFECTS = 0.04
_DEEP_UP_TO = 100_000
_WARM_UP_CLAIMS = 1_000


@dataclass(frozen=True)
class Order:
    """What is asked for: `folder` is the benchmark's own, and empty."""

    claims: int
    seed: int
    ways: str
    folder: Path
    knowledge_base: Path
    cores: int
    memory: str
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Timing:
    """One measured run. `kind` is cold or warm on Spark; the process of a warm run holds the warm-up too, so that it is not timed."""

    way: str
    kind: str
    pipeline_seconds: float | None = None
    process_seconds: float | None = None
    cpu_seconds: float | None = None
    peak_bytes: int | None = None
    written_bytes: int | None = None
    failure: str | None = None

    @property
    def title(self) -> str:
        return _title(self.way, self.kind)


@dataclass(frozen=True)
class Result:
    """All runs of one size, the rows of every table, and what the outputs disagree about."""

    claims: int
    lines: int
    input_bytes: int
    timings: tuple[Timing, ...]
    rows: Mapping[str, int]
    differences: tuple[str, ...]

    @property
    def failed(self) -> bool:
        return bool(self.differences) or any(timing.failure for timing in self.timings)

    def seconds(self, way: str, kind: str = "") -> float | None:
        """The pipeline seconds of a run, None where it was not made or failed."""
        return next((timing.pipeline_seconds for timing in self.timings if (timing.way, timing.kind) == (way, kind)), None)


def run_bench(order: Order, report: Callable[[str], None]) -> Result:
    """Measure the ways that are asked for.

    Raises:
        MedflowError: the input cannot be made.
    """
    site = Site(order)
    report(f"generating {order.claims:,} claims")
    truth = site.make_input()
    timings: list[Timing] = []
    outputs: dict[str, Outputs] = {}
    for run in [_Run(site, way, kind) for way in order.ways for kind in _KINDS[way]]:
        report(run.title)
        timing, output = run.measure()
        timings.append(timing)
        if output:
            outputs[run.title] = output
    report("comparing the outputs")
    first = next(iter(outputs.values()), None)
    return Result(
        claims=order.claims,
        lines=sum(truth["lines_read"].values()),
        input_bytes=sum(path.stat().st_size for path in site.landing.rglob("*.*") if path.name != "truth.json"),
        timings=tuple(timings),
        rows={table: figures.rows for table, figures in first.figures.items()} if first else {},
        differences=_differences(outputs, deep=order.claims <= _DEEP_UP_TO),
    )


def _differences(outputs: Mapping[str, Outputs], *, deep: bool) -> tuple[str, ...]:
    """Every way against the first."""
    (first, reference), *others = outputs.items() if outputs else [("", Outputs({}))]
    return tuple(f"{first} / {name}: {found}" for name, other in others for found in differences(reference, other, deep=deep))


class Site:
    """The benchmark's folder: input, warm-up input, key, one lake a run of the product."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.landing, self.warm_landing = order.folder / "input", order.folder / "warm-up-input"
        self.key_file = order.folder / "pseudonym.key"

    def make_input(self) -> dict[str, Any]:
        """Generate; returns the sample's truth."""
        self.key_file.write_bytes(self.order.key)
        self._generate(self.order.claims, self.landing)
        if {"c", "d"} & set(self.order.ways):
            self._generate(_WARM_UP_CLAIMS, self.warm_landing)
        truth: dict[str, Any] = json.loads((self.landing / "truth.json").read_text(encoding="utf-8"))
        return truth

    def lake(self, name: str, landing: Path) -> Path:
        """The home of a new lake with this input and the benchmark's key."""
        home = self.order.folder / name
        home.mkdir()
        shutil.copyfile(self.key_file, home / "pseudonym.key")
        (home / "landing").symlink_to(landing, target_is_directory=True)
        return home

    def _generate(self, claims: int, out: Path) -> None:
        size = ["--claims", str(claims), "--seed", str(self.order.seed), "--defects", str(DEFECTS)]
        made = measured([*_MEDFLOW, "generate", *size, "--out", str(out), "--json"])
        if made.code:
            raise MedflowError(f"the input cannot be generated: {_last_line(made)}")


@dataclass(frozen=True)
class _Run:
    """One measured run: its command, and where its outputs are."""

    site: Site
    way: str
    kind: str

    @property
    def title(self) -> str:
        return _title(self.way, self.kind)

    def measure(self) -> tuple[Timing, Outputs | None]:
        """Run it; a failure is a timing without seconds and without outputs."""
        command, outputs = {"a": self._plain_duckdb, "b": self._product, "c": self._product, "d": self._plain_spark}[self.way]()
        made = measured(command)
        if made.code:
            return Timing(self.way, self.kind, failure=f"exit code {made.code}: {_last_line(made)}"), None
        written = outputs()
        timing = Timing(
            self.way,
            self.kind,
            pipeline_seconds=_answer(made)["pipeline_seconds"],
            process_seconds=None if self.kind == "warm" else made.seconds,
            cpu_seconds=None if self.kind == "warm" else made.cpu_seconds,
            peak_bytes=made.peak_bytes,
            written_bytes=written.bytes,
        )
        return timing, written

    @property
    def _name(self) -> str:
        return f"{self.way}-{self.kind}" if self.kind else self.way

    def _plain_duckdb(self) -> tuple[list[str], Callable[[], Outputs]]:
        return self._plain("plain_duckdb", [])

    def _plain_spark(self) -> tuple[list[str], Callable[[], Outputs]]:
        warm = ["--warm-up", str(self.site.warm_landing)] if self.kind == "warm" else []
        return self._plain("plain_spark", ["--memory", java_size(self.site.order.memory), *warm])

    def _plain(self, module: str, more: list[str]) -> tuple[list[str], Callable[[], Outputs]]:
        order, out = self.site.order, self.site.order.folder / self._name
        shared = ["--date", RUN_DATE, "--knowledge-base", str(order.knowledge_base), "--key-file", str(self.site.key_file)]
        program = [sys.executable, "-m", f"medflow.bench.{module}", str(self.site.landing), str(out)]
        return [*program, *shared, "--cores", str(order.cores), *more], partial(Outputs.of_folder, out)

    def _product(self) -> tuple[list[str], Callable[[], Outputs]]:
        declared = ["--knowledge-base", str(self.site.order.knowledge_base)]
        home = self.site.lake(self._name, self.site.landing)
        if self.kind == "warm":
            first = self.site.lake("c-warm-up", self.site.warm_landing)
            program = [sys.executable, "-m", "medflow.bench.warm_spark", str(first), str(home), "--date", RUN_DATE]
            return [*program, *declared], partial(Outputs.of_lake, home)
        engine = "spark" if self.way == "c" else "duckdb"
        run = ["run", "--engine", engine, "--date", RUN_DATE, "--json"]
        return [*_MEDFLOW, "--home", str(home), *declared, *run], partial(Outputs.of_lake, home)


def _title(way: str, kind: str) -> str:
    return f"({way}) {WAYS[way]}{f', {kind}' if kind else ''}"


def java_size(size: str) -> str:
    """`3GB` as Java writes it."""
    found = re.fullmatch(r"(\d+)\s*([KMGT])i?B?", size.strip(), re.IGNORECASE)
    if not found:
        raise MedflowError(f"MEDFLOW_MEMORY is {size}; the benchmark takes a whole number of MB or GB, such as 3GB")
    return f"{found[1]}{found[2].lower()}"


def _answer(made: Measured) -> dict[str, Any]:
    """The JSON that a program ended with."""
    answer: dict[str, Any] = json.loads(made.output[made.output.index("{") :])
    return answer


def _last_line(made: Measured) -> str:
    lines = [line.strip() for line in made.said.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
