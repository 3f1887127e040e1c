"""What a user could add up: all shown cells of a line make a total, known though nobody asked for it.

With the total known from elsewhere, what the shown cells leave of it are the masked ones: these must not be a few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rag_backend.query.typed_query import GroupBy
from rag_backend.small_cells.bounds import bounds_at, bounds_of
from rag_backend.small_cells.columns import MeasuredColumn
from rag_backend.small_cells.counts import LineCounts
from rag_backend.small_cells.line_sets import Counts, Key, LineSet
from rag_backend.small_cells.masks import Masks
from rag_backend.small_cells.shown import ShownCell, ShownNumber

_HIDDEN = 20  # masked cells that are taken away from a total by name; more of them leave more than a few


@dataclass(frozen=True)
class Added:
    """A total over `members` of one column that can be added up: all of its cells are shown, or all but a few are."""

    column: MeasuredColumn
    members: tuple[Key, ...]
    cell: ShownCell


def added(masks: Masks, counts: LineCounts) -> Iterator[Added]:
    """Every total that the shown cells of an answer add up to: over all rows, and along some of its groups."""
    groups = masks.cells.query.group_by
    columns = [column for column in masks.cells.columns if column.adds_up and not column.tested]
    for kept in subsets(groups) if columns else ():
        named = {masks.cells.key_column(one): masks.cells.lines.value(one.dim, one.grain) for one in kept}
        whole = counts.by_group({one.lines for column in columns for one in column.reveals}, named)
        for column in columns:
            for key, members in lines_of(masks, kept).items():
                if len(members) > 1:
                    yield from _added(masks, _Line(column, kept, key, tuple(members)), whole, counts)


@dataclass(frozen=True)
class _Line:
    column: MeasuredColumn
    kept: tuple[GroupBy, ...]
    key: Key
    members: tuple[Key, ...]


def subsets(groups: Sequence[GroupBy]) -> Iterator[tuple[GroupBy, ...]]:
    """The groups without some of them: without all, and without each."""
    sizes = {0, len(groups) - 1} if groups else set()
    for size in sorted(sizes):
        yield from combinations(groups, size)


def lines_of(masks: Masks, kept: Sequence[GroupBy]) -> dict[Key, list[Key]]:
    """The cells' keys by what they have of some of the groups."""
    places = [masks.cells.query.group_by.index(one) for one in kept]
    found: dict[Key, list[Key]] = defaultdict(list)
    for key in masks.keys:
        found[tuple(key[place] for place in places)].append(key)
    return found


def _added(masks: Masks, line: _Line, whole: Mapping[LineSet, Mapping[Key, Counts]], counts: LineCounts) -> Iterator[Added]:
    cells, dims = masks.cells, [one.dim for one in line.kept]
    hidden = [key for key in line.members if masks.masked(key, line.column.name)]
    shown = tuple(key for key in line.members if key not in hidden)
    if not shown or (hidden and (line.kept or len(hidden) > _HIDDEN)):
        return
    numbers = []
    for revealed in line.column.reveals:
        lines = cells.at(revealed.lines, line.key, dims) if dims else revealed.lines
        for key in hidden:
            lines = lines.without(cells.at(revealed.lines, key))
        found = counts.by_group([lines], {})[lines].get((), counts.none()) if hidden else whole[revealed.lines].get(line.key, counts.none())
        numbers.append(ShownNumber(revealed.quantity, lines, found))
    bounds = bounds_at(bounds_of(cells, line.column), cells, line.key, dims) if dims else bounds_of(cells, line.column)
    yield Added(line.column, shown, ShownCell(tuple(numbers), bounds, cells.query.dimensions))
