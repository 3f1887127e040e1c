"""Plain Spark: each payer's layout as Spark SQL expressions, a payer's records in and lines with common names out.

Beside the typed columns each line has `t_<name>`, the text that a typed column was read from. No UDF.
"""

from __future__ import annotations

from pyspark.sql import DataFrame

from medflow.bench.rules import DATES, MONEY

_IDENTITY = ("payer_id", "file_id", "record_number", "raw_line")
_GROUP = ("Proc", "Modifiers", "Units", "Charge", "Allowed", "Paid", "Deductible", "Coinsurance", "Copay", "Other Payer")
_PART = "^[^-]+-[^-]+$"


def lines_of(payer: str, records: DataFrame) -> DataFrame:
    """The payer's service lines."""
    return {"bluecross": _bluecross, "aetna": _aetna, "unitedhealth": _unitedhealth}[payer](records)


def _bluecross(records: DataFrame) -> DataFrame:
    money = ("BILLED", "ALLOWED", "PAID", "DEDUCTIBLE", "COINSURANCE", "COPAY", "OTHER_PAYER")
    dates = ("SERVICE_FROM", "SERVICE_TO", "RECEIVED_DATE", "ADJUDICATED_DATE", "PAID_DATE")
    status = (
        "CASE STATUS WHEN 'PAID' THEN 'paid' WHEN 'DENIED' THEN 'denied' WHEN 'PENDED' THEN 'pending' WHEN 'REJECTED' THEN 'rejected' END"
    )
    billed = _dollars("BILLED_AMT")
    return records.selectExpr(
        *_IDENTITY,
        "damaged",
        "CASE WHEN damaged THEN 0 ELSE 1 END AS line_index",
        "CLAIM_ID AS claim_id",
        *_number("line_number", "LINE_NO"),
        "ADJ_SEQ AS t_version_key",
        "CASE WHEN ADJ_SEQ RLIKE '^[0-9]{1,6}$' THEN LPAD(ADJ_SEQ, 6, '0') END AS version_key",
        "'' AS t_version_kind",
        "CAST(NULL AS STRING) AS version_kind",
        "MEMBER_ID AS member_id",
        *_number("birth_year", "BIRTH_YEAR"),
        *_sex("SEX"),
        "PLAN_CODE AS plan_code",
        *(part for name in ("billing_npi", "rendering_npi") for part in (f"{name.upper()} AS t_{name}", f"{name.upper()} AS {name}")),
        "POS AS place_of_service",
        *(f"REPLACE(DX_{k}, '.', '') AS d{k}" for k in range(1, 5)),
        "DX_1 IS NULL AS dx_blank",
        "FALSE AS qualifier_bad",
        "PROC_CODE AS procedure_code",
        "ARRAY_COMPACT(ARRAY(MOD_1, MOD_2)) AS modifiers",
        *_number("units", "UNITS"),
        *(part for name, source in zip(DATES, dates, strict=True) for part in _day(name, source, _iso_day(source))),
        *(part for name, source in zip(MONEY, money, strict=True) for part in _amount(name, f"{source}_AMT", _dollars(f"{source}_AMT"))),
        f"CASE WHEN STATUS = 'PAID' AND {billed} < 0 THEN 'reversed' ELSE {status} END AS claim_status",
        f"COALESCE(NOT DENIAL_CODE RLIKE '{_PART}', FALSE) AS denial_bad",
        f"CASE WHEN DENIAL_CODE RLIKE '{_PART}' THEN SPLIT_PART(DENIAL_CODE, '-', 1) END AS denial_group",
        f"CASE WHEN DENIAL_CODE RLIKE '{_PART}' THEN SPLIT_PART(DENIAL_CODE, '-', 2) END AS denial_code",
    )


