"""What a masked table becomes: shares, running totals, changes and ranks that give nothing away, then having, order and limit.

The numbers are the engine's own; a number that rests on a masked one is masked. The order of rows is that of `query.shape`.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_backend.engines.base import Cell
from rag_backend.query.typed_query import Having, MetricUse
from rag_backend.small_cells.columns import Cells, MeasuredColumn
from rag_backend.small_cells.counts import LineCounts
from rag_backend.small_cells.history import History
from rag_backend.small_cells.line_sets import Key
from rag_backend.small_cells.masks import Masks
from rag_backend.small_cells.totals import Totals

Row = dict[str, Cell]
_TESTS: dict[str, Callable[[float, float], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@dataclass(frozen=True)
class Shape:
    """One query's measured rows on their way to the answer's."""

    cells: Cells
    masks: Masks
    counts: LineCounts
    history: History

    def key_of(self, row: Row) -> Key:
        return tuple(row[name] for name in self.cells.groups)

    def derived(self, rows: Sequence[Row]) -> set[tuple[Key, str]]:
        """The cells of derived columns that must be masked; ranks are told anew, among what is shown."""
        found: set[tuple[Key, str]] = set()
        for use in self.cells.query.metrics:
            if self.cells.query.compare:
                found |= set(self._compared(use, rows))
            elif use.transform not in ("none", "share_of_group"):  # a share of its own row is measured, and masked as such
                found |= set(self._transformed(use, rows))
        return found

    def _compared(self, use: MetricUse, rows: Sequence[Row]) -> Iterator[tuple[Key, str]]:
        before, after, *changes = self.cells.query.outputs(use)
        for key in map(self.key_of, rows):
            if self.masks.masked(key, before) or self.masks.masked(key, after):
                yield from ((key, name) for name in changes)

    def _transformed(self, use: MetricUse, rows: Sequence[Row]) -> Iterator[tuple[Key, str]]:
        name, *more = self.cells.query.outputs(use)[1:]
        hidden = {key for key in map(self.key_of, rows) if self.masks.masked(key, use.column)}
        if use.transform.startswith("share"):
            totals = Totals(self.masks, self._column(use.column), self.counts, use.transform == "share_of_first_group")
            closed = totals.closed | self.history.learned(totals)
            keys = map(self.key_of, rows)
            yield from ((key, name) for key in keys if key in hidden or key in totals.leaves_few or totals.of(key) in closed)
        elif use.transform == "rank":
            _rank([row for row in rows if self.key_of(row) not in hidden], use.column, name)
            yield from ((key, name) for key in hidden)
        else:
            for series in self._series(rows):
                masked = [self.key_of(row) in hidden for row in series]
                for place, row in enumerate(series):
                    near = masked[: place + 1] if use.transform == "running_total" else masked[max(0, place - 1) : place + 1]
                    if any(near):
                        yield from ((self.key_of(row), column) for column in (name, *more))

    def _series(self, rows: Sequence[Row]) -> list[list[Row]]:
        """The rows of each of the other groups along the date."""
        dated = next(one.dim for one in self.cells.query.group_by if self.cells.model.dimensions[one.dim].type == "date")
        found: dict[Key, list[Row]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: row[dated]):  # type: ignore[arg-type,return-value]  # dates, or numbers of one grain
            found[tuple(value for name, value in row.items() if name in self.cells.groups and name != dated)].append(row)
        return list(found.values())

    def _column(self, name: str) -> MeasuredColumn:
        return next(column for column in self.cells.columns if column.name == name)

    def kept(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that pass every threshold; what is masked, or tested against what may not be known, passes none."""
        for number, one in enumerate(self.cells.query.having):
            rows = list(self._passing(one, number, rows))
        return list(rows)

    def _passing(self, one: Having, number: int, rows: Sequence[Row]) -> Iterator[Row]:
        tested, against = f"test_{one.metric}{number}", f"against_{one.metric}{number}"
        open_ = [row for row in rows if not self.masks.masked(self.key_of(row), tested)]
        whole = bool(self.cells.model.metrics[one.metric].ratio) or one.of in ("total", "parent_group")
        if one.of == "average" and not whole:
            values = [float(str(row[tested])) for row in open_ if row[tested] is not None]
            level: float | None = sum(values) / len(values) if values else None
            yield from (row for row in open_ if _passes(one, row[tested], level))
            return
        totals = Totals(self.masks, self._column(tested), self.counts, one.of == "parent_group") if one.of else None
        closed = totals.closed if totals else set()
        for row in open_:
            if (totals is None or totals.of(self.key_of(row)) not in closed) and _passes(one, row[tested], row[against]):
                yield row


