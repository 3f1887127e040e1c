"""Which cells of a measured table are masked, and why: those that few stand behind, and those that would give them away.

The same release and query give the same masks. What a user saw before is looked at afterwards, in `differences`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rag_backend.small_cells.columns import Cells, MeasuredColumn
from rag_backend.small_cells.counts import LineCounts
from rag_backend.small_cells.line_sets import Counts, Key, LineSet
from rag_backend.small_cells.remainders import Left, Remainder, beside, remainders

Reason = Literal["small_cell", "difference", "derived"]
# A cell that only protects another has the same reason: to tell them apart would tell that it is not small itself.
SMALL: Reason = "small_cell"


@dataclass
class Masks:
    """Masked cells: (group's key, column) -> why; `counts`: what stands behind each cell, by set of lines and key."""

    cells: Cells
    keys: Sequence[Key]
    counts: Mapping[LineSet, Mapping[Key, Counts]]
    none: Counts
    reasons: dict[tuple[Key, str], Reason] = field(default_factory=dict)

    def behind(self, lines: LineSet, key: Key) -> Counts:
        """How many of each entity stand behind a set of lines of a group."""
        return self.counts[lines].get(key, self.none)

    def masked(self, key: Key, column: str) -> bool:
        return (key, column) in self.reasons

    def mask(self, found: Iterable[tuple[Key, str]], reason: Reason) -> None:
        """Mask cells, and then what would give them away."""
        for cell in found:
            self.reasons.setdefault(cell, reason)
        self._spread()

    def _spread(self) -> None:
        before = -1
        while len(self.reasons) > before:
            before = len(self.reasons)
            for column in self.cells.columns:
                if column.adds_up:
                    for key in self._partners(column):
                        self.reasons.setdefault((key, column.name), SMALL)
            for cell in list(self._alike()):
                self.reasons.setdefault(cell, SMALL)

    def _alike(self) -> Iterator[tuple[Key, str]]:
        """Cells of other columns that reveal the very number that is masked; of a masked ratio, it is not known which it is."""
        columns = {column.name: column for column in self.cells.columns}
        for key, name in list(self.reasons):
            held = set() if columns[name].ratio else set(columns[name].reveals)
            yield from ((key, other.name) for other in columns.values() if held & set(other.reveals))

    def _partners(self, column: MeasuredColumn) -> Iterator[Key]:
        """Along each group the next smallest cell of a line that has exactly one masked: else a total would tell it."""
        for place in range(len(self.cells.groups)):
            along: dict[Key, list[Key]] = defaultdict(list)
            for key in self.keys:
                along[(*key[:place], *key[place + 1 :])].append(key)
            for members in along.values():
                if sum(self.masked(key, column.name) for key in members) == 1:
                    yield from self.smallest(column, members)

    def smallest(self, column: MeasuredColumn, keys: Iterable[Key]) -> list[Key]:
        """Of the cells that are not masked the smallest, none if there is none: what is zero hides nothing, and is left out."""
        found = [key for key in keys if not self.masked(key, column.name) and all(any(self.behind(r.lines, key)) for r in column.reveals)]
        return [min(found, key=lambda key: (self.behind(column.reveals[0].lines, key), ordered(key)))] if found else []


def ordered(key: Key) -> tuple[tuple[bool, str, object], ...]:
    """A key as something that sorts: none after all others."""
    return tuple((value is None, type(value).__name__, value if value is not None else 0) for value in key)


def masks_of(cells: Cells, keys: Sequence[Key], counts: LineCounts) -> Masks:
    """The masks of one query's groups. A group of which there are no lines is masked: what is shown of it cannot be judged.

    Raises:
        what asking for counts raises.
    """
    left = {column.name: list(remainders(cells, column)) for column in cells.columns}
    told = list(beside(cells))
    own = [revealed.lines for column in cells.columns for revealed in column.reveals]
    plain = [one.lines for listed in left.values() for one in listed if not one.value]
    sets = [cells.all_lines, *own, *plain, *(lines for one in told for lines in (one.lines, *one.empty))]
    masks = Masks(cells, keys, counts.by_group(dict.fromkeys(sets), cells.groups), counts.none())
    known = masks.counts[cells.all_lines]
    for column in cells.columns:
        tested = [revealed.lines for revealed in column.reveals] + [one.lines for one in left[column.name] if not one.value]
        by_value = _few_by_value(cells, [one for one in left[column.name] if one.value], counts)
        few = (key for key in keys if key in by_value or key not in known or any(counts.few(masks.behind(one, key)) for one in tested))
        masks.reasons |= {(key, column.name): SMALL for key in few}
    for one in told:
        _mask_told(masks, one, counts)
    masks.mask((), SMALL)
    return masks


def _mask_told(masks: Masks, told: Left, counts: LineCounts) -> None:
    """Mask the last of the columns where the few can be worked out."""
    names = [column.name for column in told.columns]
    for key in masks.keys:
        known = not any(masks.masked(key, name) for name in names) and not any(any(masks.behind(lines, key)) for lines in told.empty)
        if known and counts.few(masks.behind(told.lines, key)):
            masks.reasons[key, names[-1]] = SMALL


def differ_by_few(over: Counts, under: Counts, counts: LineCounts) -> bool:
    """Whether one of two sets holds the other and a few more."""
    return (not any(under) and counts.few(over)) or (not any(over) and counts.few(under))


def _few_by_value(cells: Cells, left: Sequence[Remainder], counts: LineCounts) -> set[Key]:
    """Groups in which some single value of a filter is that of a few."""
    found: set[Key] = set()
    for one in left:
        counted = counts.by_group([one.lines], {**cells.groups, "dropped_value": one.value})[one.lines]
        found |= {key[:-1] for key, number in counted.items() if counts.few(number)}
    return found
