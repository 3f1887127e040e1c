"""claims_history to claims_clean: all accepted lines of some claims in, the lines of their current versions out.

A pure function of the set of lines: the order in which files arrived never matters. Input relations: `affected_history`
(claims_history's columns, every line of the claims) and `member_keys` (payer_id, member_id, member_key).
"""

from __future__ import annotations

from medflow.specs.contract import Contract
from medflow.sql.text import power, same
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
    """Named SELECTs in order; each may read those before it. `current_sql` reads `claims` and `left_out`."""
    return {
        "versions": _versions(),
        "heads": (
            f"SELECT {_CLAIM}, MAX(version_key) AS version_key, CAST(COUNT(*) AS INT) AS claim_version, "
            f"MAX(is_original) AS has_original FROM versions GROUP BY {_CLAIM}"
        ),
        # The version before a reversal, which the reversal must mirror.
        "mirrored": (
            "SELECT versions.payer_id, versions.claim_id, MAX(versions.version_key) AS version_key, "
            "MAX(heads.version_key) AS reversal_key FROM versions "
            "INNER JOIN heads ON heads.payer_id = versions.payer_id AND heads.claim_id = versions.claim_id "
            "INNER JOIN versions AS last ON last.payer_id = heads.payer_id AND last.claim_id = heads.claim_id "
            "AND last.version_key = heads.version_key "
            "WHERE last.is_reversal = 1 AND versions.version_key < heads.version_key GROUP BY versions.payer_id, versions.claim_id"
        ),
        "deliveries": _deliveries(contract),
        "winners": (
            f"SELECT {_VERSION}, MAX_BY(delivery_hash, precedence) AS delivery_hash, "
            "MAX_BY(service_from, precedence) AS service_from, MAX_BY(received_date, precedence) AS received_date, "
            f"MIN(delivery_hash) <> MAX(delivery_hash) AS key_conflict FROM deliveries GROUP BY {_VERSION}"
        ),
        "left_out": _left_out(),
        "reversal_mismatches": _reversal_mismatches(),
        "claims": _claims(),
    }


def _versions() -> str:
    """Each version: whether several files brought it, whether a line may stand in it twice, and the dates of its claim."""
    bit = power("line_number")
    repeated = f"COUNT({bit}) < COUNT(*) OR SUM({bit}) <> BIT_OR({bit})"
    return (
        f"SELECT {_VERSION}, MIN(file_id) <> MAX(file_id) AS several_files, {repeated} AS may_repeat, "
        "MAX(CASE WHEN version_kind = 'original' THEN 1 ELSE 0 END) AS is_original, "
        "MAX(CASE WHEN version_kind = 'reversal' THEN 1 ELSE 0 END) AS is_reversal, "
        f"MIN(service_from) AS service_from, MIN(received_date) AS received_date FROM affected_history GROUP BY {_VERSION}"
    )


def _deliveries(contract: Contract) -> str:
    """Versions that several files brought: what each file says, and which goes first."""
    line = f"CONCAT(CAST(h.line_number AS STRING), ':', MD5({content_sql(contract, 'h')}))"
    content = f"MD5(ARRAY_JOIN(ARRAY_SORT(COLLECT_SET({line})), ','))"
    # As text that sorts: an absent date is written lower than any date.
    dates = [f"COALESCE(CAST(MAX(h.{name}) AS STRING), '0000-00-00')" for name in ("adjudicated_date", "received_date")]
    precedence = f"CONCAT({dates[0]}, '|', {dates[1]}, '|', h.file_id)"
    return (
        f"SELECT h.payer_id, h.claim_id, h.version_key, h.file_id, {content} AS delivery_hash, {precedence} AS precedence, "
        "MIN(h.service_from) AS service_from, MIN(h.received_date) AS received_date "
        f"FROM affected_history AS h INNER JOIN versions ON {same('versions', 'h', _VERSION)} "
        "WHERE versions.several_files GROUP BY h.payer_id, h.claim_id, h.version_key, h.file_id"
    )


def _left_out() -> str:
    """The row ids that a version does without: those of a delivery that lost, and of exact duplicates all but the smallest."""
    line = "h.payer_id, h.claim_id, h.version_key, h.line_number"
    return (
        f"WITH contested AS (SELECT {line}, h.row_id, winners.delivery_hash IS NULL OR deliveries.delivery_hash = winners.delivery_hash "
        f"AS has_won FROM affected_history AS h INNER JOIN versions ON {same('versions', 'h', _VERSION)} "
        f"LEFT JOIN winners ON {same('winners', 'h', _VERSION)} "
        f"LEFT JOIN deliveries ON {same('deliveries', 'h', _VERSION + ', file_id')} WHERE versions.several_files OR versions.may_repeat), "
        f"taken AS (SELECT MIN(h.row_id) AS row_id FROM contested AS h WHERE h.has_won GROUP BY {line}) "
        "SELECT contested.row_id FROM contested LEFT ANTI JOIN taken ON taken.row_id = contested.row_id"
    )


def _reversal_mismatches() -> str:
    unequal = " OR ".join(f"SUM(COALESCE(h.{name}, 0)) <> 0" for name in MONEY)
    return (
        "SELECT DISTINCT payer_id, claim_id FROM (SELECT h.payer_id, h.claim_id FROM affected_history AS h "
        f"INNER JOIN mirrored ON {same('mirrored', 'h', _CLAIM)} AND h.version_key IN (mirrored.version_key, mirrored.reversal_key) "
        "LEFT ANTI JOIN left_out ON left_out.row_id = h.row_id "
        f"GROUP BY h.payer_id, h.claim_id, h.line_number HAVING COUNT(*) <> 2 OR {unequal}) AS unlike"
    )


def _claims() -> str:
    """One row a claim: its current version, and what the lines of that share."""
    dates = ", ".join(
        f"CASE WHEN winners.claim_id IS NULL THEN versions.{name} ELSE winners.{name} END AS {alias}"
        for name, alias in (("service_from", "claim_service_date"), ("received_date", "received_date"))
    )
    return (
        f"SELECT heads.payer_id, heads.claim_id, heads.version_key, heads.claim_version, {dates}, "
        "COALESCE(winners.key_conflict, FALSE) AS key_conflict, heads.has_original = 0 AS original_unknown, "
        f"m.claim_id IS NOT NULL AS reversal_mismatch FROM heads INNER JOIN versions ON {same('versions', 'heads', _VERSION)} "
        f"LEFT JOIN winners ON {same('winners', 'heads', _VERSION)} "
        f"LEFT JOIN reversal_mismatches AS m ON {same('m', 'heads', _CLAIM)}"
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
        f"SELECT {columns} FROM affected_history AS r INNER JOIN claims ON {same('claims', 'r', _VERSION)} "
        "LEFT ANTI JOIN left_out ON left_out.row_id = r.row_id "
        f"LEFT JOIN member_keys ON {same('member_keys', 'r', 'payer_id, member_id')}"
    )


def _warnings() -> str:
    found = {
        "key_conflict": "claims.key_conflict",
        "original_unknown": "claims.original_unknown",
        "reversal_mismatch": "claims.reversal_mismatch",
    }
    named = ", ".join(f"CASE WHEN {condition} THEN '{name}' END" for name, condition in found.items())
    added = f"CONCAT(r.quality_warnings, FILTER(ARRAY({named}), w -> w IS NOT NULL))"
    return f"CASE WHEN {' OR '.join(found.values())} THEN {added} ELSE r.quality_warnings END"
