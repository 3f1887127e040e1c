"""Plain Spark: lines with common names in, lines judged by every rule that one line can break by itself out."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - Spark's own usage

from medflow.bench import rules

_HEADER = (
    *("member_id", "birth_year", "sex", "plan_code", "billing_npi", "rendering_npi", "d1", "d2", "d3", "d4", "received_date"),
    *("adjudicated_date", "paid_date", "claim_status", "denial_group", "denial_code"),
)
_LINE = ("place_of_service", "procedure_code", "modifiers", "units", "service_from", "service_to", *rules.MONEY)
_SLOTS = range(1, 5)
_PREFIX_SUM = 24  # what the prefix 80840 adds to the Luhn sum of an NPI


def judged(lines: DataFrame, icd10cm: DataFrame, places: Sequence[str], run_date: str) -> DataFrame:
    """The columns that are kept, with `own_error`, `errors`, `quality_warnings`, and hashes of the header and of the content."""
    errors, warnings = rules.line_errors(), rules.line_warnings()
    found = _with_diagnoses(lines, icd10cm).selectExpr(
        "*",
        f"DATE'{run_date}' AS ingest_date",
        *(f"COALESCE(t_{name} <> '' AND {name} IS NULL, FALSE) AS {name}_bad" for name in rules.READ),
        *(f"t_{name} <> '' AND NOT COALESCE({_npi_valid(name)}, FALSE) AS {name}_wrong" for name in ("rendering_npi", "billing_npi")),
        "COALESCE(t_rendering_npi, '') = '' AS rendering_npi_blank",
        "NOT procedure_code RLIKE '^([0-9]{4}[0-9FTU]|[A-Z][0-9]{4})$' AS procedure_wrong",
        f"NOT place_of_service IN ({', '.join(repr(code) for code in places)}) AS place_unknown",
    )
    kind = "CASE WHEN claim_status = 'reversed' THEN 'reversal' WHEN version_key = '000000' THEN 'original' ELSE 'replacement' END"
    derived = found.withColumn("version_kind", F.expr(f"CASE WHEN payer_id = 'unitedhealth' THEN version_kind ELSE {kind} END"))
    flagged = derived.withColumn("own_error", F.expr(f"damaged OR COALESCE({_any(errors)}, FALSE)"))
    told = ", ".join(f"CASE WHEN {check.condition} THEN {rules.error_sql(check)} END" for check in errors)
    warned = ", ".join(f"CASE WHEN {check.condition} THEN '{check.rule}' END" for check in warnings)
    return flagged.selectExpr(
        *("payer_id", "file_id", "record_number", "damaged", "raw_line", "own_error"),
        "SHA2(CONCAT(file_id, ':', record_number, ':', line_index), 256) AS row_id",
        *(f"{_final(name)} AS {name}" for name in rules.COLUMNS),
        f"CASE WHEN damaged THEN ARRAY({rules.error_sql(rules.DAMAGED)}) WHEN own_error THEN ARRAY_COMPACT(ARRAY({told})) END AS errors",
        f"CASE WHEN {_any(warnings)} THEN ARRAY_COMPACT(ARRAY({warned})) ELSE CAST(ARRAY() AS ARRAY<STRING>) END AS quality_warnings",
        f"CASE WHEN NOT ({' OR '.join(rules.HEADER_BAD)}) THEN {_hash(_HEADER)} END AS header",
        f"{_hash((*_HEADER, *_LINE))} AS content",
    )


def _with_diagnoses(lines: DataFrame, icd10cm: DataFrame) -> DataFrame:
    for k in _SLOTS:
        codes = icd10cm.selectExpr(f"REPLACE(code, '.', '') AS d{k}", f"code AS c{k}", f"leaf AS leaf{k}")
        lines = lines.join(F.broadcast(codes), f"d{k}", "left")
    unknown = " OR ".join(f"(COALESCE(d{k}, '') <> '' AND c{k} IS NULL)" for k in _SLOTS)
    return lines.selectExpr(
        "*",
        "c1 AS principal_diagnosis",
        f"ARRAY_COMPACT(ARRAY({', '.join(f'c{k}' for k in _SLOTS)})) AS diagnosis_codes",
        f"{unknown} OR qualifier_bad AS dx_unknown",
        f"{' OR '.join(f'leaf{k} = 0' for k in _SLOTS)} AS dx_not_leaf",
    )


def _final(name: str) -> str:
    if name == "sex":
        return "COALESCE(sex, 'U')"
    if name in rules.MONEY[1:]:
        return f"CASE WHEN claim_status IN ('pending', 'rejected') THEN NULL ELSE {name} END"
    return name


def _any(checks: Sequence[rules.Check]) -> str:
    return "(" + " OR ".join(f"({check.condition})" for check in checks) + ")"


def _hash(names: Sequence[str]) -> str:
    # Spark's hash skips nulls: two values that swap places with a null would look alike.
    return f"XXHASH64({', '.join([*names, *(f'ISNULL({name})' for name in names)])})"


def _npi_valid(name: str) -> str:
    number = f"TRY_CAST({name} AS BIGINT)"
    pairs = [f"({number} DIV {100**place} % 100)" for place in range(5)]
    # The first digit of each pair counts double, as the sum of its digits.
    total = " + ".join(f"({pair} - 8 * ({pair} DIV 10) - 9 * ({pair} DIV 50))" for pair in pairs)
    return f"{name} RLIKE '^[0-9]{{10}}$' AND ({_PREFIX_SUM} + {total}) % 10 = 0"
