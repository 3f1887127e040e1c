"""claims_history to claims_clean: all accepted lines of some claims in, the lines of their current versions out.

A pure function of the set of lines: the order in which files arrived never matters. Input relations: `affected_history`
(claims_history's columns, every line of the claims) and `member_keys` (payer_id, member_id, member_key).
"""

from __future__ import annotations

from medflow.specs.contract import Contract
from medflow.sql.text import same
from spark_jobs.lines import content_sql

_CLAIM = "payer_id, claim_id"
_VERSION = "payer_id, claim_id, version_key"
MONEY = (
    "billed_amount",
    "allowed_amount",
    "paid_amount",
    "deductible_amount",
    "coinsurance_amount",
    "copay_amount",
    "other_payer_amount",
)
AGE_BANDS = ((18, "0-17"), (35, "18-34"), (50, "35-49"), (65, "50-64"), (75, "65-74"), (85, "75-84"))


def version_steps(contract: Contract) -> dict[str, str]:
    """Named SELECTs in order; each may read those before it. `current_sql` reads `resolved` and `claims`."""
    return {
        "versions": (
            f"SELECT {_VERSION}, MIN(file_id) AS first_file, MAX(file_id) AS last_file, "
            "MAX(CASE WHEN version_kind = 'original' THEN 1 ELSE 0 END) AS is_original, "
            "MAX(CASE WHEN version_kind = 'reversal' THEN 1 ELSE 0 END) AS is_reversal "
            f"FROM affected_history GROUP BY {_VERSION}"
        ),
        "heads": (
            f"SELECT {_CLAIM}, MAX(version_key) AS version_key, CAST(COUNT(*) AS INT) AS claim_version, "
            f"MAX(is_original) AS has_original FROM versions GROUP BY {_CLAIM}"
        ),
        # The version before a reversal, which the reversal must mirror.
        "mirrored": (
            "SELECT versions.payer_id, versions.claim_id, MAX(versions.version_key) AS version_key FROM versions "
            "INNER JOIN heads ON heads.payer_id = versions.payer_id AND heads.claim_id = versions.claim_id "
            "INNER JOIN versions AS last ON last.payer_id = heads.payer_id AND last.claim_id = heads.claim_id "
            "AND last.version_key = heads.version_key "
            "WHERE last.is_reversal = 1 AND versions.version_key < heads.version_key GROUP BY versions.payer_id, versions.claim_id"
        ),
        "wanted": f"SELECT {_VERSION}, TRUE AS is_current FROM heads UNION ALL SELECT {_VERSION}, FALSE AS is_current FROM mirrored",
        "deliveries": _deliveries(contract),
        "winners": (
            f"SELECT {_VERSION}, MAX_BY(delivery_hash, precedence) AS delivery_hash, "
            f"MIN(delivery_hash) <> MAX(delivery_hash) AS key_conflict FROM deliveries GROUP BY {_VERSION}"
        ),
        "resolved": _resolved(),
        "reversal_mismatches": _reversal_mismatches(),
        "claims": _claims(),
    }


def _deliveries(contract: Contract) -> str:
    """Versions that several files brought: what each file says, and which goes first."""
    line = f"CONCAT(CAST(h.line_number AS STRING), ':', MD5({content_sql(contract, 'h')}))"
    content = f"MD5(ARRAY_JOIN(ARRAY_SORT(COLLECT_SET({line})), ','))"
    # As text that sorts: an absent date is written lower than any date.
    dates = [f"COALESCE(CAST(MAX(h.{name}) AS STRING), '0000-00-00')" for name in ("adjudicated_date", "received_date")]
    precedence = f"CONCAT({dates[0]}, '|', {dates[1]}, '|', h.file_id)"
    return (
        f"SELECT h.payer_id, h.claim_id, h.version_key, h.file_id, {content} AS delivery_hash, {precedence} AS precedence "
        f"FROM affected_history AS h INNER JOIN versions ON {same('versions', 'h', _VERSION)} "
        "WHERE versions.first_file <> versions.last_file GROUP BY h.payer_id, h.claim_id, h.version_key, h.file_id"
    )


