"""The quarantine queue as a person reads it: of the current release, or of a refused batch from its branch. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from medflow.errors import CatalogError, UsageError
from medflow.sql.text import native_literal
from spark_jobs.engines.duckdb import DuckDBEngine
from spark_jobs.pipeline import Site, private_engine
from spark_jobs.run import QUARANTINE
from spark_jobs.writer import BranchWriter

_MIN_PREFIX = 6


@dataclass(frozen=True)
class QueueView:
    """Where the queue was read, counts by payer, rule and status, and the first lines."""

    source: str
    total: int
    counts: list[tuple[Any, ...]]
    rows: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        names = ("payer", "rule", "status", "lines")
        return {
            "source": self.source,
            "total": self.total,
            "counts": [dict(zip(names, row, strict=True)) for row in self.counts],
            "rows": self.rows,
        }


def read_queue(
    site: Site,
    *,
    limit: int,
    payer: str | None = None,
    batch_id: str | None = None,
    rule: str | None = None,
    status: str | None = None,
) -> QueueView:
    """Lines that match every given part. Raises CatalogError: there is no release, and no refused batch is named."""
    given = (("payer_id", payer), ("batch_id", batch_id), ("status", status))
    parts = [f"{column} = {native_literal(value)}" for column, value in given if value]
    if rule:
        parts.append(f"len(list_filter(errors, lambda e: e.rule_id = {native_literal(rule)})) > 0")
    condition = " AND ".join(parts) or "TRUE"
    names = {entry.sha256: entry.name for entry in site.ledger.files()}
    with private_engine(site.settings) as engine:
        source = _load(site, engine, batch_id)
        engine.define_native("chosen", f"SELECT * FROM queue WHERE {condition}")
        counts = engine.fetch_native(
            "SELECT payer_id, e.rule_id AS rule, status, count(DISTINCT row_id) AS lines FROM "
            "(SELECT payer_id, status, row_id, unnest(errors) AS e FROM chosen) GROUP BY ALL ORDER BY payer_id, lines DESC, rule, status"
        )
        total = engine.fetch_native("SELECT count(*) AS n FROM chosen")[0]["n"]
        rows = engine.fetch_native(
            "SELECT row_id, payer_id, batch_id, file_id, record_number, status, resolved_by_batch, "
            "array_to_string(list_distinct(list_transform(errors, lambda e: e.rule_id)), ', ') AS rules "
            f"FROM chosen ORDER BY payer_id, file_id, record_number, row_id LIMIT {limit}"
        )
    named = [{**row, "file_name": names.get(row["file_id"], row["file_id"][:12])} for row in rows]
    return QueueView(source, total, [tuple(row.values()) for row in counts], named)


def check_row_prefix(row: str) -> None:
    """Raises UsageError: not the beginning of a row id, or too little of it to name one row."""
    if len(row) < _MIN_PREFIX or not row.isalnum():
        raise UsageError(f"a row id is given by at least {_MIN_PREFIX} of its hex digits; `medflow quarantine list` shows them")


def read_line(site: Site, row: str, batch_id: str | None) -> dict[str, Any]:
    """One line with the text of its record.

    Raises:
        UsageError: no line, or several, begin so.
    """
    check_row_prefix(row)
    with private_engine(site.settings) as engine:
        _load(site, engine, batch_id)
        found = engine.fetch_native(
            "SELECT row_id, payer_id, batch_id, file_id, record_number, status, resolved_by_batch, raw_line, errors "
            f"FROM queue WHERE starts_with(row_id, {native_literal(row.lower())}) LIMIT 2"
        )
    if len(found) != 1:
        raise UsageError(f"{'several lines begin' if found else 'no line begins'} with {row}; `medflow quarantine list` shows them")
    return found[0]


def _load(site: Site, engine: DuckDBEngine, batch_id: str | None) -> str:
    batch = site.ledger.batch(batch_id) if batch_id else None
    if batch_id and batch is None:
        raise UsageError(f"there is no batch {batch_id}; `medflow releases list` shows those that were published")
    if batch is not None and batch.state != "published":
        branch = BranchWriter(site.lake(), batch.batch_id, lambda: None)
        paths = [file.path for file in branch.files(QUARANTINE, "branch")]
        source = f"batch {batch.batch_id} ({batch.state})"
    else:
        release = site.release()
        if QUARANTINE not in release.tables:
            raise CatalogError(f"release {release.number} has no {QUARANTINE}")
        paths, source = release.tables[QUARANTINE].files, f"release {release.number}"
    engine.files("queue", paths, site.knowledge_base.tables[QUARANTINE])
    return source
