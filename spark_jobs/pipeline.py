"""`medflow run` and its kin: what is to do is read from landing folder and ledger, done by the plan, and told as an outcome.

An unchanged run reads the ledger and hashes files, no more: engines and table libraries are imported when there is work.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from medflow.errors import GateRefused, LandingError
from medflow.lakehouse.batch_ids import batch_id
from medflow.lakehouse.database import connect
from medflow.lakehouse.ledger import Ledger, new_batch
from medflow.lakehouse.ledger_entries import FileEntry, SeenFile
from medflow.lakehouse.lock import WriterLock
from medflow.lakehouse.releases import Release
from medflow.lakehouse.storage import Storage
from medflow.lakehouse.wholeness import read_whole_release
from medflow.settings import Settings
from medflow.specs.knowledge_base import KnowledgeBase, load_knowledge_base
from spark_jobs.due import Due, rebuilds_due
from spark_jobs.landing import Landing, landing_files
from spark_jobs.outcome import FileOutcome, RunOutcome

if TYPE_CHECKING:
    from medflow.lakehouse.catalog import Lake
    from spark_jobs.engines.base import BuildEngine
    from spark_jobs.engines.duckdb import DuckDBEngine
    from spark_jobs.inspect import Accepted, Rejected
    from spark_jobs.run import Batch, Run


@dataclass(frozen=True)
class Order:
    """Who asks for a run: when, how long it may wait for the lock, and who hears of progress."""

    run_date: date
    clock: Callable[[], datetime]
    wait_seconds: float = 0
    report: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Site:
    """An opened lake: settings, declarations, catalog database and ledger."""

    settings: Settings
    knowledge_base: KnowledgeBase
    database: Engine
    ledger: Ledger

    @classmethod
    def open(cls, settings: Settings) -> Site:
        """Raises DeclarationError or CatalogError: it cannot be used."""
        settings.require_pseudonym_key()
        knowledge_base = load_knowledge_base(settings.knowledge_base)
        database = connect(settings.catalog)
        return cls(settings, knowledge_base, database, Ledger(database))

    def lock(self, order: Order) -> WriterLock:
        return WriterLock(self.database, self.settings.home / "write.lock", order.clock)

    @property
    def storage(self) -> Storage:
        """Who answers for addresses on S3."""
        return Storage.of(self.settings)

    @property
    def landing(self) -> Landing:
        """The landing folder."""
        return Landing.of(self.settings)

    def lake(self) -> Lake:
        """The tables, read anew."""
        from medflow.lakehouse.catalog import Lake

        return Lake(self.database, self.settings.warehouse, self.storage)

    def release(self) -> Release:
        """The current release. Raises CatalogError: there is none yet, or files of it are gone."""
        return read_whole_release(self.database, storage=self.storage)

    def due(self) -> Due:
        """The rebuilds that are due. Raises CatalogError: files of the current release are gone."""
        return rebuilds_due(self.release() if self.ledger.current_release() else None, self.knowledge_base)

    @property
    def layout_hashes(self) -> dict[str, str]:
        return {payer: self.knowledge_base.layout_hash(payer) for payer in self.knowledge_base.layouts}


@dataclass(frozen=True)
class Engines:
    """Who builds, and who verifies: DuckDB always, so that a Spark run is told by a second engine."""

    build: BuildEngine
    verifier: DuckDBEngine


def run_pipeline(site: Site, order: Order, build: Callable[[Run], None] | None = None) -> RunOutcome:
    """Load the candidate files as one batch and publish it. `build` does the steps, or some of them, instead of `carry_out`.

    Raises:
        GateRefused: nothing was published.
        LandingError, CatalogError, LockedError, VerificationError: nothing was published; says what to do.
    """
    begun = time.monotonic()
    landing = site.landing
    with site.lock(order) as lock:
        lock.acquire("run", order.wait_seconds, lambda error: order.report(f"waiting: {error}"))
        due = site.due()
        order.report("landing")
        seen = landing_files(landing, site.knowledge_base.layouts)
        site.ledger.see(seen, order.run_date)
        candidates, gone = _candidates(site, seen)
        due = replace(due, gone=gone)
        if not candidates:
            return RunOutcome(None, None, notices=due.notices, pipeline_seconds=_since(begun))
        _repeat_refusal(site, candidates)
        begun += import_engine()
        return _load(site, order, lock, candidates, due, begun, build=build or carry_out)


def _candidates(site: Site, seen: list[SeenFile]) -> tuple[list[FileEntry], tuple[str, ...]]:
    """What to load, each under its name of today, and a sentence on each candidate that the landing folder no longer holds."""
    names = {(file.payer, file.sha256): file.name for file in seen}
    entries = site.ledger.candidates(site.layout_hashes)
    gone = tuple(
        f"{entry.name} ({entry.sha256[:12]}) is {entry.state} and no longer in the landing folder; put it back, or "
        f"`medflow files exclude {entry.sha256[:12]}`"
        for entry in entries
        if entry.key not in names
    )
    return [replace(entry, name=names[entry.key]) for entry in entries if entry.key in names], gone


def _repeat_refusal(site: Site, candidates: list[FileEntry]) -> None:
    """A refused batch of the same files under the same declarations has its answer."""
    known = site.ledger.batch(batch_id(entry.key for entry in candidates))
    asked_again = any(entry.retry for entry in candidates)
    if known and known.state == "refused" and known.declarations == site.knowledge_base.hash and not asked_again:
        raise GateRefused(known.message or f"the quality gate refused batch {known.batch_id}")


def _load(
    site: Site,
    order: Order,
    lock: WriterLock,
    candidates: list[FileEntry],
    due: Due,
    begun: float,
    *,
    build: Callable[[Run], None],
) -> RunOutcome:
    from spark_jobs.inspect import inspect_files
    from spark_jobs.run import Batch

    with build_engine(site.settings) as engines:
        order.report("inspect")
        found, rejected = inspect_files(engines.build, site.knowledge_base, candidates, site.landing)
        accepted, misplaced = _of_one_payer(site, found, candidates)
        rejected += misplaced
        _record_rejections(site, rejected)
        outcomes = tuple(_rejected_outcome(one) for one in rejected)
        if not accepted:
            return RunOutcome(None, None, files=outcomes, notices=due.notices, pipeline_seconds=_since(begun))
        files = tuple(one.file for one in accepted)
        identity = batch_id((file.payer, file.sha256) for file in files)
        batch = Batch(identity, "load", files, rejected=tuple(one.entry.key for one in rejected))
        _record_accepted(site, candidates, accepted, batch)
        run = start_run(site, order, lock, engines, batch, due)
        build(run)
    state = "discovered" if run.release is None else "published"
    outcomes += tuple(_outcome(one, state) for one in accepted)
    return finished(run, outcomes, due, begun)


def _of_one_payer(site: Site, found: list[Accepted], candidates: list[FileEntry]) -> tuple[list[Accepted], list[Rejected]]:
    """A file is one payer's: the same bytes under a second payer are rejected, since row ids are made of the file's hash."""
    from spark_jobs.inspect import Rejected

    owners = {entry.sha256: entry.payer for entry in site.ledger.files(state="published")}
    entries = {entry.key: entry for entry in candidates}
    accepted, misplaced = [], []
    for one in found:
        owner = owners.setdefault(one.file.sha256, one.file.payer)
        if owner == one.file.payer:
            accepted.append(one)
        else:
            told = f"the same file was taken as {owner}'s; it lies in the wrong folder, or that one does"
            misplaced.append(Rejected(entries[one.file.payer, one.file.sha256], "other_payer", told))
    return accepted, misplaced


def start_run(site: Site, order: Order, lock: WriterLock, engines: Engines, batch: Batch, due: Due) -> Run:
    """A run of a batch that is entered in the ledger."""
    site.ledger.start_batch(new_batch(batch.id, batch.kind, order.run_date, site.knowledge_base.hash))
    return assembled(site, order, lock, engines, batch, due)


def assembled(site: Site, order: Order, lock: WriterLock, engines: Engines, batch: Batch, due: Due) -> Run:
    """The run's parts put together."""
    from spark_jobs.run import Run
    from spark_jobs.writer import BranchWriter

    lake = site.lake()
    return Run(
        settings=site.settings,
        knowledge_base=site.knowledge_base,
        ledger=site.ledger,
        lock=lock,
        engine=engines.build,
        verifier=engines.verifier,
        lake=lake,
        writer=BranchWriter(lake, batch.id, lock.check),
        batch=batch,
        run_date=order.run_date,
        started_at=order.clock(),
        report=order.report,
        built_with=engines.build.name,
        holds_lines=batch.brings_files,
        due_gold=due.gold if batch.brings_files else (),
        fingerprints=due.fingerprints_after(site.knowledge_base, batch),
    )