def _resolved() -> str:
    """The row ids of the wanted versions' lines: the winning delivery, and of exact duplicates the smallest row_id."""
    lines = "h.payer_id, h.claim_id, h.version_key, h.line_number, wanted.is_current, winners.key_conflict"
    return (
        f"SELECT {lines}, MIN(h.row_id) AS row_id, MIN(h.service_from) AS service_from FROM affected_history AS h "
        f"INNER JOIN wanted ON {same('wanted', 'h', _VERSION)} "
        f"LEFT JOIN winners ON {same('winners', 'h', _VERSION)} "
        f"LEFT JOIN deliveries ON {same('deliveries', 'h', _VERSION + ', file_id')} "
        f"WHERE winners.delivery_hash IS NULL OR deliveries.delivery_hash = winners.delivery_hash GROUP BY {lines}"
    )


def _reversal_mismatches() -> str:
    unequal = " OR ".join(f"SUM(COALESCE(h.{name}, 0)) <> 0" for name in MONEY)
    return (
        "SELECT DISTINCT payer_id, claim_id FROM (SELECT h.payer_id, h.claim_id FROM affected_history AS h "
        "INNER JOIN resolved ON resolved.row_id = h.row_id "
        f"INNER JOIN mirrored ON {same('mirrored', 'h', _CLAIM)} "
        f"GROUP BY h.payer_id, h.claim_id, h.line_number HAVING COUNT(*) <> 2 OR {unequal}) AS unlike"
    )


def _claims() -> str:
    """One row a claim: what its current lines share."""
    return (
        "SELECT heads.payer_id, heads.claim_id, heads.claim_version, dated.claim_service_date, heads.has_original = 0 AS original_unknown, "
        "m.claim_id IS NOT NULL AS reversal_mismatch FROM heads INNER JOIN "
        f"(SELECT {_CLAIM}, MIN(service_from) AS claim_service_date FROM resolved WHERE is_current GROUP BY {_CLAIM}) AS dated "
        f"ON {same('dated', 'heads', _CLAIM)} LEFT JOIN reversal_mismatches AS m ON {same('m', 'heads', _CLAIM)}"
    )


def current_sql(contract: Contract, clean_columns: tuple[str, ...]) -> str:
    """The rows of claims_clean for the affected claims, in its column order."""
    taken = {name: f"r.{name}" for name in contract.columns}
    taken |= {name: f"CASE WHEN r.claim_status = 'reversed' THEN CAST(0 AS DECIMAL(12, 2)) ELSE r.{name} END" for name in MONEY}
    age = "YEAR(claims.claim_service_date) - r.birth_year"
    bands = " ".join(f"WHEN {age} < {below} THEN '{label}'" for below, label in AGE_BANDS)
    taken |= {
        "payer_id": "r.payer_id",
        "claim_version": "claims.claim_version",
        "member_key": "member_keys.member_key",
        "age_band": f"CASE WHEN r.birth_year IS NULL THEN NULL {bands} ELSE '85+' END",
        "claim_service_date": "claims.claim_service_date",
        "quality_warnings": _warnings(),
        **{name: f"r.{name}" for name in ("row_id", "file_id", "batch_id")},
    }
    columns = ", ".join(f"{taken[name]} AS {name}" for name in clean_columns)
    return (
        f"SELECT {columns} FROM affected_history AS r "
        "INNER JOIN resolved ON resolved.row_id = r.row_id AND resolved.is_current "
        f"INNER JOIN claims ON {same('claims', 'r', _CLAIM)} "
        f"LEFT JOIN member_keys ON {same('member_keys', 'r', 'payer_id, member_id')}"
    )


def _warnings() -> str:
    found = {
        "key_conflict": "COALESCE(resolved.key_conflict, FALSE)",
        "original_unknown": "claims.original_unknown",
        "reversal_mismatch": "claims.reversal_mismatch",
    }
    named = ", ".join(f"CASE WHEN {condition} THEN '{name}' END" for name, condition in found.items())
    added = f"CONCAT(r.quality_warnings, FILTER(ARRAY({named}), w -> w IS NOT NULL))"
    return f"CASE WHEN {' OR '.join(found.values())} THEN {added} ELSE r.quality_warnings END"
