"""Analyzer: what the numbers show by rules that are written down; it reads the table and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from medflow.specs.semantic import SemanticModel
from rag_backend.agents.series import Point, complete, last_two, trend
from rag_backend.agents.turn import Finding, Services, Turn
from rag_backend.labels import labelled, period_label
from rag_backend.query.problems import sums_over_time

_HALF = 0.5
_TWO = 2
_OUTLIER = 3.5 * 1.4826  # median absolute deviations, scaled to a normal distribution's standard deviation
_ENOUGH = 8
_STRETCHES = ("none", "day", "week", "month", "quarter", "year")


def analyzer(turn: Turn, services: Services) -> Turn:
    """The turn with its findings: half of a total in one group, values far off the rest, a change, a trend. Masked cells have none."""
    measured = _measured(turn, services.model)
    if measured is None:
        return turn
    over_time = _over_time(turn, services, measured)
    adds_up = _adds_up(turn, services.model)
    found = (*(_concentration(measured) if adds_up and over_time is None else ()), *_outliers(measured))
    return replace(turn, findings=(*found, *(over_time or ())))


@dataclass(frozen=True)
class Measured:
    """One metric of named groups; `groups` are their values."""

    column: str
    names: Sequence[str]
    groups: Sequence[object]
    values: Sequence[float]


def _measured(turn: Turn, model: SemanticModel) -> Measured | None:
    """The numbers of one metric by one group, if that is what the table is and it is whole."""
    if turn.table is None or turn.compiled is None or turn.table.truncated:
        return None
    groups = [column for column in turn.compiled.columns if column.kind == "group"]
    metrics = [column for column in turn.compiled.columns if column.kind == "metric"]
    if len(groups) != 1 or len(metrics) != 1:
        return None
    place = turn.compiled.columns.index(metrics[0])
    cells = [row[place] for row in turn.table.rows]
    values = [float(cell) for cell in cells if isinstance(cell, (int, float, Decimal))]
    if len(values) != len(cells) or len(values) < _TWO:
        return None
    names = [str(labelled(model, groups[0].name, row[0])) for row in turn.table.rows]
    return Measured(metrics[0].name, names, [row[0] for row in turn.table.rows], values)


def _adds_up(turn: Turn, model: SemanticModel) -> bool:
    """Whether the rows are all groups of something that adds up over them, nothing being in two of them."""
    query = turn.query
    if query is None or query.limit.n or query.having or query.metrics[0].stat != "default":
        return False
    metric, group = model.metrics[query.metrics[0].id], model.dimensions[query.group_by[0].dim]
    in_several = group.overlapping or (group.level == "line" and bool(metric.count) and model.entities[metric.count].dated)
    return sums_over_time(model, query.metrics[0]) and not in_several


def _over_time(turn: Turn, services: Services, measured: Measured) -> list[Finding] | None:
    """The change between the last two complete periods and a trend over them; None where the groups are no stretches of time."""
    query = turn.query
    if query is None or not query.group_by or query.group_by[0].grain not in _STRETCHES:
        return None
    dim, grain = query.group_by[0].dim, query.group_by[0].grain
    days = [date(group, 1, 1) if isinstance(group, int) else group for group in measured.groups]
    if services.model.dimensions[dim].type != "date" or not all(isinstance(day, date) for day in days) or dim not in services.spans:
        return None
    first, last = services.spans[dim]
    first, until = first.replace(day=1), min(last + timedelta(days=1), turn.today)
    if query.time.date == dim:
        first, until = max(first, query.time.start or first), min(until, query.time.until or until)
    points = [Point(row, day, value) for row, (day, value) in enumerate(zip(days, measured.values, strict=True)) if isinstance(day, date)]
    return list(_seen(complete(points, grain, first, until), grain, measured))


def _seen(points: list[Point], grain: str, measured: Measured) -> Iterator[Finding]:
    if pair := last_two(points, grain):
        before, after = pair
        share = (after.value - before.value) / abs(before.value)
        said = f"{abs(share):.1%} {'above' if share > 0 else 'below'}" if share else "the same as"
        text = f"{period_label(after.start, grain)} is {said} {period_label(before.start, grain)}"
        yield Finding("change", text, ((before.row, measured.column), (after.row, measured.column)))
    if found := trend(points):
        way, chance = found
        cells = tuple((one.row, measured.column) for one in points)
        yield Finding("trend", f"the number {way} over the {len(points)} complete periods (Mann-Kendall, p = {chance:.3f})", cells)


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
