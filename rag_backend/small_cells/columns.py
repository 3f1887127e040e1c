"""The measured columns of a query without shape, each with the sets of lines that its cells reveal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from medflow.specs.semantic import SemanticModel
from rag_backend.query.typed_query import Condition, GroupBy, MetricUse, TypedQuery, Where, Window
from rag_backend.small_cells.line_sets import Counting, Key, LineSet, PreparedLines, equal_to
from rag_backend.small_cells.periods import period
from rag_backend.small_cells.revealed import Revealed, revealed_by


@dataclass(frozen=True)
class MeasuredColumn:
    """One column of numbers. `own` and `window`: what limits this column alone; `reveals`: over all rows, before a group is singled out.

    `adds_up`: its cells sum up to a total. `tested`: only `having` looks at it, and it is not shown. `ratio`: of two numbers, either of
    which it may hide.
    """

    name: str
    metric: str
    own: Where
    window: Window | None
    reveals: tuple[Revealed, ...]
    adds_up: bool
    tested: bool = False
    ratio: bool = False


@dataclass(frozen=True)
class Cells:
    """The cells of a query: its groups, its measured columns and how their lines are counted."""

    query: TypedQuery
    model: SemanticModel

    @cached_property
    def lines(self) -> PreparedLines:
        return PreparedLines(self.model)

    @cached_property
    def counting(self) -> Counting:
        return Counting(self.model, self.query.dimensions)

    @cached_property
    def groups(self) -> Mapping[str, str]:
        """Column that tells a group's rows apart -> its SQL over the prepared lines."""
        return {self.key_column(one): self.lines.value(one.dim, one.grain) for one in self.query.group_by}

    def key_column(self, one: GroupBy) -> str:
        """The column of an answer that tells a group from another: of a dimension that is shown by name, its id."""
        return f"{one.dim}_id" if self.model.dimensions[one.dim].display else one.dim

    @cached_property
    def window(self) -> tuple[str, ...]:
        """Tests of the rows that are asked about at all."""
        time = self.query.time
        if self.query.compare:
            sides = (f"({' AND '.join(self.side(window))})" for window in self.query.compare)
            return (f"({' OR '.join(sides)})",)
        return tuple(self.lines.window(time.date, time.start, time.until)) if time.date else ()

    def side(self, window: Window) -> tuple[str, ...]:
        """Tests of one side of a comparison."""
        return tuple(self.lines.window(self.query.time.date, window.start, window.until))

    @cached_property
    def complete(self) -> tuple[str, ...]:
        """Tests of the rows that are in a group: those without a date, or of a dimension that leaves them out, are in none."""
        named = [(one.dim, self.model.dimensions[one.dim]) for one in self.query.group_by]
        return tuple(f"{self.lines.value(name)} IS NOT NULL" for name, one in named if one.absent == "omit" or one.type == "date")

    def at(self, lines: LineSet, key: Key, dims: Collection[str] = ()) -> LineSet:
        """The lines of one group's cell, written as a filter and a window would be: one cell, one text. `dims`: of which the key is."""
        groups = [one for one in self.query.group_by if not dims or one.dim in dims]
        for one, value in zip(groups, key, strict=True):
            said, tests = self._group_tests(one, value)
            lines = LineSet(tuple(test for test in lines.every if test not in said), lines.but).also(tests)
        return lines

    def _group_tests(self, one: GroupBy, value: object) -> tuple[set[str], list[str]]:
        """What need not be said any more of a group's lines, and what is said of them."""
        said = {f"{self.lines.value(one.dim)} IS NOT NULL"}
        if self.model.dimensions[one.dim].type != "date":
            given = {"dim": one.dim, "op": "is_null"} if value is None else {"dim": one.dim, "op": "in", "values": (value,)}
            return said, self.lines.conditions(((Condition.model_validate(given),),))
        days = period(value, one.grain)
        if days is None:
            return said, [equal_to(self.lines.value(one.dim, one.grain), value)]
        time = self.query.time
        if one.dim != time.date or self.query.compare:
            return said, self.lines.window(one.dim, *days)
        start = max(day for day in (days[0], time.start) if day)
        until = min(day for day in (days[1], time.until) if day)
        return said | set(self.window), self.lines.window(one.dim, start, until)

    @cached_property
    def all_lines(self) -> LineSet:
        """The lines of all cells, whatever is measured of them."""
        return LineSet((*self.complete, *self.lines.conditions(self.query.where), *self.window))

    @cached_property
    def columns(self) -> tuple[MeasuredColumn, ...]:
        """Those that are shown, then those that `having` tests."""
        return (*self._shown(), *self._tested())

    def _shown(self) -> Iterator[MeasuredColumn]:
        for use in self.query.metrics:
            names, of_group = self.query.outputs(use), use.transform == "share_of_group"
            for number, window in enumerate(self.query.compare):
                yield (self._share if of_group else self._column)(names[number], use, window)
            if not self.query.compare:
                yield self._column(use.column, use)
                if of_group:
                    yield self._share(names[1], use)

    def _tested(self) -> Iterator[MeasuredColumn]:
        for number, one in enumerate(self.query.having):
            yield self._column(f"test_{one.metric}{number}", MetricUse(id=one.metric), tested=True)

    def _column(self, name: str, use: MetricUse, window: Window | None = None, *, tested: bool = False) -> MeasuredColumn:
        own = (*self.lines.conditions(use.where), *(self.side(window) if window else ()))
        tests = (*self.all_lines.every, *own)
        reveals = tuple(Revealed(one.quantity, LineSet(tests).within(one.lines)) for one in revealed_by(use.id, self.model))
        declared = self.model.metrics[use.id]
        adds_up = bool(declared.sum) or (bool(declared.count) and self.model.entities[declared.count].dated)
        return MeasuredColumn(name, use.id, use.where, window, reveals, adds_up, tested, bool(declared.ratio))

    def _share(self, name: str, use: MetricUse, window: Window | None = None) -> MeasuredColumn:
        """A share of a row's own whole: it reveals the part, the whole, and what the part leaves of it."""
        part = self._column(name, use, window)
        whole = self._column(name, MetricUse(id=use.id), window)
        rest = (Revealed(one.quantity, one.lines.without(of.lines)) for one, of in zip(whole.reveals, part.reveals, strict=True))
        reveals = tuple(dict.fromkeys((*part.reveals, *whole.reveals, *rest)))
        return MeasuredColumn(name, use.id, (), window, reveals, adds_up=False, ratio=True)