def carry_out(run: Run, steps: Collection[str] | None = None) -> None:
    """Walk the plan, or the steps named; a refusal is kept, with the branch that shows why."""
    from spark_jobs.gate import gate_result, payer_statistics
    from spark_jobs.plan import walk
    from spark_jobs.quality_log import write_quality_log

    try:
        walk(run, steps)
        if run.nothing_to_publish:
            run.ledger.end_batch(run.batch.id, "failed", {}, "no selected line passes the rules as they are declared")
    except GateRefused as refusal:
        write_quality_log(run)
        result = {"gate": gate_result(run), "rows": run.rows, "statistics": payer_statistics(run)}
        keys = {(file.payer, file.sha256) for file in run.batch.files}
        refused = [replace(entry, state="refused", reason_code="gate", retry=False) for entry in run.ledger.files() if entry.key in keys]
        run.ledger.record(refused)
        # last, for a batch that is refused gives its answer without being built again
        run.ledger.end_batch(run.batch.id, "refused", result, str(refusal))
        raise


def finished(run: Run, files: tuple[FileOutcome, ...], due: Due, begun: float) -> RunOutcome:
    """The outcome of a run that went to its end."""
    from spark_jobs.gate import gate_result

    return RunOutcome(run.batch.id, run.release, files, run.rows, gate_result(run), due.notices_after(run.batch), _since(begun))


