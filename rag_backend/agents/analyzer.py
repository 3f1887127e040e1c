"""Analyzer: what the numbers show by rules that are written down; it reads the table and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import median

from medflow.specs.semantic import SemanticModel
from rag_backend.agents.turn import Finding, Services, Turn
from rag_backend.labels import labelled

_HALF = 0.5
_TWO = 2
_OUTLIER = 3.5 * 1.4826  # median absolute deviations, scaled to a normal distribution's standard deviation
_ENOUGH = 8


def analyzer(turn: Turn, services: Services) -> Turn:
    """The turn with its findings: half of a total in one group, and values far off the rest."""
    if turn.table is None or turn.compiled is None or turn.table.truncated:
        return turn
    groups = [column for column in turn.compiled.columns if column.kind == "group"]
    metrics = [column for column in turn.compiled.columns if column.kind == "metric"]
    if len(groups) != 1 or len(metrics) != 1:
        return turn
    place = turn.compiled.columns.index(metrics[0])
    cells = [row[place] for row in turn.table.rows]
    values = [float(cell) for cell in cells if isinstance(cell, (int, float, Decimal))]
    if len(values) != len(cells) or len(values) < _TWO:
        return turn
    names = [str(labelled(services.model, groups[0].name, row[0])) for row in turn.table.rows]
    measured = Measured(metrics[0].name, names, values)
    adds_up = _adds_up(turn, services.model)
    return replace(turn, findings=(*(_concentration(measured) if adds_up else ()), *_outliers(measured)))


@dataclass(frozen=True)
class Measured:
    """One metric of named groups."""

    column: str
    names: Sequence[str]
    values: Sequence[float]


def _adds_up(turn: Turn, model: SemanticModel) -> bool:
    """Whether the rows are all groups of something that adds up over them."""
    query = turn.query
    if query is None or query.limit.n or query.having or query.metrics[0].stat != "default":
        return False
    metric = model.metrics[query.metrics[0].id]
    return bool(metric.sum) or (bool(metric.count) and model.entities[metric.count].dated)


def _concentration(measured: Measured) -> list[Finding]:
    total, top = sum(measured.values), max(measured.values)
    if total <= 0 or top < _HALF * total:
        return []
    row = measured.values.index(top)
    return [Finding("concentration", f"{measured.names[row]} has {top / total:.0%} of the total", ((row, measured.column),))]


def _outliers(measured: Measured) -> list[Finding]:
    if len(measured.values) < _ENOUGH:
        return []
    middle = median(measured.values)
    spread = median(abs(value - middle) for value in measured.values)
    rows = [row for row, value in enumerate(measured.values) if spread and abs(value - middle) >= _OUTLIER * spread]
    return [Finding("outlier", f"{measured.names[row]} is far from the other groups", ((row, measured.column),)) for row in rows[:3]]
