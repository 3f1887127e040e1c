"""What one run of the pipeline carries from step to step. Values and small notes only; the steps do the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.ledger import Ledger
from medflow.lakehouse.ledger_entries import BatchKind
from medflow.lakehouse.lock import WriterLock
from medflow.settings import Settings
from medflow.specs.knowledge_base import KnowledgeBase
from medflow.specs.table import TableSpec
from spark_jobs.engines.base import BuildEngine
from spark_jobs.engines.duckdb import DuckDBEngine
from spark_jobs.writer import BranchWriter

RAW, HISTORY, CLEAN = "healthcare.claims_raw", "healthcare.claims_history", "healthcare.claims_clean"
QUARANTINE, QUALITY, PROVIDERS = "healthcare.claims_quarantined", "healthcare.data_quality_log", "healthcare.providers"


@dataclass(frozen=True)
class BatchFile:
    """One accepted file: whose it is, its SHA-256, where it lies, the day it was first seen, and what was counted in it."""

    payer: str
    sha256: str
    name: str
    path: str
    ingest_date: date
    records: int = 0
    lines: int = 0
    billed_cents: int = 0


@dataclass(frozen=True)
class Batch:
    """What is built together and published as one release; `rejected` are files (payer, SHA-256) whose rows the engine also holds."""

    id: str
    kind: BatchKind
    files: tuple[BatchFile, ...] = ()
    rebuild: tuple[str, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()

    @property
    def brings_files(self) -> bool:
        """Whether its files are read from the landing folder: a load's for the first time, a recovery's once more."""
        return self.kind in ("load", "recovery")


@dataclass(frozen=True)
class QualityRow:
    """One row of data_quality_log, without the batch and the time."""

    payer_id: str
    layer: Literal["bronze", "silver", "gate", "gold"]
    rule_id: str
    severity: Literal["warn", "error"]
    rows_checked: int
    rows_failed: int
    threshold: float | None
    outcome: Literal["pass", "warn", "refuse"]

    @property
    def failure_rate(self) -> float:
        return self.rows_failed / self.rows_checked if self.rows_checked else 0.0


@dataclass
class Touched:
    """Which months and years of which date the batch's claims had before and have now. None = all of them."""

    service_months: set[date] | None = field(default_factory=set)
    received_months: set[date] | None = field(default_factory=set)

    def all(self) -> None:
        self.service_months = self.received_months = None

    @property
    def service_years(self) -> set[int] | None:
        return None if self.service_months is None else {month.year for month in self.service_months}


@dataclass
class PayerFigures:
    """What the rules found in one payer's lines of this batch; `first_bad_file` is the first name of a file with an error."""

    lines: int
    own_errors: int
    siblings: int
    median_billed: float | None
    rules: dict[str, int]
    first_bad_file: str | None = None


@dataclass
class Run:
    """One run: its parts, given, and what the steps have found so far.

    `holds_lines`: inspection has left the batch's lines in the engine. `built_with` names the engine that built the layers; of
    several, one that is not the verifier. `waived` are row ids that this batch closes, `expires` releases that end with its own.
    """

    settings: Settings
    knowledge_base: KnowledgeBase
    ledger: Ledger
    lock: WriterLock
    engine: BuildEngine
    verifier: DuckDBEngine
    lake: Lake
    writer: BranchWriter
    batch: Batch
    run_date: date
    started_at: datetime
    report: Callable[[str], None]
    built_with: str = "duckdb"
    holds_lines: bool = False
    due_gold: tuple[str, ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    release: int | None = None
    nothing_to_publish: bool = False
    bronze_files: list[Future[list[str]]] = field(default_factory=list)
    touched: Touched = field(default_factory=Touched)
    figures: dict[str, PayerFigures] = field(default_factory=dict)
    quality: list[QualityRow] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    waived: tuple[str, ...] = ()
    expires: tuple[int, ...] = ()

    def rebuilds(self, table: str) -> bool:
        """Whether this batch computes the whole table anew."""
        return self.batch.kind == "rebuild" and table in self.batch.rebuild

    @property
    def judges(self) -> bool:
        """Whether lines are judged by the rules in this batch."""
        return self.batch.kind in ("load", "recovery", "replay", "waive") or self.rebuilds(HISTORY)

    def spec(self, table: str) -> TableSpec:
        """The declared table of this name."""
        return self.knowledge_base.spec(table)

    def write(self, table: str, sql: str) -> list[str]:
        """Write a result as data files of the table, in its declared columns and types; not yet visible anywhere."""
        return self.engine.write(sql, self.writer.target(self.spec(table)))

    def load(self, relation: str, table: str, ref: Literal["branch", "main"], wanted: set[tuple[object, ...]] | None = None) -> int:
        """Give the engine a table's files, of all partitions or those wanted; returns how many rows they hold."""
        files = self.writer.files(table, ref, wanted)
        self.engine.files(relation, [file.path for file in files], self.spec(table))
        return sum(file.records for file in files)
