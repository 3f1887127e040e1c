"""healthcare.providers: one row a provider, a pure function of all provider files in bronze.

Where two files name the same NPI, the file seen last wins, and on one day the greater file id: arrival order never matters.
"""

from __future__ import annotations

from medflow.specs.knowledge_base import REFERENCE
from medflow.sql.functions import unfold
from medflow.sql.text import in_list, literal
from spark_jobs.bronze import read_bronze
from spark_jobs.quarantine import append_rows
from spark_jobs.run import PROVIDERS, Run

_ERROR = "NAMED_STRUCT('rule_id', {}, 'column', {}, 'message', {})"


def build_providers(run: Run) -> None:
    """Rewrite the table when the batch holds provider files; rows without a valid NPI or a name are quarantined."""
    is_loaded = run.batch.brings_files and any(file.payer == REFERENCE for file in run.batch.files)
    if not is_loaded and not run.rebuilds(PROVIDERS):
        return
    read_bronze(run, [REFERENCE], None)
    run.engine.define("provider_rows", _rows_sql())
    run.engine.define("sound_providers", _sound_sql(), keep=False)
    run.writer.replace(PROVIDERS, run.write(PROVIDERS, "SELECT npi, name, specialty, state FROM sound_providers"), None)
    run.rows[PROVIDERS] = run.engine.fetch("SELECT COUNT(*) AS n FROM sound_providers")[0]["n"]
    if is_loaded:
        _quarantine(run)


def _rows_sql() -> str:
    trimmed = ", ".join(f"NULLIF(TRIM(`{name}`), '') AS {name}" for name in ("npi", "name", "specialty", "state"))
    row_id = "SHA2(CONCAT(file_id, ':', CAST(_record_number AS STRING), ':', CASE WHEN _parse_error IS NULL THEN '1' ELSE '0' END), 256)"
    return (
        f"WITH texts AS (SELECT file_id, ingest_date, _record_number AS record_number, {row_id} AS row_id, _parse_error AS parse_error, "
        f"{trimmed} FROM raw_{REFERENCE}) SELECT texts.*, "
        f"CASE WHEN parse_error IS NOT NULL THEN {_error('row_width', 'record', 'the record has the wrong number of fields')} "
        f"WHEN npi IS NULL OR NOT {_npi_valid('npi')} THEN {_error('npi_check', 'npi', 'npi is not 10 digits with a right check digit')} "
        f"WHEN name IS NULL THEN {_error('key_present', 'name', 'name is blank')} END AS error FROM texts"
    )


def _sound_sql() -> str:
    return (
        "SELECT npi, name, specialty, state, row_id FROM provider_rows WHERE error IS NULL "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY npi ORDER BY ingest_date DESC, file_id DESC, record_number DESC) = 1"
    )


def _quarantine(run: Run) -> None:
    loaded = in_list("file_id", [file.sha256 for file in run.batch.files if file.payer == REFERENCE])
    run.engine.define(
        "failed_providers",
        f"SELECT row_id, '{REFERENCE}' AS payer_id, file_id, record_number, ARRAY(error) AS errors FROM provider_rows "
        f"WHERE error IS NOT NULL AND {loaded}",
    )
    append_rows(run, "failed_providers")


def _error(rule: str, column: str, message: str) -> str:
    return _ERROR.format(literal(rule), literal(column), literal(message))


def _npi_valid(column: str) -> str:
    from sqlglot import parse_one

    return unfold(parse_one(f"NPI_VALID({column})", read="spark"), {}).sql("spark")
