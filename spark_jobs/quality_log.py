"""data_quality_log: what rules, checks and gate found in the batch, appended on its branch."""

from __future__ import annotations

import pyarrow as pa

from spark_jobs.run import QUALITY, QualityRow, Run
from spark_jobs.verify import Finding

_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("batch_id", "payer_id", "layer", "rule_id", "severity")),
        ("rows_checked", pa.int64()),
        ("rows_failed", pa.int64()),
        ("failure_rate", pa.float64()),
        ("threshold", pa.float64()),
        ("outcome", pa.string()),
        ("checked_at", pa.timestamp("us", tz="UTC")),
    ]
)


def note_findings(run: Run, findings: list[Finding]) -> None:
    """Keep verification findings for the log."""
    for finding in findings:
        outcome = "refuse" if finding.failed else "pass"
        layer = finding.layer
        run.quality.append(QualityRow("all", layer, finding.check, "error", finding.checked, finding.failed, 0.0, outcome))  # type: ignore[arg-type]


def write_quality_log(run: Run) -> None:
    """Append the run's rows."""
    rows = [
        {
            **{name: getattr(row, name) for name in ("payer_id", "layer", "rule_id", "severity", "rows_checked", "rows_failed")},
            **{name: getattr(row, name) for name in ("failure_rate", "threshold", "outcome")},
            "batch_id": run.batch.id,
            "checked_at": run.started_at,
        }
        for row in run.quality
    ]
    run.engine.rows("quality_rows", pa.Table.from_pylist(rows, _SCHEMA))
    run.writer.append(QUALITY, run.write(QUALITY, "SELECT * FROM quality_rows"))
    run.rows[QUALITY] = len(rows)
