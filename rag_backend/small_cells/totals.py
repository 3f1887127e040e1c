"""Whether a total may be known: over few it may not, nor where it tells what is masked, nor what a cell leaves of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from rag_backend.small_cells.bounds import bounds_at, bounds_of
from rag_backend.small_cells.columns import Cells, MeasuredColumn
from rag_backend.small_cells.counts import LineCounts
from rag_backend.small_cells.line_sets import Key, LineSet, Union, equal_to
from rag_backend.small_cells.masks import Masks
from rag_backend.small_cells.shown import ShownCell, ShownNumber


@dataclass(frozen=True)
class Totals:
    """The totals of one column over all rows, or (`first`) over those of each first group."""

    masks: Masks
    column: MeasuredColumn
    counts: LineCounts
    first: bool = False

    @property
    def cells(self) -> Cells:
        return self.masks.cells

    @cached_property
    def scope(self) -> Mapping[str, str]:
        return dict(list(self.cells.groups.items())[:1]) if self.first else {}

    def of(self, key: Key) -> Key:
        """The total that a group's cell is a part of."""
        return key[: len(self.scope)]

    @cached_property
    def closed(self) -> set[Key]:
        """Totals that may not be known."""
        found: set[Key] = set()
        members: dict[Key, list[Key]] = defaultdict(list)
        for key in self.masks.keys:
            members[self.of(key)].append(key)
        for lines in self._lines:
            all_of = self.counts.by_group([lines], self.scope)[lines]
            found |= {total for total in members if self.counts.few(all_of.get(total, self.counts.none()))}
        for revealed in self.column.reveals:
            unions: Mapping[Key, tuple[int, ...]] | None = None
            for total, keys in members.items():
                hidden = [self.masks.behind(revealed.lines, key) for key in keys if self.masks.masked(key, self.column.name)]
                if any(any(counts) and not self.counts.few(counts) for counts in hidden) or not any(map(any, hidden)):
                    continue  # many are hidden with the few, or nobody is hidden
                if unions is None:
                    unions = self.counts.unions(Union(revealed.lines, self.cells.groups, revealed.lines, self.scope))
                if self.counts.few(unions.get(total, self.counts.none())):
                    found.add(total)
        return found

    @cached_property
    def leaves_few(self) -> set[Key]:
        """Groups whose cell and total together tell of the few that are in the total and not in the cell."""
        found: set[Key] = set()
        for revealed, lines in zip(self.column.reveals, self._lines, strict=True):
            all_of = self.counts.by_group([lines], self.scope)[lines]
            for key in self.masks.keys:
                counts, total = self.masks.behind(revealed.lines, key), all_of.get(self.of(key), self.counts.none())
                if any(0 <= whole - part < self.counts.below for whole, part in zip(total, counts, strict=True)) and total != counts:
                    rest = self._rest(lines, revealed.lines, key)
                    if self.counts.few(self.counts.by_group([rest], {})[rest].get((), self.counts.none())):
                        found.add(key)
        return found

    def cell(self, total: Key) -> ShownCell:
        """The total as a cell, that a share tells."""
        cells, dims = self.cells, [one.dim for one in self.cells.query.group_by[: len(self.scope)]]
        named = [cells.at(lines, total, dims) if dims else lines for lines in self._lines]
        counted = self.counts.by_group(self._lines, self.scope)
        numbers = (
            ShownNumber(one.quantity, where, counted[lines].get(total, self.counts.none()))
            for one, where, lines in zip(self.column.reveals, named, self._lines, strict=True)
        )
        whole = replace(self.column, own=())
        bounds = bounds_of(cells, whole)
        return ShownCell(tuple(numbers), bounds_at(bounds, cells, total, dims) if dims else bounds, cells.query.dimensions)

    @property
    def _lines(self) -> list[LineSet]:
        """The lines of the whole: a share of what a column's own filter takes is a share of all."""
        own = self.cells.lines.conditions(self.column.own)
        return [LineSet(tuple(t for t in one.lines.every if t not in own), one.lines.but) for one in self.column.reveals]

    def _rest(self, whole: LineSet, part: LineSet, key: Key) -> LineSet:
        scope = [equal_to(sql, value) for sql, value in zip(self.scope.values(), key, strict=False)]
        return whole.also(scope).without(self.cells.at(part, key))