def _passes(one: Having, value: Cell, level: Cell) -> bool:
    return value is not None and level is not None and _TESTS[one.op](float(str(value)), float(str(level)))


def _rank(rows: Sequence[Row], column: str, name: str) -> None:
    values = sorted((value for row in rows if (value := row[column]) is not None), reverse=True)  # type: ignore[type-var]
    places: dict[Cell, int] = {}
    for place, value in enumerate(values, start=1):
        places.setdefault(value, place)
    for row in rows:
        row[name] = places.get(row[column], len(values) + 1)


@dataclass(frozen=True)
class Order:
    """Keys of an order, each with whether it goes down; what is none comes last either way."""

    keys: tuple[tuple[str, bool], ...]

    def sorted(self, rows: Sequence[Row]) -> list[Row]:
        found = list(rows)
        for name, down in reversed(self.keys):
            there = sorted((row for row in found if row[name] is not None), key=lambda row: row[name], reverse=down)  # type: ignore[arg-type,return-value]
            found = there + [row for row in found if row[name] is None]
        return found


def orders(cells: Cells, names: Sequence[str], groups: Sequence[str]) -> tuple[Order, Order]:
    """The order that was asked for, and the one that leaves no two rows equal. Without one dates go up, else the first number goes down."""
    query = cells.query
    columns = {use.id: use.column for use in query.metrics}
    asked = tuple((columns.get(one.by, one.by), one.desc) for one in query.order_by)
    named = {one.by for one in query.order_by}
    dated = any(cells.model.dimensions[one.dim].type == "date" for one in query.group_by)
    if not asked and not dated and groups:
        asked = ((next(name for name in names if name not in groups), True),)
    return Order(asked), Order((*asked, *((name, False) for name in groups if name not in named)))


def limited(cells: Cells, rows: Sequence[Row], asked: Order, every: Order) -> list[Row]:
    """Rows in order, cut where asked: after a number of rows, or of places if ties are taken, of all or of each of some groups."""
    limit = cells.query.limit
    if not limit.n or not (limit.ties or limit.per):
        listed = every.sorted(rows)
        return listed[limit.offset : limit.offset + limit.n] if limit.n else listed
    parts: dict[Key, list[Row]] = defaultdict(list)
    for row in every.sorted(rows):
        parts[tuple(row[name] for name in limit.per)].append(row)
    kept = [
        row
        for part in parts.values()
        for place, row in _placed(part, asked, ties=limit.ties)
        if limit.offset < place <= limit.offset + limit.n
    ]
    return Order((*((name, False) for name in limit.per), *every.keys)).sorted(kept)


def _placed(rows: Sequence[Row], asked: Order, *, ties: bool) -> Iterator[tuple[int, Row]]:
    place, last = 0, None
    for number, row in enumerate(rows, start=1):
        here = tuple(row[name] for name, _ in asked.keys)
        place = place if ties and here == last else number
        last = here
        yield place, row


def without_masked(rows: Sequence[Row], masked: Mapping[tuple[Key, str], Any], key_of: Callable[[Row], Key]) -> list[Row]:
    """Copies in which a masked cell is none."""
    return [{name: None if (key_of(row), name) in masked else value for name, value in row.items()} for row in rows]
