"""What is read of the quality log and of the queue of lines that were set aside: two SELECTs in Spark SQL. No raw text is in them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FixedRead:
    """A SELECT of ours over one table, and what its columns are, in their order."""

    table: str
    columns: tuple[str, ...]
    sql: str


QUALITY = FixedRead(
    "healthcare.data_quality_log",
    ("batch_id", "source", "layer", "rule", "severity", "checked", "failed", "rate", "threshold", "outcome", "checked_at"),
    "SELECT batch_id, payer_id, layer, rule_id, severity, rows_checked, rows_failed, failure_rate, threshold, outcome, checked_at"
    " FROM healthcare.data_quality_log ORDER BY checked_at DESC, batch_id, payer_id, layer, rule_id",
)
QUARANTINE = FixedRead(
    "healthcare.claims_quarantined",
    ("source", "rule", "status", "lines"),
    "SELECT payer_id, broken.rule_id AS rule, status, COUNT(DISTINCT row_id) AS lines FROM"
    " (SELECT payer_id, status, row_id, EXPLODE(errors) AS broken FROM healthcare.claims_quarantined) AS queue"
    " GROUP BY payer_id, broken.rule_id, status ORDER BY payer_id, rule, status",
)