def _aetna(records: DataFrame) -> DataFrame:
    """One record a claim version; each of its up to four filled line groups becomes a line."""
    groups = f"ARRAY({', '.join(_group(k) for k in range(1, 5))})"
    filled = " OR ".join(f"g.`{name}` IS NOT NULL" for name in _GROUP)
    grouped = records.selectExpr("*", f"FILTER({groups}, g -> NOT damaged AND ({filled})) AS filled")
    spread = grouped.selectExpr(
        "*",
        f"EXPLODE(CASE WHEN SIZE(filled) = 0 THEN ARRAY({_group(0)}) ELSE filled END) AS g",
        "FILTER(SPLIT(`Diagnosis Codes`, ';'), d -> d <> '') AS codes",
    )
    dates = ("Service From", "Service To", "Received Date", "Decision Date", "Payment Date")
    status = "CASE `Claim Status` WHEN 'P' THEN 'paid' WHEN 'D' THEN 'denied' WHEN 'S' THEN 'pending' WHEN 'R' THEN 'rejected' END"
    money = [f"g.`{name}`" for name in _GROUP[3:]]
    return spread.selectExpr(
        *_IDENTITY,
        "g.k = 0 AS damaged",
        "g.k AS line_index",
        "REGEXP_REPLACE(`Claim Number`, '-A[0-9]{1,6}$', '') AS claim_id",
        "'' AS t_line_number",
        "g.k AS line_number",
        "'' AS t_version_key",
        "LPAD(COALESCE(NULLIF(REGEXP_EXTRACT(`Claim Number`, '-A([0-9]{1,6})$', 1), ''), '0'), 6, '0') AS version_key",
        "'' AS t_version_kind",
        "CAST(NULL AS STRING) AS version_kind",
        "`Member ID` AS member_id",
        *_number("birth_year", "`Birth Year`"),
        *_sex("Gender"),
        "Plan AS plan_code",
        "'' AS t_billing_npi",
        "CAST(NULL AS STRING) AS billing_npi",
        "`Provider NPI` AS t_rendering_npi",
        "`Provider NPI` AS rendering_npi",
        "`Place of Service` AS place_of_service",
        *(f"REPLACE(GET(codes, {k}), '.', '') AS d{k + 1}" for k in range(4)),
        "COALESCE(SIZE(codes), 0) <= 0 AS dx_blank",
        "FALSE AS qualifier_bad",
        "g.Proc AS procedure_code",
        "COALESCE(FILTER(SPLIT(g.Modifiers, ';'), m -> m <> ''), CAST(ARRAY() AS ARRAY<STRING>)) AS modifiers",
        *_number("units", "g.Units"),
        *(part for name, source in zip(DATES, dates, strict=True) for part in _day(name, f"`{source}`", _us_day(f"`{source}`"))),
        *(part for name, source in zip(MONEY, money, strict=True) for part in _amount(name, source, _us_dollars(source))),
        f"CASE WHEN `Claim Status` = 'P' AND {_us_dollars('g.Charge')} < 0 THEN 'reversed' ELSE {status} END AS claim_status",
        "FALSE AS denial_bad",
        "`Denial Group` AS denial_group",
        "`Denial Code` AS denial_code",
    )