@contextmanager
def build_engine(settings: Settings) -> Iterator[Engines]:
    """The engines of a run, in the one work folder of the lake: only for the holder of the lock."""
    folder = settings.home / "work"
    shutil.rmtree(folder, ignore_errors=True)  # what a killed run left behind
    with private_engines(settings, folder) as engines:
        yield engines


@contextmanager
def private_engines(settings: Settings, folder: Path | None = None) -> Iterator[Engines]:
    """The build engine of the settings and its verifier, with a work folder of their own, which goes with them."""
    is_spark = settings.builds_with_spark
    with private_engine(settings, folder) as duckdb:
        if not is_spark:
            yield Engines(duckdb, duckdb)
            return
        from spark_jobs.engines.spark import SparkEngine
        from spark_jobs.engines.spark_errors import while_it_lives

        spark = SparkEngine.open(settings, duckdb.workspace / "spark")
        try:
            with while_it_lives():
                yield Engines(spark, duckdb)
        finally:
            spark.close()


@contextmanager
def private_engine(settings: Settings, folder: Path | None = None) -> Iterator[DuckDBEngine]:
    """DuckDB with a work folder of its own, which goes with it."""
    from spark_jobs.engines.duckdb import DuckDBEngine

    workspace = folder or settings.home / f"look-{os.getpid()}"
    try:
        workspace.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LandingError(f"cannot work in {workspace}: {error.strerror}; check the disk and the permissions of MEDFLOW_HOME") from error
    engine = DuckDBEngine(workspace, memory=settings.memory, threads=settings.threads, storage=Storage.of(settings))
    try:
        yield engine
    finally:
        engine.close()
        shutil.rmtree(workspace, ignore_errors=True)


def _record_rejections(site: Site, rejected: list[Rejected]) -> None:
    hashes = site.layout_hashes
    site.ledger.record(
        [
            replace(
                one.entry,
                state="rejected",
                reason_code=one.code,
                reason=one.reason,
                declarations=hashes[one.entry.payer],
                retry=False,
            )
            for one in rejected
        ]
    )


def _record_accepted(site: Site, candidates: list[FileEntry], accepted: list[Accepted], batch: Batch) -> None:
    entries = {entry.key: entry for entry in candidates}
    site.ledger.record(
        [
            replace(
                entries[one.file.payer, one.file.sha256],
                state="discovered",
                reason_code=None,
                reason=None,
                batch_id=batch.id,
                records=one.file.records,
                lines=one.file.lines,
                billed_cents=one.file.billed_cents,
                warnings=one.warnings,
                declarations=site.layout_hashes[one.file.payer],
            )
            for one in accepted
        ]
    )


def _rejected_outcome(one: Rejected) -> FileOutcome:
    return FileOutcome(one.entry.payer, one.entry.name, one.entry.sha256, "rejected", reason_code=one.code, reason=one.reason)


def _outcome(one: Accepted, state: str) -> FileOutcome:
    file = one.file
    return FileOutcome(file.payer, file.name, file.sha256, state, file.records, file.lines, warnings=one.warnings)


def import_engine() -> float:
    """Import what a run with work needs; the seconds that it took are the process's, not the pipeline's."""
    begun = time.monotonic()
    import spark_jobs.inspect
    import spark_jobs.plan  # noqa: F401 - imported for later

    return time.monotonic() - begun


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)
