"""What a user could subtract: a new cell and one shown before, where one holds the other and a few more.

Which pairs are close is told from their counts; whether one holds the other, and what is left, is counted on the lines.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rag_backend.small_cells.bounds import Bounds, bounds_at, bounds_of
from rag_backend.small_cells.columns import MeasuredColumn
from rag_backend.small_cells.counts import LineCounts
from rag_backend.small_cells.line_sets import Counts, Key, LineSet
from rag_backend.small_cells.masks import Masks, differ_by_few
from rag_backend.small_cells.shown import ShownCell, ShownNumber


@dataclass(frozen=True)
class _Close:
    """A new number and an earlier one of the same quantity whose counts are so close that a few could be left."""

    new: ShownNumber
    earlier: ShownNumber
    dims: frozenset[str]


class Earlier:
    """The numbers of earlier cells, found by quantity and count."""

    def __init__(self, cells: Sequence[ShownCell], below: int) -> None:
        self._below = below
        self._of: dict[tuple[str, int], list[tuple[int, int, int]]] = defaultdict(list)
        self._cells = cells
        for place, cell in enumerate(cells):
            for which, number in enumerate(cell.numbers):
                for unit, count in enumerate(number.counts):
                    self._of[number.quantity, unit].append((count, place, which))
        for listed in self._of.values():
            listed.sort()

    def close(self, number: ShownNumber, bounds: Bounds) -> Iterator[_Close]:
        """Those that could hold the number's lines and a few more, or be held by them."""
        found: set[tuple[int, int]] = set()
        for unit, count in enumerate(number.counts):
            listed = self._of.get((number.quantity, unit), [])
            first = bisect_left(listed, (count - self._below + 1, 0, 0))
            last = bisect_right(listed, (count + self._below, 0, 0))
            found |= {(place, which) for _, place, which in listed[first:last]}
        for place, which in sorted(found):
            cell = self._cells[place]
            other = cell.numbers[which]
            if _comparable(number.counts, other.counts) and number.lines.text != other.lines.text and not bounds.apart(cell.bounds):
                yield _Close(number, other, cell.dims)


def _comparable(one: Counts, other: Counts) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) or all(a <= b for a, b in pairs)


def cell_of(masks: Masks, column: MeasuredColumn, key: Key) -> ShownCell:
    """A cell of this answer as it will be remembered."""
    cells = masks.cells
    numbers = (ShownNumber(one.quantity, cells.at(one.lines, key), masks.behind(one.lines, key)) for one in column.reveals)
    return ShownCell(tuple(numbers), bounds_at(bounds_of(cells, column), cells, key), cells.query.dimensions)


def differing(masks: Masks, counts: LineCounts, earlier: Earlier) -> set[tuple[Key, str]]:
    """The cells that must not be shown to someone who knows the earlier ones."""
    asked: list[tuple[tuple[Key, str], _Close]] = []
    for column in masks.cells.columns:
        for key in masks.keys:
            if not masks.masked(key, column.name):
                cell = cell_of(masks, column, key)
                asked += [((key, column.name), one) for number in cell.numbers for one in earlier.close(number, cell.bounds)]
    few = few_left(dict.fromkeys(one for _, one in asked), counts)
    return {cell for cell, one in asked if one in few}


def few_left(pairs: Iterable[_Close], counts: LineCounts) -> set[_Close]:
    """The pairs of which one holds the other and a few more, as counted on the lines."""
    listed = list(pairs)
    wider = counts.about(frozenset().union(*(one.dims for one in listed)))
    sets: dict[LineSet, None] = {}
    for one in listed:
        sets |= dict.fromkeys((one.new.lines.without(one.earlier.lines), one.earlier.lines.without(one.new.lines)))
    found = wider.by_group(list(sets), {})

    def count(one: LineSet, other: LineSet) -> Counts:
        return found[one.without(other)].get((), counts.none())

    return {
        one for one in listed if differ_by_few(count(one.new.lines, one.earlier.lines), count(one.earlier.lines, one.new.lines), counts)
    }
