"""What a cell is limited to, as far as it can be told without looking at lines: enough to see that two cells have none in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

import sqlglot
from sqlglot import exp

from medflow.specs.semantic import SemanticModel
from rag_backend.query.typed_query import GroupBy, Where
from rag_backend.small_cells.columns import Cells, MeasuredColumn
from rag_backend.small_cells.line_sets import Key
from rag_backend.small_cells.periods import LONGEST, period


@dataclass(frozen=True)
class Bounds:
    """`values`: dimension (with the grain of a date) -> the values that there may be; `days`: date -> from, to the day before.

    `about`: everything that the cell is limited by, dimensions of one key under one name.
    """

    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    days: Mapping[str, tuple[date | None, date | None]] = field(default_factory=dict)
    about: frozenset[str] = frozenset()

    def apart(self, other: Bounds) -> bool:
        """Whether no line can be of both."""
        values = [(held, other.values[name]) for name, held in self.values.items() if name in other.values]
        days = [(held, other.days[name]) for name, held in self.days.items() if name in other.days]
        return any(not one & two for one, two in values) or any(_before(one, two) or _before(two, one) for one, two in days)

    def within_one(self, one: GroupBy) -> bool:
        """Whether this lies in a single group of a grouping."""
        if one.dim not in self.days:
            return len(self.values.get(one.dim if one.grain == "none" else f"{one.dim} {one.grain}", ())) == 1
        start, until = self.days[one.dim]
        return start is not None and until is not None and (until - start).days <= LONGEST.get(one.grain, 0)


def _before(one: tuple[date | None, date | None], other: tuple[date | None, date | None]) -> bool:
    return one[1] is not None and other[0] is not None and one[1] <= other[0]


def bounds_of(cells: Cells, column: MeasuredColumn) -> Bounds:
    """What all cells of a column are limited to."""
    found = Bounds()
    for where in (cells.query.where, column.own):
        found = _where(found, where, cells.model)
    time = cells.query.time
    if time.date:
        window = column.window or time
        found = _days(found, time.date, (window.start, window.until))
    return found


def bounds_at(bounds: Bounds, cells: Cells, key: Key, dims: Collection[str] = ()) -> Bounds:
    """The same for one group's cell. `dims`: of which the key is, if not of all groups."""
    groups = [one for one in cells.query.group_by if not dims or one.dim in dims]
    for one, value in zip(groups, key, strict=True):
        days = period(value, one.grain) if cells.model.dimensions[one.dim].type == "date" else None
        if days:
            bounds = _days(bounds, one.dim, days)
        else:
            name = one.dim if one.grain == "none" else f"{one.dim} {one.grain}"
            bounds = _values(bounds, name, frozenset({str(value)}), family(cells.model, one.dim))
    return bounds


def family(model: SemanticModel, dim: str) -> str:
    """What a dimension is told by: that of a joined table by the key of the join, as is the key itself."""
    declared = model.dimensions[dim]
    if declared.join:
        return model.joins[declared.join].left
    columns = sqlglot.parse_one(declared.ranges.over if declared.ranges else declared.sql, read="spark").find_all(exp.Column)
    return ", ".join(sorted({column.name for column in columns}))


def _where(bounds: Bounds, where: Where, model: SemanticModel) -> Bounds:
    for group in where:
        about = frozenset(family(model, one.dim) for one in group)
        if len(group) == 1 and group[0].op == "in":
            bounds = _values(bounds, group[0].dim, frozenset(map(str, group[0].values)), *about)
        else:
            bounds = Bounds(bounds.values, bounds.days, bounds.about | about)
    return bounds


def _values(bounds: Bounds, name: str, values: frozenset[str], about: str) -> Bounds:
    both = values & bounds.values.get(name, values)
    return Bounds({**bounds.values, name: both}, bounds.days, bounds.about | {about})


def _days(bounds: Bounds, name: str, days: tuple[date | None, date | None]) -> Bounds:
    start, until = bounds.days.get(name, (None, None))
    starts, ends = [day for day in (start, days[0]) if day], [day for day in (until, days[1]) if day]
    both = (max(starts) if starts else None, min(ends) if ends else None)
    return Bounds(bounds.values, {**bounds.days, name: both}, bounds.about | {name})
