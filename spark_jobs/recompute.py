"""Recomputation: the plan's own build steps once more, by another engine, over the same inputs. What it would write is
compared with what stands in the files, row by row as multisets; nothing is written.

Compared are all columns but batch_id, resolved_by_batch and *_at (PIPELINE 3, identity).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

from medflow.lakehouse.releases import DataFileInfo
from medflow.specs.table import Column, TableSpec
from spark_jobs.bronze import build_bronze, land_bronze
from spark_jobs.engines.base import BuildEngine, Digest
from spark_jobs.gold import build_gold
from spark_jobs.inspect import inspect_files
from spark_jobs.landing import Landing
from spark_jobs.providers import build_providers
from spark_jobs.run import Run, Touched
from spark_jobs.silver import build_silver
from spark_jobs.verify import Finding

_BUILDS: tuple[Callable[[Run], None], ...] = (build_bronze, build_silver, land_bronze, build_providers, build_gold)
_NOT_COMPARED = frozenset({"batch_id", "resolved_by_batch"})


class FileLists(Protocol):
    """Who knows the data files of tables: a run's branch writer, or a release."""

    def files(self, table: str, ref: Any, partitions: Collection[tuple[Any, ...]] | None = None) -> list[DataFileInfo]:
        """The data files at a ref, of all partitions or of these."""


class Comparison:
    """Stands where a run has its branch writer: takes digests for files, and compares them with the files that there are."""

    def __init__(self, engine: BuildEngine, built: FileLists, spec: Callable[[str], TableSpec]) -> None:
        self._engine, self._built, self._spec = engine, built, spec
        self._appended: dict[str, list[Digest]] = defaultdict(list)
        self.findings: list[Finding] = []

    def files(self, table: str, ref: Any, partitions: Collection[tuple[Any, ...]] | None = None) -> list[DataFileInfo]:
        """As the run's own writer."""
        return self._built.files(table, ref, partitions)

    def append(self, table: str, digests: Sequence[Digest]) -> None:
        """Kept until the end: several appends make up what a batch added."""
        self._appended[table] += digests

    def replace(self, table: str, digests: Sequence[Digest], partitions: Collection[tuple[Any, ...]] | None) -> None:
        """What was recomputed against what stands in these partitions."""
        self._compare(table, digests, self._built.files(table, "branch", partitions))

    def compare_appended(self) -> None:
        """What was recomputed against the files that the batch added."""
        for table, digests in self._appended.items():
            before = {file.path for file in self._built.files(table, "main")}
            self._compare(table, digests, [file for file in self._built.files(table, "branch") if file.path not in before])

    def _compare(self, table: str, digests: Sequence[Digest], files: Sequence[DataFileInfo]) -> None:
        spec = self._spec(table)
        self._engine.files("as_built", [file.path for file in files], spec)
        built, again = self._engine.digest("SELECT * FROM as_built", compared(spec)), sum(digests, Digest(0, 0))
        layer = "gold" if spec.namespace.endswith("gold") else "bronze" if spec.short_name.endswith("raw") else "silver"
        failed = 0 if built == again else max(1, abs(built.rows - again.rows))
        self.findings.append(Finding(layer, f"{spec.short_name}_recomputed", built.rows, failed))


@dataclass
class Recomputation(Run):
    """A run that writes nothing: the engine digests each result as it would be written."""

    comparison: Comparison | None = None

    def compared(self) -> list[Finding]:
        """Walk the build steps; what was found of each table."""
        assert self.comparison is not None
        for build in _BUILDS:
            build(self)
        self.comparison.compare_appended()
        return self.comparison.findings

    def write(self, table: str, sql: str) -> list[Any]:
        spec = self.spec(table)
        typed = ", ".join(f"CAST({column.name} AS {column.type}) AS {column.name}" for column in spec.columns)
        return [self.engine.digest(f"SELECT {typed} FROM ({sql}) AS recomputed", compared(spec))]


def compared(spec: TableSpec) -> list[Column]:
    """The columns that make a row equal to another across runs and engines."""
    return [column for column in spec.columns if column.name not in _NOT_COMPARED and not column.name.endswith("_at")]


def recompute(run: Run, engine: BuildEngine) -> list[Finding]:
    """Every table that the run built, told again by `engine`; a finding fails where the rows differ."""
    again = shadow(run, engine, run.writer)
    if run.batch.brings_files:
        _inspect_again(again)
    return again.compared()


def shadow(run: Run, engine: BuildEngine, built: FileLists) -> Recomputation:
    """The run as `engine` would do it, with nothing written: its results are compared with the files that `built` lists."""
    given: dict[str, Any] = {field.name: getattr(run, field.name) for field in fields(Run)}
    fresh: dict[str, Any] = {"touched": Touched(), "figures": {}, "quality": [], "rows": {}, "bronze_files": [], "report": lambda _: None}
    comparison = Comparison(engine, built, run.spec)
    return Recomputation(**{**given, **fresh, "engine": engine, "writer": comparison, "comparison": comparison})


def _inspect_again(run: Recomputation) -> None:
    """Frame and parse the batch's files by the run's engine."""
    keys = {(file.payer, file.sha256): file for file in run.batch.files}
    entries = [replace(entry, name=keys[entry.key].name) for entry in run.ledger.files() if entry.key in keys]
    inspect_files(run.engine, run.knowledge_base, entries, Landing.of(run.settings))
    run.batch, run.holds_lines = replace(run.batch, rejected=()), True
