"""Bronze: every record of the batch's files, as text, appended to claims_raw."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from medflow.specs.knowledge_base import REFERENCE
from medflow.specs.payer import PayerLayout
from medflow.sql.text import in_list, literal
from spark_jobs.run import RAW, Run


def build_bronze(run: Run) -> None:
    """Begin to write the `raw_<payer>` relations of a load as files of claims_raw; other kinds of batch leave it as it is.

    Silver reads the same relations, so it is computed meanwhile; `land_bronze` waits for the files.
    """
    if not run.batch.brings_files:
        return
    names = pa.table({"file_id": [f.sha256 for f in run.batch.files], "file_name": [f.name for f in run.batch.files]})
    run.engine.rows("batch_files", names)
    payers = sorted({file.payer for file in run.batch.files})

    def written(payer: str) -> list[str]:
        return run.write(RAW, raw_rows_sql(run.knowledge_base.layouts[payer], run.batch.id))

    run.bronze_files = [run.engine.start(partial(written, payer)) for payer in payers]


def land_bronze(run: Run) -> None:
    """Append the files to claims_raw on the branch."""
    if not run.batch.brings_files:
        return
    run.writer.append(RAW, [path for files in run.bronze_files for path in files.result()])
    run.rows[RAW] = sum(file.records for file in run.batch.files)


def raw_rows_sql(layout: PayerLayout, batch_id: str) -> str:
    """Records of `raw_<payer>` as rows of claims_raw; only those of files in `batch_files`."""
    fields = ", ".join(f"{literal(name)}, raw.`{name}`" for name in layout.header_names)
    return (
        f"SELECT '{layout.payer}' AS payer_id, raw.file_id, batch_files.file_name, '{batch_id}' AS batch_id, "
        "raw._record_number AS record_number, "
        "SHA2(CONCAT(raw.file_id, ':', CAST(raw._record_number AS STRING), ':0'), 256) AS row_id, "
        f"MAP({fields}) AS fields, raw._extra AS extra, raw._raw_line AS raw_line, raw._parse_error AS parse_error, "
        f"CAST(raw.ingest_date AS TIMESTAMP) AS ingested_at FROM raw_{layout.payer} AS raw "
        "INNER JOIN batch_files ON batch_files.file_id = raw.file_id"
    )


def read_bronze(run: Run, payers: list[str], file_ids: set[str] | None) -> None:
    """Bring back `raw_<payer>` from claims_raw on the branch: all files, or those named of the batch, from their days alone."""
    days: set[tuple[object, ...]] = {(file.payer, file.ingest_date) for file in run.batch.files if file.sha256 in (file_ids or ())}
    run.load("bronze_rows", RAW, "branch", None if file_ids is None else days)
    chosen = "" if file_ids is None else f" AND {in_list('file_id', file_ids)}"
    for payer in payers:
        layout = run.knowledge_base.layouts[payer]
        columns = ", ".join(f"fields[{literal(name)}] AS `{name}`" for name in layout.header_names)
        run.engine.define(
            f"raw_{payer}",
            f"SELECT file_id, CAST(ingested_at AS DATE) AS ingest_date, record_number AS _record_number, {columns}, extra AS _extra, "
            f"raw_line AS _raw_line, parse_error AS _parse_error FROM bronze_rows WHERE payer_id = '{payer}'{chosen}",
        )


def payers_only(run: Run) -> list[str]:
    """The payers that this batch's files are of, `reference` left out."""
    return sorted({file.payer for file in run.batch.files if file.payer != REFERENCE})
