"""The quarantine queue: lines in error and their siblings, with the record's text, until they are replayed or waived.

A load appends. A replay, a waiver or a rebuild rewrites whole payer partitions: the row stays, its status changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import pyarrow as pa

from medflow.sql.text import literal, same
from spark_jobs.framing import cut_records
from spark_jobs.landing import Landing
from spark_jobs.layouts import dialect_of
from spark_jobs.rules import failed_sql
from spark_jobs.run import QUARANTINE, BatchFile, Run

_TEXTS_AT_ONCE = 1 << 14
_WAIVERS = pa.schema([(name, pa.string()) for name in ("row_id", "status", "resolved_by_batch")])
_TEXTS = pa.schema([("file_id", pa.string()), ("record_number", pa.int64()), ("raw_line", pa.string())])


def write_quarantine(run: Run) -> None:
    """Bring the queue up to date with what was judged."""
    run.engine.define("failed", failed_sql(run.knowledge_base.contract))
    writers = {"load": _append, "recovery": _append, "replay": _mark_replayed, "waive": _mark_waived, "rebuild": _recompute}
    writers[run.batch.kind](run)


def load_queue(run: Run) -> int:
    """The published queue as relation `queue`; returns its rows."""
    return run.load("queue", QUARANTINE, "main")


def load_waivers(run: Run) -> None:
    """What a person has waived, as the ledger knows it, in the place of a queue that is lost: as relation `queue`."""
    waivers = run.ledger.waivers()
    columns = {"row_id": list(waivers), "status": ["waived"] * len(waivers), "resolved_by_batch": list(waivers.values())}
    run.engine.rows("queue", pa.table(columns, _WAIVERS))


def append_rows(run: Run, relation: str) -> None:
    """Add failed lines (row_id, payer_id, file_id, record_number, errors) to the queue, with the text of their records."""
    run.engine.rows("texts", _record_texts(run, relation))
    run.writer.append(QUARANTINE, run.write(QUARANTINE, _new_rows_sql(run, relation)))
    count = run.engine.fetch(f"SELECT COUNT(*) AS n FROM {relation}")[0]["n"]
    run.rows[QUARANTINE] = run.rows.get(QUARANTINE, 0) + count


def _append(run: Run) -> None:
    append_rows(run, "failed")


def _mark_replayed(run: Run) -> None:
    _choose(run)
    run.engine.define("replayed", "SELECT row_id FROM chosen WHERE verdict = 'accepted'")
    if not run.engine.fetch("SELECT COUNT(*) AS n FROM replayed")[0]["n"]:
        run.nothing_to_publish = True
        return
    still = "SELECT failed.row_id, failed.errors FROM failed INNER JOIN chosen ON chosen.row_id = failed.row_id"
    _rewrite(run, "replayed", "replayed", still)


def _mark_waived(run: Run) -> None:
    _choose(run)
    run.waived = tuple(row["row_id"] for row in run.engine.fetch("SELECT row_id FROM chosen ORDER BY row_id"))
    _rewrite(run, "chosen", "waived", "SELECT row_id, errors FROM queue WHERE FALSE")


def _choose(run: Run) -> None:
    """`chosen`: the open lines asked for (`wanted`), and with each its whole claim in the file: a claim goes as one."""
    run.engine.define(
        "chosen",
        "WITH claims AS (SELECT DISTINCT judged.payer_id, judged.file_id, judged.claim_id FROM judged "
        "INNER JOIN wanted ON wanted.row_id = judged.row_id), "
        f"siblings AS (SELECT judged.row_id FROM judged INNER JOIN claims ON {same('claims', 'judged', 'payer_id, file_id, claim_id')}), "
        "asked AS (SELECT row_id FROM wanted UNION SELECT row_id FROM siblings) "
        "SELECT asked.row_id, judged.verdict FROM asked INNER JOIN queue ON queue.row_id = asked.row_id "
        "LEFT JOIN judged ON judged.row_id = asked.row_id WHERE queue.status = 'open'",
    )


def _rewrite(run: Run, resolved: str, status: str, still_failing: str) -> None:
    taken = {name: f"queue.{name}" for name in run.spec(QUARANTINE).column_names}
    taken["status"] = f"CASE WHEN resolved.row_id IS NOT NULL THEN '{status}' ELSE queue.status END"
    taken["resolved_by_batch"] = f"CASE WHEN resolved.row_id IS NOT NULL THEN {literal(run.batch.id)} ELSE queue.resolved_by_batch END"
    taken["errors"] = "COALESCE(still.errors, queue.errors)"
    columns = ", ".join(f"{sql} AS {name}" for name, sql in taken.items())
    select = (
        f"WITH still AS ({still_failing}), resolved AS (SELECT row_id FROM {resolved}) SELECT {columns} FROM queue "
        "LEFT JOIN resolved ON resolved.row_id = queue.row_id LEFT JOIN still ON still.row_id = queue.row_id"
    )
    run.writer.replace(QUARANTINE, run.write(QUARANTINE, select), None)
    run.rows[QUARANTINE] = run.engine.fetch(f"SELECT COUNT(*) AS n FROM {resolved}")[0]["n"]


def _recompute(run: Run) -> None:
    """A rebuild: what fails now is open (waived where it was waived), what no longer fails is replayed by this batch."""
    fresh = "SELECT failed.* FROM failed LEFT ANTI JOIN queue ON queue.row_id = failed.row_id"
    run.engine.define("fresh", fresh)
    run.engine.rows("texts", _record_texts(run, "fresh"))
    columns = run.spec(QUARANTINE).column_names
    taken = {name: f"queue.{name}" for name in columns}
    payers = ", ".join(literal(payer) for payer in run.knowledge_base.payers)
    mended = f"failed.row_id IS NULL AND queue.status = 'open' AND queue.payer_id IN ({payers})"
    taken["errors"] = "CASE WHEN queue.status = 'waived' THEN queue.errors ELSE COALESCE(failed.errors, queue.errors) END"
    taken["status"] = (
        f"CASE WHEN {mended} THEN 'replayed' WHEN failed.row_id IS NOT NULL AND queue.status = 'replayed' THEN 'open' ELSE queue.status END"
    )
    taken["resolved_by_batch"] = (
        f"CASE WHEN {mended} THEN {literal(run.batch.id)} "
        "WHEN failed.row_id IS NOT NULL AND queue.status = 'replayed' THEN NULL ELSE queue.resolved_by_batch END"
    )
    chosen = ", ".join(f"{sql} AS {name}" for name, sql in taken.items())
    kept = f"SELECT {chosen} FROM queue LEFT JOIN failed ON failed.row_id = queue.row_id"
    run.writer.replace(QUARANTINE, run.write(QUARANTINE, f"{kept} UNION ALL {_new_rows_sql(run, 'fresh')}"), None)
    run.rows[QUARANTINE] = run.engine.fetch("SELECT COUNT(*) AS n FROM failed")[0]["n"]


def _new_rows_sql(run: Run, relation: str) -> str:
    at = run.started_at.strftime("%Y-%m-%d %H:%M:%S")
    status, resolved, known = "'open'", "CAST(NULL AS STRING)", ""
    if run.batch.kind == "recovery":
        status, resolved = "COALESCE(queue.status, 'open')", "queue.resolved_by_batch"
        known = " LEFT JOIN queue ON queue.row_id = f.row_id"
    return (
        f"SELECT f.row_id, f.payer_id, {literal(run.batch.id)} AS batch_id, f.file_id, f.record_number, texts.raw_line, f.errors, "
        f"{status} AS status, CAST('{at}' AS TIMESTAMP) AS quarantined_at, {resolved} AS resolved_by_batch "
        f"FROM {relation} AS f LEFT JOIN texts ON {same('texts', 'f', 'file_id, record_number')}{known}"
    )


def _record_texts(run: Run, relation: str) -> pa.RecordBatchReader:
    """The text of the failed records, cut from the landing files by record number."""
    rows = run.engine.fetch(f"SELECT file_id, COLLECT_LIST(record_number) AS numbers FROM {relation} GROUP BY file_id")
    numbers = {row["file_id"]: row["numbers"] for row in rows}
    texts = (_texts_of(run, file, numbers[file.sha256]) for file in run.batch.files if file.sha256 in numbers)
    return pa.RecordBatchReader.from_batches(_TEXTS, chain.from_iterable(texts))


def _texts_of(run: Run, file: BatchFile, numbers: Sequence[int]) -> Iterator[pa.RecordBatch]:
    dialect = dialect_of(run.knowledge_base.layouts[file.payer])
    # A payer may have used the name again: another file's record must not be quoted as this one's.
    landing = Landing.of(run.settings)
    if not landing.holds(file.name, file.sha256):
        return
    with landing.storage.landing_access(file.path), landing.storage.open(file.path) as stream:
        records = cut_records(stream, dialect, numbers)
        while some := list(islice(records, _TEXTS_AT_ONCE)):
            rows = [{"file_id": file.sha256, "record_number": number, "raw_line": text} for number, text in some]
            yield pa.RecordBatch.from_pylist(rows, _TEXTS)
