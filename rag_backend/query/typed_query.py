"""The typed query: the one thing that every planner writes and the one compiler reads. Values only.

Every field is always there; what is not asked for is an empty list or ''. It names metrics, dimensions and entities of the
semantic model, never tables or columns, so that a join on the wrong key or a sum at the wrong grain cannot be written down.
"""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from medflow.specs.semantic import Grain
from medflow.specs.table import Declared

Day = datetime.date
Value = str | int | float
PERIODS: dict[str, Grain] = {"day": "day", "week": "week", "month": "month", "quarter": "quarter", "year": "year"}
"""The stretches of time that a number can be taken of first."""
Transform = Literal["none", "share_of_total", "share_of_first_group", "share_of_group", "running_total", "change", "rank"]
"""`share_of_group`: what a metric's own `where` takes of the same metric, in each row (docs/decisions/0021)."""
Comparison = Literal["eq", "ne", "lt", "le", "gt", "ge"]


class Condition(Declared):
    """One test of a dimension."""

    dim: str
    op: Literal["in", "not_in", "lt", "le", "gt", "ge", "starts_with", "has", "is_null", "not_null"]
    values: tuple[Value, ...] = ()


Where = tuple[tuple[Condition, ...], ...]
"""All of the groups hold; of a group, one condition does."""


def listed(where: Where) -> list[Condition]:
    """The conditions that hold alone, without an alternative, and list the values of a dimension."""
    return [group[0] for group in where if len(group) == 1 and group[0].op == "in"]


class MetricUse(Declared):
    """A metric as it is asked for; `where` limits this metric alone."""

    id: str
    stat: Literal["default", "mean", "median", "p90", "min", "max"] = "default"
    transform: Transform = "none"
    where: Where = ()

    @property
    def column(self) -> str:
        """What its column is called."""
        return self.id if self.stat == "default" else f"{self.id}_{self.stat}"


class GroupBy(Declared):
    """A dimension that numbers are split by; a date takes a grain."""

    dim: str
    grain: Grain = "none"


class Having(Declared):
    """A test of a metric of a row: against `value`, or against the average row, the total, or the row's parent group.

    `where` limits what is tested of a unit: members with a line of one kind and a line of another.
    """

    metric: str
    op: Comparison
    value: float | None = None
    of: Literal["", "average", "total", "parent_group"] = ""
    where: Where = ()


class Unit(Declared):
    """Aggregate for each of these first: an entity, or a stretch of the query's date. `having` leaves units out."""

    entity: str = ""
    having: tuple[Having, ...] = ()

    @property
    def period(self) -> Grain | None:
        """The stretch of time that it is."""
        return PERIODS.get(self.entity)


class Time(Declared):
    """A window of a date dimension: from the first day to the day before `until`; None = open."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    date: str = ""
    start: Day | None = Field(default=None, validation_alias="from", serialization_alias="from")
    until: Day | None = Field(default=None, validation_alias="to", serialization_alias="to")


class Window(Declared):
    """One side of a comparison: a window of the query's date."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    label: str
    start: Day = Field(validation_alias="from", serialization_alias="from")
    until: Day = Field(validation_alias="to", serialization_alias="to")


class Order(Declared):
    """`by` names a metric or a dimension of the query."""

    by: str
    desc: bool = False


class Limit(Declared):
    """`n` rows (0 = all), after `offset`, for each value of `per`; `ties` takes all rows that are equal to the last."""

    n: int = 0
    offset: int = 0
    per: tuple[str, ...] = ()
    ties: bool = False


class TypedQuery(Declared):
    """A question, as data."""

    form: Literal["measure", "list"] = "measure"
    entity: str = ""
    metrics: tuple[MetricUse, ...] = ()
    group_by: tuple[GroupBy, ...] = ()
    where: Where = ()
    unit: Unit = Unit()
    having: tuple[Having, ...] = ()
    time: Time = Time()
    compare: tuple[Window, ...] = ()
    order_by: tuple[Order, ...] = ()
    limit: Limit = Limit()

    @property
    def dimensions(self) -> frozenset[str]:
        """Every dimension that is named, the date of the window among them."""
        own = [*(one.where for one in self.metrics), *(one.where for one in self.unit.having)]
        conditions = [c for where in (self.where, *own) for group in where for c in group]
        named = [*(one.dim for one in self.group_by), *(one.dim for one in conditions), *self.limit.per, self.time.date]
        return frozenset(name for name in named if name)

    def outputs(self, use: MetricUse) -> tuple[str, ...]:
        """The columns that one of its metrics becomes."""
        if self.compare:
            prefix = f"{use.column}_" if len(self.metrics) > 1 else ""
            return tuple(f"{prefix}{part}" for part in ("before", "after", "change", "change_pct"))
        if use.transform == "change":
            return use.column, f"{use.column}_change", f"{use.column}_change_pct"
        return (use.column,) if use.transform == "none" else (use.column, f"{use.column}_{use.transform}")
