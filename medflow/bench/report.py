"""A result as the table that is printed, as Markdown, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from medflow.bench.answers import Answers
from medflow.bench.plan import DEFECTS, Result, Timing

COLUMNS = ("way", "seconds", "times (a)", "whole process, s", "CPU, s", "peak memory, MB", "Parquet, MB")
ASKED = ("asked", "p50, ms", "p95, ms", "whole process, s", "peak memory, MB")
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


def asked_title(answers: Answers) -> str:
    """What was asked."""
    asked = f"{answers.claims:,} claims, {answers.questions} questions, {answers.answered} answered"
    return f"{asked}; nothing kept from an earlier asking, but for the line that says so"


def asked_table(answers: Answers) -> list[tuple[str, ...]]:
    """One row a way to ask, in the order of ASKED."""
    return [
        ("service, one after the other", _number(answers.p50_ms), _number(answers.p95_ms), "-", _megabytes(answers.service_peak_bytes)),
        ("service, four at once", _number(answers.side_p50_ms), _number(answers.side_p95_ms), "-", "-"),
        (f"service, asked again ({answers.kept} from the cache)", _number(answers.kept_p50_ms), _number(answers.kept_p95_ms), "-", "-"),
        ("`medflow ask`, first of a release", "-", "-", f"{answers.first_seconds:.2f}", _megabytes(answers.first_peak_bytes)),
        ("`medflow ask`, later", "-", "-", f"{answers.cold_seconds:.2f}", _megabytes(answers.cold_peak_bytes)),
    ]


def asked_notes(answers: Answers) -> list[str]:
    """The slowest questions."""
    return [f"slow: {one.milliseconds:.0f} ms, {one.status}: {one.question}" for one in answers.slowest]


def markdown(results: Sequence[Result], answers: Sequence[Answers], machine: Machine, seed: int) -> str:
    """A page's section: machine, then a table a size, then the assistant's."""
    parts = [machine.told(seed)]
    for result in results:
        parts.append(f"**{title(result)}**\n\n{_lined(COLUMNS, table(result))}")
        parts += notes(result)
        parts.append("Rows: " + ", ".join(f"{name} {count:,}" for name, count in result.rows.items()))
    parts += [f"**{asked_title(one)}**\n\n{_lined(ASKED, asked_table(one))}" for one in answers]
    return "\n\n".join(parts) + "\n"


def as_json(results: Sequence[Result], answers: Sequence[Answers], machine: Machine, seed: int) -> dict[str, Any]:
    """Everything, for programs."""
    measured = {"results": [asdict(result) for result in results], "answers": [asdict(one) for one in answers]}
    return {"machine": asdict(machine), "seed": seed, "defects": DEFECTS, **measured}


def _lined(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [columns, ("---", *["---:"] * (len(columns) - 1)), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _row(timing: Timing, yardstick: float | None) -> tuple[str, ...]:
    seconds = timing.pipeline_seconds
    ratio = f"{seconds / yardstick:.1f}" if seconds and yardstick else "-"
    spent = [_number(value) for value in (timing.process_seconds, timing.cpu_seconds)]
    sizes = [_megabytes(value) for value in (timing.peak_bytes, timing.written_bytes)]
    return (timing.title, _number(seconds), ratio, *spent, *sizes)


def _megabytes(value: int | None) -> str:
    return f"{value / _MB:,.0f}" if value else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"
