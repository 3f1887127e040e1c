"""The quality gate: figures of the batch and of the payer's last batches in, one verdict a payer and rule out.

A refused batch publishes nothing; its message names payer, rule, counts and the first bad file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from medflow.errors import GateRefused
from medflow.specs.codes import Drift
from spark_jobs.run import PayerFigures, QualityRow, Run

_EXEMPT = frozenset({"replay", "waive", "rebuild", "recovery"})
_LAST_BATCHES = 5


def pass_gate(run: Run) -> None:
    """Judge the batch.

    Raises:
        GateRefused: a figure is outside what the gate allows.
    """
    rows = [*_rule_rows(run), *_error_share_rows(run)]
    for payer, figures in run.figures.items():
        history = run.ledger.statistics(payer, _LAST_BATCHES)
        rows += _drift_rows(run, payer, figures, history)
    run.quality += rows
    refused = [row for row in rows if row.outcome == "refuse"]
    if refused and run.batch.kind not in _EXEMPT:
        raise GateRefused(_message(run, refused))


def gate_result(run: Run) -> dict[str, Any]:
    """What `run --json` says of the gate."""
    rows = [row for row in run.quality if row.layer == "gate"]
    worst = next((outcome for outcome in ("refuse", "warn") if any(row.outcome == outcome for row in rows)), "pass")
    if run.batch.kind in _EXEMPT:
        worst = "exempt"
    payers = {
        payer: {"lines": figures.lines, "own_errors": figures.own_errors, "siblings": figures.siblings}
        for payer, figures in run.figures.items()
    }
    findings = [
        {"payer": row.payer_id, "rule": row.rule_id, "outcome": row.outcome, "rate": round(row.failure_rate, 6)}
        for row in rows
        if row.outcome != "pass"
    ]
    return {"outcome": worst, "payers": payers, "findings": findings}


def payer_statistics(run: Run) -> dict[str, Any]:
    """What later batches are compared with."""
    return {payer: {"lines": f.lines, "median_billed": f.median_billed} for payer, f in run.figures.items()}


def _rule_rows(run: Run) -> list[QualityRow]:
    contract = run.knowledge_base.contract
    severities = {rule.id: rule.severity for rule in contract.rules}
    rows = []
    for payer, figures in run.figures.items():
        for rule, failed in figures.rules.items():
            rows.append(QualityRow(payer, "silver", rule, severities[rule], figures.lines, failed, None, "warn" if failed else "pass"))
        sibling = contract.sibling_rule.id
        aside = figures.siblings
        rows.append(QualityRow(payer, "silver", sibling, "error", figures.lines, aside, None, "warn" if aside else "pass"))
    return rows


def _error_share_rows(run: Run) -> list[QualityRow]:
    gate = run.knowledge_base.gate.error_share
    lines = {payer: (figures.lines, figures.own_errors) for payer, figures in run.figures.items()}
    lines["all"] = (sum(n for n, _ in lines.values()), sum(failed for _, failed in lines.values()))
    rows = []
    for payer, (read, failed) in lines.items():
        share = failed / read if read else 0.0
        outcome = "refuse" if share >= gate.refuse_at else "warn" if share >= gate.warn_at else "pass"
        if outcome == "refuse" and read < gate.warn_only_under_lines:
            outcome = "warn"
        rows.append(QualityRow(payer, "gate", "error_share", "error", read, failed, gate.refuse_at, outcome))  # type: ignore[arg-type]
    return rows


def _drift_rows(run: Run, payer: str, figures: PayerFigures, history: Sequence[Mapping[str, Any]]) -> list[QualityRow]:
    gate = run.knowledge_base.gate
    checks = [
        ("line_volume", gate.line_volume, float(figures.lines), [entry["lines"] for entry in history]),
        ("median_billed", gate.median_billed, figures.median_billed, [entry["median_billed"] for entry in history]),
    ]
    return [_drift(payer, rule, drift, value, past, figures.lines) for rule, drift, value, past in checks]


def _drift(payer: str, rule: str, drift: Drift, value: float | None, past: Sequence[float | None], lines: int) -> QualityRow:
    known = [entry for entry in past if entry]
    outside = False
    if value is not None and len(known) >= drift.from_batch - 1:
        low, high = (factor * median(known) for factor in drift.outside)
        outside = not low <= value <= high
    severity = "error" if drift.outcome == "refuse" else "warn"
    return QualityRow(payer, "gate", rule, severity, lines, lines if outside else 0, None, drift.outcome if outside else "pass")  # type: ignore[arg-type]


def _message(run: Run, refused: list[QualityRow]) -> str:
    told = []
    for row in refused:
        if row.rule_id == "error_share":
            worst = _worst_rule(run, row.payer_id)
            told.append(
                f"{row.payer_id}: {row.rows_failed} of {row.rows_checked} lines ({row.failure_rate:.1%}) have an error of their own, "
                f"refused from {row.threshold:.0%}{worst}"
            )
        else:
            told.append(f"{row.payer_id}: {row.rule_id} is outside what the payer's last batches allow ({row.rows_checked} lines)")
    return (
        f"the quality gate refused batch {run.batch.id}; nothing was published:\n  " + "\n  ".join(told) + "\n"
        f"look at the lines: medflow quarantine list --batch {run.batch.id}; then mend the files or the rules, or "
        "`medflow files exclude` a file, and run again"
    )


def _worst_rule(run: Run, payer: str) -> str:
    chosen = run.figures.items() if payer == "all" else [(payer, run.figures[payer])]
    severities = {rule.id: rule.severity for rule in run.knowledge_base.contract.rules}
    counts = {(rule, of): n for of, figures in chosen for rule, n in figures.rules.items() if n and severities[rule] == "error"}
    if not counts:
        return ""
    (rule, of), count = max(counts.items(), key=lambda item: item[1])
    return f"; most often {rule} ({count} lines, first in {run.figures[of].first_bad_file or 'no file'})"
