"""Inspection: candidate files in, accepted files and rejections out. A file is taken whole or rejected whole, with a reason.

Leaves `raw_<payer>` and `lines_<payer>` in the engine: they hold rows of rejected files too, which later steps leave out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from medflow.lakehouse.ledger_entries import FileEntry
from medflow.specs.contract import Contract
from medflow.specs.knowledge_base import REFERENCE, KnowledgeBase
from medflow.specs.payer import PayerLayout
from spark_jobs.engines.base import BuildEngine
from spark_jobs.intake import FileToFrame, Framing, intake_schema
from spark_jobs.landing import Landing
from spark_jobs.layouts import dialect_of
from spark_jobs.lines import lines_sql
from spark_jobs.run import BatchFile


@dataclass(frozen=True)
class Accepted:
    """A file that is taken, what was counted in it, and its warnings."""

    file: BatchFile
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Rejected:
    """A file that is not taken: `code` and a sentence without any value of the file."""

    entry: FileEntry
    code: str
    reason: str


def inspect_files(
    engine: BuildEngine, knowledge_base: KnowledgeBase, entries: list[FileEntry], landing: Landing
) -> tuple[list[Accepted], list[Rejected]]:
    """Frame and parse every candidate.

    Raises:
        LandingError: a file vanished, or changed while it was read.
    """

    def of_payer(payer: str) -> list[Accepted | Rejected]:
        mine = [entry for entry in entries if entry.payer == payer]
        framed = _frame_all(engine, knowledge_base.layouts[payer], mine, landing)
        figures = {} if payer == REFERENCE else _figures(engine, knowledge_base, payer)
        return [_outcome(entry, framed[entry.sha256], figures.get(entry.sha256, {}), knowledge_base, landing) for entry in mine]

    payers = sorted({entry.payer for entry in entries})
    outcomes = [outcome for found in engine.side_by_side(of_payer, payers) for outcome in found]
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    return accepted, [outcome for outcome in outcomes if isinstance(outcome, Rejected)]


def _frame_all(engine: BuildEngine, layout: PayerLayout, entries: list[FileEntry], landing: Landing) -> dict[str, Framing]:
    """The payer's files as `raw_<payer>`."""
    dialect = dialect_of(layout)
    files = [FileToFrame(landing.at(one.name), one.name, one.sha256, one.ingest_date, dialect, landing.storage) for one in entries]
    return {one.sha256: one for one in engine.frame(f"raw_{layout.payer}", intake_schema(dialect), files)}


def _figures(engine: BuildEngine, knowledge_base: KnowledgeBase, payer: str) -> dict[str, dict[str, Any]]:
    """Per file: lines, signed billed cents, and how many filled values of each parsed column did not read."""
    layout, contract = knowledge_base.payers[payer], knowledge_base.contract
    engine.define(f"lines_{payer}", lines_sql(layout, contract))
    counts = ", ".join(
        f"COUNT_IF({name}__bad) AS bad_{name}, COUNT_IF({name}__bad OR {_filled(contract, name)}) AS filled_{name}"
        for name in _parsed_columns(layout, contract)
    )
    rows = engine.fetch(
        "SELECT file_id, COUNT(*) AS line_count, CAST(COALESCE(SUM(billed_amount), 0) * 100 AS BIGINT) AS billed_cents"
        f"{', ' + counts if counts else ''} FROM lines_{payer} GROUP BY file_id"
    )
    return {row["file_id"]: row for row in rows}


def _outcome(
    entry: FileEntry, framed: Framing, figures: dict[str, Any], knowledge_base: KnowledgeBase, landing: Landing
) -> Accepted | Rejected:
    if framed.rejected is not None:
        return Rejected(entry, *framed.rejected)
    layout, limit = knowledge_base.layouts[entry.payer], knowledge_base.gate.parser_failures.reject_file_above
    for name in () if entry.payer == REFERENCE else _parsed_columns(layout, knowledge_base.contract):
        bad, filled = int(figures.get(f"bad_{name}", 0)), int(figures.get(f"filled_{name}", 0))
        if bad > limit * filled:
            return Rejected(entry, "column_values", _unread(layout, name, bad, filled))
    billed = int(figures.get("billed_cents", 0))
    if framed.trailer is not None and framed.trailer.billed_cents != billed:
        told = "the trailer's billed amount is not the sum of the records; ask the payer to send the file again"
        return Rejected(entry, "trailer_amount", told)
    lines = int(figures.get("line_count", framed.records))
    file = BatchFile(entry.payer, entry.sha256, entry.name, landing.at(entry.name), entry.ingest_date, framed.records, lines, billed)
    return Accepted(file, framed.warnings)


def _unread(layout: PayerLayout, target: str, bad: int, filled: int) -> str:
    sources = [(column, feeds[target]) for column, feeds in layout.record_columns.items() if target in feeds]
    names, parser = ", ".join(column for column, _ in sources), sources[0][1]
    return f"{bad} of {filled} filled values of {names} are not {parser}; the column is shifted, or its shape changed"


def _parsed_columns(layout: PayerLayout, contract: Contract) -> list[str]:
    """Contract columns that a parser with a shape feeds."""
    shaped = {target for feeds in layout.record_columns.values() for target, parser in feeds.items() if parser != "text"}
    return [name for name in contract.columns if name in shaped]


def _filled(contract: Contract, name: str) -> str:
    return f"SIZE({name}) > 0" if contract.columns[name].type.startswith("array<") else f"{name} IS NOT NULL"