def _unitedhealth(records: DataFrame) -> DataFrame:
    """The ABK diagnosis is the principal one and goes first."""
    dates = ("svc_from_dt", "svc_to_dt", "recv_dt", "adjud_dt", "paid_dt")
    money = ("billed_amt", "allowed_amt", "paid_amt", "ded_amt", "coins_amt", "copay_amt", "cob_amt")
    principal = "CASE " + " ".join(f"WHEN diag_qual_{k} = 'ABK' AND diag_{k} IS NOT NULL THEN {k}" for k in range(1, 5)) + " END"
    odd = " OR ".join(f"COALESCE(NOT diag_qual_{k} IN ('ABK', 'ABF'), FALSE)" for k in range(1, 5))
    placed = records.selectExpr("*", f"{principal} AS principal", *(f"NULLIF({name}, '00000000') AS day_{name}" for name in dates))
    return placed.selectExpr(
        *_IDENTITY,
        "damaged",
        "CASE WHEN damaged THEN 0 ELSE 1 END AS line_index",
        "orig_clm_no AS claim_id",
        *_number("line_number", "clm_line"),
        "'' AS t_version_key",
        f"CONCAT(CAST({_compact_day('day_recv_dt')} AS STRING), '|', clm_no) AS version_key",
        "freq_cd AS t_version_kind",
        "CASE freq_cd WHEN '1' THEN 'original' WHEN '7' THEN 'replacement' WHEN '8' THEN 'reversal' END AS version_kind",
        "mbr_id AS member_id",
        *_number("birth_year", "birth_yr"),
        *_sex("sex_cd"),
        "plan_cd AS plan_code",
        *(
            part
            for name, source in (("billing_npi", "bill_npi"), ("rendering_npi", "rend_npi"))
            for part in (f"{source} AS t_{name}", f"CASE WHEN {source} RLIKE '^00[0-9]{{10}}$' THEN SUBSTRING({source}, 3) END AS {name}")
        ),
        "pos_cd AS place_of_service",
        "CASE principal WHEN 2 THEN diag_2 WHEN 3 THEN diag_3 WHEN 4 THEN diag_4 ELSE diag_1 END AS d1",
        "CASE WHEN principal >= 2 THEN diag_1 ELSE diag_2 END AS d2",
        "CASE WHEN principal >= 3 THEN diag_2 ELSE diag_3 END AS d3",
        "CASE WHEN principal = 4 THEN diag_3 ELSE diag_4 END AS d4",
        f"principal IS NULL AND NOT ({odd}) AS dx_blank",
        f"{odd} AS qualifier_bad",
        "proc_cd AS procedure_code",
        "ARRAY_COMPACT(ARRAY(mod_1, mod_2)) AS modifiers",
        *_number("units", "units"),
        *(part for name, source in zip(DATES, dates, strict=True) for part in _day(name, f"day_{source}", _compact_day(f"day_{source}"))),
        *(part for name, source in zip(MONEY, money, strict=True) for part in _amount(name, source, _cents(source))),
        "CASE WHEN status_cd IN ('1', '2', '3') THEN 'paid' WHEN status_cd = '4' THEN 'denied' WHEN status_cd = '22' THEN 'reversed' "
        "WHEN status_cd = '0' THEN 'pending' END AS claim_status",
        "FALSE AS denial_bad",
        "denial_grp AS denial_group",
        "denial_cd AS denial_code",
    )


def _group(number: int) -> str:
    cells = [f"'{name}', {f'`{name} {number}`' if number else 'CAST(NULL AS STRING)'}" for name in _GROUP]
    return f"NAMED_STRUCT('k', {number}, {', '.join(cells)})"


def _number(name: str, source: str) -> tuple[str, str]:
    return f"{source} AS t_{name}", f"CASE WHEN {source} RLIKE '^-?[0-9]{{1,9}}$' THEN CAST({source} AS INT) END AS {name}"


def _sex(source: str) -> tuple[str, str]:
    return f"{source} AS t_sex", f"CASE WHEN {source} IN ('F', 'M', 'U') THEN {source} END AS sex"


def _day(name: str, source: str, value: str) -> tuple[str, str]:
    return f"{source} AS t_{name}", f"{value} AS {name}"


def _amount(name: str, source: str, value: str) -> tuple[str, str]:
    return f"{source} AS t_{name}", f"{value} AS {name}"


def _iso_day(source: str) -> str:
    return f"CASE WHEN {source} RLIKE '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' THEN TRY_CAST({source} AS DATE) END"


def _us_day(source: str) -> str:
    return f"CAST(TRY_TO_TIMESTAMP({source}, 'MM/dd/yyyy') AS DATE)"


def _compact_day(source: str) -> str:
    return f"CAST(TRY_TO_TIMESTAMP({source}, 'yyyyMMdd') AS DATE)"


def _dollars(source: str) -> str:
    return f"CASE WHEN {source} RLIKE '^-?[0-9]{{1,10}}[.][0-9]{{2}}$' THEN TRY_CAST({source} AS DECIMAL(12, 2)) END"


def _us_dollars(source: str) -> str:
    bare = f"TRY_CAST(TRANSLATE({source}, '$,()', '') AS DECIMAL(12, 2))"
    shape = f"{source} RLIKE '^([(]?[$]?[0-9]{{1,3}}(,?[0-9]{{3}})*[.][0-9]{{2}}[)]?)$'"
    return f"CASE WHEN {shape} THEN CASE WHEN {source} LIKE '(%' THEN -{bare} ELSE {bare} END END"


def _cents(source: str) -> str:
    value = f"CAST(CAST(REPLACE({source}, '-', '') AS BIGINT) / 100BD AS DECIMAL(12, 2))"
    return f"CASE WHEN {source} RLIKE '^[0-9]{{1,12}}-?$' THEN CASE WHEN {source} LIKE '%-' THEN -{value} ELSE {value} END END"
