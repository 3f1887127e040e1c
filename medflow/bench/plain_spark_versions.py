"""Plain Spark: judged lines in, each with its verdict and, where accepted, its place among the versions of its claim out.

Windows over one claim, from the narrowest to the widest, so that one shuffle and one sort serve them all; one more shuffle
compares contents.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - Spark's own usage

from medflow.bench import rules

_CLAIM = ("payer_id", "claim_id")
_BY_CLAIM = "OVER (PARTITION BY payer_id, claim_id)"
_BY_VERSION = "OVER (PARTITION BY payer_id, claim_id, version_key)"
_BY_LINE = "OVER (PARTITION BY payer_id, claim_id, version_key, line_number)"
_BY_LINE_IN_ORDER = "OVER (PARTITION BY payer_id, claim_id, version_key, line_number ORDER BY row_id)"
_BY_CONTENT = "OVER (PARTITION BY payer_id, content)"
_KEYED = "NOT damaged AND claim_id IS NOT NULL AND version_key IS NOT NULL"


def resolved(lines: DataFrame) -> DataFrame:
    """The lines with `verdict` (own, sibling, accepted), `is_current`, and what the current lines of a claim share."""
    return _with_versions(_with_verdict(_with_repeats(lines).repartition(*_CLAIM)))


def with_mismatches(lines: DataFrame) -> DataFrame:
    """Resolved lines with `reversal_mismatch`: the current reversal does not take back the version before it, line by line."""
    pairs = lines.where("reverses AND is_first AND accepted_key IN (last_key, key_before)")
    unequal = " OR ".join(f"SUM(COALESCE({name}, 0)) <> 0" for name in rules.MONEY)
    unlike = pairs.groupBy(*_CLAIM, "line_number").agg(F.expr(f"COUNT(*) <> 2 OR {unequal}").alias("unlike")).where("unlike")
    found = unlike.select(*_CLAIM).distinct().withColumn("reversal_mismatch", F.lit(True))
    return lines.join(F.broadcast(found), [*_CLAIM], "left")


def _with_repeats(lines: DataFrame) -> DataFrame:
    claim = "CASE WHEN NOT damaged THEN claim_id END"
    repeats = F.expr(f"NOT damaged AND MIN({claim}) {_BY_CONTENT} <> MAX({claim}) {_BY_CONTENT}")
    more = F.expr("CASE WHEN repeats THEN ARRAY_APPEND(quality_warnings, 'content_repeats') ELSE quality_warnings END")
    return lines.withColumn("repeats", repeats).withColumn("quality_warnings", more).drop("repeats")


def _with_verdict(lines: DataFrame) -> DataFrame:
    ordered = lines.withColumns(
        {
            # Of a line that stands twice with one content, the smallest row_id is current.
            "is_first": F.expr(f"ROW_NUMBER() {_BY_LINE_IN_ORDER} = 1"),
            "version_differs": F.expr(f"line_number IS NOT NULL AND {_differ('content', _BY_LINE)}"),
        }
    )
    versions = ordered.withColumns(
        {
            "header_differs": F.expr(_differ("header", _BY_VERSION)),
            "claim_service_date": F.expr(f"MIN(service_from) {_BY_VERSION}"),
        }
    )
    own = versions.withColumn("own_error", F.expr("own_error OR header_differs OR version_differs"))
    spoiled = own.withColumn("spoiled", F.expr(f"{_KEYED} AND MAX(own_error AND {_KEYED}) {_BY_VERSION}"))
    # Where the version of a line in error cannot be told, every version of its claim is set aside.
    untold = f"MAX(own_error AND claim_id IS NOT NULL AND (version_key IS NULL OR damaged)) {_BY_CLAIM}"
    verdict = "CASE WHEN own_error THEN 'own' WHEN spoiled OR (untold AND claim_id IS NOT NULL) THEN 'sibling' ELSE 'accepted' END"
    return spoiled.withColumn("untold", F.expr(untold)).withColumn("verdict", F.expr(verdict)).drop("spoiled", "untold")


def _with_versions(lines: DataFrame) -> DataFrame:
    accepted = lines.withColumn("accepted_key", F.expr("CASE WHEN verdict = 'accepted' THEN version_key END"))
    placed = accepted.withColumns(
        {
            "last_key": F.expr(f"MAX(accepted_key) {_BY_CLAIM}"),
            "keys": F.expr(f"SORT_ARRAY(COLLECT_SET(accepted_key) {_BY_CLAIM}, FALSE)"),
            "original_unknown": F.expr(f"NOT MAX(accepted_key IS NOT NULL AND version_kind = 'original') {_BY_CLAIM}"),
        }
    )
    reverses = f"SIZE(keys) > 1 AND MAX(accepted_key = last_key AND version_kind = 'reversal') {_BY_CLAIM}"
    told = placed.withColumns({"claim_version": F.size("keys"), "key_before": F.get("keys", F.lit(1)), "reverses": F.expr(reverses)})
    return told.withColumn("is_current", F.expr("verdict = 'accepted' AND accepted_key = last_key AND is_first")).drop("keys")


def _differ(name: str, window: str) -> str:
    value = f"CASE WHEN {_KEYED} THEN {name} END"
    return f"{_KEYED} AND COALESCE(MIN({value}) {window} <> MAX({value}) {window}, FALSE)"
