"""A result as the table that is printed, as Markdown, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from medflow.bench.plan import DEFECTS, Result, Timing

COLUMNS = ("way", "seconds", "times (a)", "whole process, s", "CPU, s", "peak memory, MB", "Parquet, MB")
_MB = 1 << 20


@dataclass(frozen=True)
class Machine:
    """Where and when: cores and memory in use, the load before the first run, versions by name."""

    day: str
    cores: int
    memory_bytes: int
    load: float
    versions: dict[str, str]

    def told(self, seed: int) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        memory = f"{self.memory_bytes / (1 << 30):.0f} GiB"
        return f"{self.day}, {self.cores} cores, {memory}, load {self.load:.1f} before the first run; seed {seed}; {versions}"


def title(result: Result) -> str:
    """What was measured."""
    return f"{result.claims:,} claims, {result.lines:,} lines, {result.input_bytes / _MB:,.0f} MB of files, {DEFECTS:.0%} defects"


def table(result: Result) -> list[tuple[str, ...]]:
    """One row a run, in the order of COLUMNS."""
    return [_row(timing, result.seconds("a")) for timing in result.timings]


def notes(result: Result) -> list[str]:
    """The ratio that stands for the price of the product on Spark, how memory is measured, and what went wrong."""
    product, plain = result.seconds("c", "warm"), result.seconds("d", "warm")
    lines = [f"(c) warm takes {product / plain:.2f} times (d) warm"] if product and plain else []
    lines += [f"{timing.title} FAILED: {timing.failure}" for timing in result.timings if timing.failure]
    lines += [f"DIFFERENT: {difference}" for difference in result.differences]
    if not result.failed and len(result.timings) > 1:
        lines.append("all outputs are equal" + ("" if result.claims <= 100_000 else " in rows and sums"))
    return lines


def markdown(results: Sequence[Result], machine: Machine, seed: int) -> str:
    """A page's section: machine, then a table a size."""
    parts = [machine.told(seed)]
    for result in results:
        rows = [COLUMNS, ("---", *["---:"] * (len(COLUMNS) - 1)), *table(result)]
        parts.append(f"**{title(result)}**\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows))
        parts += notes(result)
        parts.append("Rows: " + ", ".join(f"{name} {count:,}" for name, count in result.rows.items()))
    return "\n\n".join(parts) + "\n"


def as_json(results: Sequence[Result], machine: Machine, seed: int) -> dict[str, Any]:
    """Everything, for programs."""
    return {"machine": asdict(machine), "seed": seed, "defects": DEFECTS, "results": [asdict(result) for result in results]}


def _row(timing: Timing, yardstick: float | None) -> tuple[str, ...]:
    seconds = timing.pipeline_seconds
    ratio = f"{seconds / yardstick:.1f}" if seconds and yardstick else "-"
    spent = [_number(value) for value in (timing.process_seconds, timing.cpu_seconds)]
    sizes = [f"{value / _MB:,.0f}" if value else "-" for value in (timing.peak_bytes, timing.written_bytes)]
    return (timing.title, _number(seconds), ratio, *spent, *sizes)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"
