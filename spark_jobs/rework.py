"""Batches that bring no new file: a replay or waiver of quarantined lines, a rebuild of a table. Same plan, same publish."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pyarrow as pa

from medflow.errors import UsageError
from medflow.lakehouse.batch_ids import FileKey, derived_batch_id
from medflow.lakehouse.ledger_entries import BatchKind, ReleaseEntry
from medflow.specs.knowledge_base import REFERENCE
from medflow.sql.text import literal
from spark_jobs.engines.base import BuildEngine
from spark_jobs.outcome import RunOutcome
from spark_jobs.pipeline import Order, Site, build_engine, carry_out, finished, start_run
from spark_jobs.queue_view import check_row_prefix
from spark_jobs.run import CLEAN, HISTORY, PROVIDERS, QUARANTINE, Batch, BatchFile


@dataclass(frozen=True)
class Selection:
    """Which open lines of the queue: all that match every given part."""

    payer: str | None = None
    batch_id: str | None = None
    rule: str | None = None
    rows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises UsageError: a row id is too short or no row id."""
        for row in self.rows:
            check_row_prefix(row)

    def sql(self, kind: BatchKind) -> str:
        """A condition over claims_quarantined; provider rows can be waived, not replayed."""
        parts = ["status = 'open'", *([f"payer_id <> '{REFERENCE}'"] if kind == "replay" else [])]
        parts += [f"{column} = {literal(value)}" for column, value in (("payer_id", self.payer), ("batch_id", self.batch_id)) if value]
        if self.rule:
            parts.append(f"SIZE(FILTER(errors, e -> e.rule_id = {literal(self.rule)})) > 0")
        if self.rows:
            parts.append("(" + " OR ".join(f"row_id LIKE {literal(row.lower() + '%')}" for row in self.rows) + ")")
        return " AND ".join(parts)


def replay(site: Site, order: Order, selection: Selection) -> RunOutcome:
    """Judge the selected lines and their siblings again, under today's declarations; what passes is loaded.

    Raises:
        UsageError: no open line is selected.
    """
    return _resolve(site, order, selection, "replay")


def waive(site: Site, order: Order, selection: Selection) -> RunOutcome:
    """Close the selected lines without loading them. Raises UsageError: no open line is selected."""
    return _resolve(site, order, selection, "waive")


def rebuild(site: Site, order: Order, table: str) -> RunOutcome:
    """Compute a table, and what depends on it, anew from what it is built from.

    Raises:
        UsageError: no such table, or it is not built from others.
    """
    begun = time.monotonic()  # this module has imported the engine
    gold = tuple(site.knowledge_base.gold)
    alone = {name: (name,) for name in (PROVIDERS, *gold)}
    depends = {HISTORY: (HISTORY, CLEAN, *gold), CLEAN: (CLEAN, *gold), **alone}
    wanted = next((name for name in depends if table in (name, name.split(".")[1])), None)
    if wanted is None:
        raise UsageError(f"cannot rebuild {table}; allowed: {', '.join(depends)}")
    with site.lock(order) as lock:
        lock.acquire("rebuild", order.wait_seconds)
        release = _current(site)
        files = batch_files(site, set(site.ledger.contents(release.release)))
        batch_id = derived_batch_id(
            "rebuild", [(file.payer, file.sha256) for file in files], depends[wanted], (site.knowledge_base.hash, release.release)
        )
        with build_engine(site.settings) as engines:
            due = site.due()
            run = start_run(site, order, lock, engines, Batch(batch_id, "rebuild", files, depends[wanted]), due)
            carry_out(run)
    return finished(run, (), due, begun)


def _resolve(site: Site, order: Order, selection: Selection, kind: BatchKind) -> RunOutcome:
    begun = time.monotonic()
    with site.lock(order) as lock:
        lock.acquire(kind, order.wait_seconds)
        release = _current(site)
        with build_engine(site.settings) as engines:
            rows = _select(site, engines.build, selection, kind)
            context = (site.knowledge_base.hash, release.release)
            batch_id = derived_batch_id(kind, [], [row["row_id"] for row in rows], context)
            keys = {(row["payer_id"], row["file_id"]) for row in rows}
            due = site.due()
            run = start_run(site, order, lock, engines, Batch(batch_id, kind, batch_files(site, keys)), due)
            for engine in (engines.build, engines.verifier):
                engine.rows("wanted", pa.table({"row_id": [row["row_id"] for row in rows]}))
            carry_out(run)
    return finished(run, (), due, begun)


def _select(site: Site, engine: BuildEngine, selection: Selection, kind: BatchKind) -> list[dict[str, str]]:
    """Loads the published queue as `queue` and tells the selected lines of it."""
    table = site.release().tables[QUARANTINE]
    engine.files("queue", table.files, site.knowledge_base.tables[QUARANTINE])
    rows = engine.fetch(f"SELECT row_id, payer_id, file_id FROM queue WHERE {selection.sql(kind)} ORDER BY row_id")
    for prefix in selection.rows:
        count = sum(row["row_id"].startswith(prefix.lower()) for row in rows)
        if count != 1:
            raise UsageError(f"{count} open lines begin with {prefix}; `medflow quarantine list --status open` shows them")
    if not rows:
        raise UsageError("no open line of the queue is selected; `medflow quarantine list --status open` shows them")
    return rows


def batch_files(site: Site, keys: set[FileKey]) -> tuple[BatchFile, ...]:
    """The files of a batch, as the ledger knows them."""
    entries = [entry for entry in site.ledger.files() if entry.key in keys]
    landing = site.landing
    return tuple(
        BatchFile(e.payer, e.sha256, e.name, landing.at(e.name), e.ingest_date, e.records or 0, e.lines or 0, e.billed_cents or 0)
        for e in entries
    )


def _current(site: Site) -> ReleaseEntry:
    release = site.ledger.current_release()
    if release is None:
        raise UsageError("there is no release yet: `medflow run` makes one from the files in the landing folder")
    return release
