"""How the rows of an answer are drawn: a mark and names of columns, told from the typed query and the table. Nothing in it runs.

Time is a line; one group is bars; two groups are told apart by colour; what no picture shows well is a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medflow.specs.semantic import SemanticModel
from rag_backend.agents.turn import Turn
from rag_backend.engines.base import Table
from rag_backend.labels import name_label
from rag_backend.query.compile import OutputColumn
from rag_backend.query.typed_query import MetricUse, TypedQuery

Mark = Literal["bar", "line", "area", "point", "table"]
_STRETCHES = ("none", "day", "week", "month", "quarter", "year")
_BARS, _COLORS, _POINTS, _SIDE_BY_SIDE = 30, 12, 1_000, 4
_ENOUGH_FOR_POINTS = 8
_PAIR = 2
_MASKED = 0.25  # share of rows with a masked number from which a picture would mislead


@dataclass(frozen=True)
class Chart:
    """A closed spec: `x`, `y` and `color` name columns of the answer; `point` has a metric's column as x. A table has none of them."""

    mark: Mark
    x: str = ""
    y: tuple[str, ...] = ()
    color: str = ""
    title: str = ""


def chart_of(turn: Turn, model: SemanticModel) -> Chart | None:
    """How the turn's table is drawn; None where there is no table."""
    if turn.table is None or turn.refusal is not None:
        return None
    if turn.query is None or turn.compiled is None or turn.query.form == "list" or turn.table.truncated:
        return Chart("table")
    drawn = _Drawn(turn.query, model, turn.compiled.columns, turn.table)
    chart = drawn.chart()
    masked = {row for row, column, _ in turn.suppressed if column in (chart.x, *chart.y)}
    return drawn.as_table if len(masked) > _MASKED * len(turn.table.rows) else chart


@dataclass(frozen=True)
class _Drawn:
    query: TypedQuery
    model: SemanticModel
    columns: Sequence[OutputColumn]
    table: Table

    @property
    def as_table(self) -> Chart:
        return Chart("table", title=self._title(self._alike()))

    def chart(self) -> Chart:
        """The picture, or the table."""
        drawn = self._alike()
        groups = [self._column_of(one.dim) for one in self.query.group_by]
        if len(self.table.rows) < _PAIR or not drawn or "" in groups:
            return self.as_table
        if len(groups) == 1:
            return self._of_one_group(groups[0], drawn)
        return self._of_two_groups(groups[0], groups[1], drawn) if len(groups) == _PAIR and not self.query.compare else self.as_table

    def _of_one_group(self, group: str, drawn: tuple[str, ...]) -> Chart:
        rows = len(self.table.rows)
        if self._is_time(0):
            running = self.query.metrics[0].transform == "running_total" and len(drawn) == 1
            return Chart("area" if running else "line", group, drawn, "", self._title(drawn)) if rows <= _POINTS else self.as_table
        if two := self._two_measures():
            return Chart("point", two[0], two[1:], group if rows <= _COLORS else "", self._title(two))
        return Chart("bar", group, drawn, "", self._title(drawn)) if rows <= _BARS else self.as_table

    def _of_two_groups(self, first: str, second: str, drawn: tuple[str, ...]) -> Chart:
        times = (self._is_time(0), self._is_time(1))
        along, beside = (second, first) if times[1] else (first, second)
        one = drawn[:1]
        if all(times) or self._different(beside) > _COLORS:
            return self.as_table
        if any(times):
            return Chart("line", along, one, beside, self._title(one)) if len(self.table.rows) <= _POINTS else self.as_table
        return Chart("bar", along, one, beside, self._title(one)) if self._different(along) <= _BARS else self.as_table

    def _alike(self) -> tuple[str, ...]:
        """What is drawn side by side: of each metric its number as it was asked for, as far as all are measured in the same."""
        named = [name for use in self.query.metrics for name in self._asked(use)]
        units = {column.name: column.unit for column in self.columns if column.kind == "metric"}
        there = [name for name in named if name in units]
        return tuple(name for name in there if units[name] == units[there[0]])[:_SIDE_BY_SIDE]

    def _asked(self, use: MetricUse) -> tuple[str, ...]:
        names = self.query.outputs(use)
        if self.query.compare:
            return names[:_PAIR]
        return names[1:_PAIR] if use.transform.startswith("share") or use.transform == "running_total" else names[:1]

    def _two_measures(self) -> tuple[str, ...]:
        """Two metrics measured in different things, of many groups: one against the other."""
        if self.query.compare or len(self.query.metrics) != _PAIR or len(self.table.rows) < _ENOUGH_FOR_POINTS:
            return ()
        units = {column.name: column.unit for column in self.columns}
        names = tuple(name for use in self.query.metrics for name in self._asked(use) if name in units)
        return names if len({units[name] for name in names}) == _PAIR else ()

    def _column_of(self, dim: str) -> str:
        """The column of a group: its name, or where two have the same name, what tells them apart."""
        names = [column.name for column in self.columns if column.kind == "group"]
        if dim not in names:
            return ""
        key = f"{dim}_id"
        return key if key in names and self._different(key) != self._different(dim) else dim

    def _different(self, column: str) -> int:
        place = [one.name for one in self.columns].index(column)
        return len({str(row[place]) for row in self.table.rows})

    def _is_time(self, place: int) -> bool:
        one = self.query.group_by[place]
        return self.model.dimensions[one.dim].type == "date" and one.grain in _STRETCHES

    def _title(self, drawn: tuple[str, ...]) -> str:
        labels = {column.name: column.label for column in self.columns}
        measured = [labels[name] for name in drawn]
        if self.query.compare and self.query.metrics:
            measured = [self.model.metrics[self.query.metrics[0].id].label]
        groups = [one.grain.replace("_", " ") if one.grain != "none" else name_label(self.model, one.dim) for one in self.query.group_by]
        return " by ".join(part for part in (" and ".join(measured), " and ".join(groups)) if part)
