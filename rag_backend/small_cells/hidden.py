"""What a known total leaves of the masked cells of another answer: it must not be a few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rag_backend.query.typed_query import GroupBy
from rag_backend.small_cells.bounds import Bounds, bounds_of, family
from rag_backend.small_cells.columns import MeasuredColumn
from rag_backend.small_cells.counts import LineCounts
from rag_backend.small_cells.line_sets import Counts, Key, LineSet, Union
from rag_backend.small_cells.masks import Masks
from rag_backend.small_cells.revealed import Revealed
from rag_backend.small_cells.shown import ShownCell, ShownColumn


@dataclass(frozen=True)
class Known:
    """Totals that are known: one for each of `groups`, all limited by `bounds`."""

    reveals: tuple[Revealed, ...]
    groups: Mapping[str, str]
    group_by: tuple[GroupBy, ...]
    bounds: Bounds
    dims: frozenset[str]


def known_cell(cell: ShownCell) -> Known:
    """A single cell as a total."""
    return Known(tuple(Revealed(one.quantity, one.lines) for one in cell.numbers), {}, (), cell.bounds, cell.dims)


def known_cells(masks: Masks, column: MeasuredColumn, kept: Collection[GroupBy]) -> Known:
    """The cells of a column, or its totals by some of the groups."""
    cells = masks.cells
    groups = {cells.key_column(one): cells.lines.value(one.dim, one.grain) for one in kept}
    bounds = bounds_of(cells, column)
    about = bounds.about | {family(cells.model, one.dim) for one in kept}
    return Known(column.reveals, groups, tuple(kept), Bounds(bounds.values, bounds.days, about), cells.query.dimensions)


def shown_column(masks: Masks, column: MeasuredColumn, seen: Collection[Key]) -> ShownColumn:
    """A column as it will be remembered, by the cells that were seen of it."""
    cells = masks.cells
    group_by = cells.query.group_by
    about = frozenset(family(cells.model, one.dim) for one in group_by)
    hidden = frozenset(key for key in masks.keys if key not in seen)
    return ShownColumn(column.reveals, cells.groups, group_by, hidden, bounds_of(cells, column), about, cells.query.dimensions)


def told(column: ShownColumn, known: Known, counts: LineCounts) -> set[Key]:
    """The totals that lie in a column's cells and leave a few when those that were seen are taken away."""
    return {key for _, key in all_told(column, [known], counts)}


def all_told(column: ShownColumn, known: Sequence[Known], counts: LineCounts) -> set[tuple[int, Key]]:
    """The same for many, each with its place; all have the same groups."""
    able = [(place, one) for place, one in enumerate(known) if column.hidden and _can_tell(column, one)]
    asked = [
        _Asked(place, one, revealed.lines, other.lines)
        for place, one in able
        for revealed in column.reveals
        for other in one.reveals
        if revealed.quantity == other.quantity
    ]
    if not asked:
        return set()
    wider = counts.about(column.dims.union(*(one.dims for _, one in able)))
    groups = asked[0].known.groups
    left = _hidden_parts(column, asked, groups, wider)
    suspects = [(one, {key for key, parts in left[one].items() if not any(min(part) >= wider.below for part in parts)}) for one in asked]
    suspects = [(one, keys) for one, keys in suspects if keys]
    beyond = wider.by_group([one.outside for one, _ in suspects], groups)
    found: set[tuple[int, Key]] = set()
    for one, keys in suspects:
        within = {key for key in keys if not any(beyond[one.outside].get(key, ()))}
        unions = wider.unions(Union(one.cells, column.groups, one.lines, groups)) if within else {}
        found |= {(one.place, key) for key in within if wider.few(unions.get(key, wider.none()))}
    return found


@dataclass(frozen=True, eq=False)
class _Asked:
    """One quantity of known totals beside that of a column's cells."""

    place: int
    known: Known
    cells: LineSet
    lines: LineSet

    @property
    def outside(self) -> LineSet:
        return self.lines.without(self.cells)

    @property
    def both(self) -> LineSet:
        return self.lines.within(self.cells)


def _can_tell(column: ShownColumn, known: Known) -> bool:
    """Whether the totals are made up of whole cells of the column, of more than one."""
    single = all(known.bounds.within_one(one) or one in known.group_by for one in column.group_by)
    return not single and known.bounds.about <= column.bounds.about | column.about and not known.bounds.apart(column.bounds)


def _hidden_parts(
    column: ShownColumn, asked: Sequence[_Asked], groups: Mapping[str, str], counts: LineCounts
) -> dict[_Asked, dict[Key, list[Counts]]]:
    """What each total has of each cell that was not seen."""
    named = {f"known{place}": sql for place, sql in enumerate(groups.values())}
    named |= {f"cell{place}": sql for place, sql in enumerate(column.groups.values())}
    counted = counts.by_group([one.both for one in asked], named)
    found: dict[_Asked, dict[Key, list[Counts]]] = {}
    for one in asked:
        found[one] = defaultdict(list)
        for key, number in counted[one.both].items():
            if key[len(groups) :] in column.hidden:
                found[one][key[: len(groups)]].append(number)
    return found
