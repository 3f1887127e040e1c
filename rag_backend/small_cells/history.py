"""One answer against what its user saw before: cells that would tell of a few together with an earlier one are masked as well."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rag_backend.query.typed_query import GroupBy
from rag_backend.small_cells.columns import MeasuredColumn
from rag_backend.small_cells.counts import LineCounts
from rag_backend.small_cells.differences import Earlier, cell_of, differing, few_left
from rag_backend.small_cells.hidden import all_told, known_cell, known_cells, shown_column, told
from rag_backend.small_cells.line_sets import Key
from rag_backend.small_cells.masks import Masks
from rag_backend.small_cells.shown import ShownCell, ShownColumn, ShownLog
from rag_backend.small_cells.sums import added, lines_of, subsets
from rag_backend.small_cells.totals import Totals


@dataclass(frozen=True)
class History:
    """The masks of one answer and the log of its user."""

    masks: Masks
    counts: LineCounts
    log: ShownLog

    @cached_property
    def earlier(self) -> Earlier:
        return Earlier(self.log.cells, self.counts.below)

    def apply(self) -> None:
        """Mask what must not be shown to this user."""
        if not self.log.cells and not self.log.columns:
            return
        self.masks.mask(differing(self.masks, self.counts, self.earlier), "difference")
        while found := {*self._added(), *self._earlier_columns(), *self._earlier_cells()}:
            self.masks.mask(found, "difference")

    def learned(self, totals: Totals) -> set[Key]:
        """Totals that a share would tell and that tell of a few together with what was shown before; the others are remembered."""
        found: set[Key] = set()
        for total in dict.fromkeys(totals.of(key) for key in self.masks.keys):
            cell = totals.cell(total)
            close = [one for number in cell.numbers for one in self.earlier.close(number, cell.bounds)]
            if few_left(close, self.counts) or any(told(before, known_cell(cell), self.counts) for before in self.log.columns):
                found.add(total)
            else:
                self.log.add([cell], [])
        return found

    def remember(self, seen: Collection[Key]) -> None:
        """Add the cells of the rows that are shown, and what they add up to."""
        cells, columns = [], []
        for column in self.masks.cells.columns:
            open_ = [key for key in self.masks.keys if key in seen and not self.masks.masked(key, column.name)]
            cells += [cell_of(self.masks, column, key) for key in open_]
            if column.adds_up and not column.tested and self._hides_few(column, set(open_)):
                columns.append(shown_column(self.masks, column, set(open_)))
        cells += [one.cell for one in added(self.masks, self.counts) if set(one.members) <= set(seen)]
        self.log.add(cells, columns)

    def _added(self) -> Iterator[tuple[Key, str]]:
        """Of each total that can be added up and tells of a few with an earlier cell, the smallest part."""
        asked = [
            (one, close)
            for one in added(self.masks, self.counts)
            for number in one.cell.numbers
            for close in self.earlier.close(number, one.cell.bounds)
        ]
        few = few_left(dict.fromkeys(close for _, close in asked), self.counts)
        for one, close in asked:
            if close in few:
                yield from self._smallest(one.column, one.members)

    def _earlier_columns(self) -> Iterator[tuple[Key, str]]:
        """New cells, and totals of them, that leave a few of the masked cells of an earlier answer."""
        groups = self.masks.cells.query.group_by
        for before in self.log.columns:
            for column in self.masks.cells.columns:
                for key in told(before, known_cells(self.masks, column, groups), self.counts) if column.adds_up else ():
                    if key in self.masks.keys and not self.masks.masked(key, column.name):
                        yield key, column.name
                for kept in subsets(groups) if column.adds_up else ():
                    yield from self._totals_told(before, column, kept)

    def _totals_told(self, before: ShownColumn, column: MeasuredColumn, kept: Sequence[GroupBy]) -> Iterator[tuple[Key, str]]:
        lines = lines_of(self.masks, kept)
        for total in told(before, known_cells(self.masks, column, kept), self.counts):
            members = lines.get(total, [])
            if members and not any(self.masks.masked(key, column.name) for key in members):
                yield from self._smallest(column, members)

    def _earlier_cells(self) -> Iterator[tuple[Key, str]]:
        """Masked cells of this answer of which an earlier cell leaves a few: one more of its line is masked."""
        for column in self.masks.cells.columns:
            open_ = {key for key in self.masks.keys if not self.masks.masked(key, column.name)}
            if not column.adds_up or not self._hides_few(column, open_):
                continue
            now = shown_column(self.masks, column, open_)
            for place, _ in all_told(now, [known_cell(cell) for cell in self.log.cells], self.counts):
                yield from self._smallest(column, self._parts(self.log.cells[place]))

    def _hides_few(self, column: MeasuredColumn, seen: Collection[Key]) -> bool:
        """Whether a few stand behind any cell that is not seen; of others, whatever is left of a total is many."""
        hidden = [key for key in self.masks.keys if key not in seen]
        return any(self.counts.few(self.masks.behind(one.lines, key)) for one in column.reveals for key in hidden)

    def _parts(self, cell: ShownCell) -> list[Key]:
        """The groups that an earlier cell has lines of."""
        lines = cell.numbers[0].lines
        found = self.counts.about(cell.dims).by_group([lines], self.masks.cells.groups)[lines]
        return [key for key in self.masks.keys if any(found.get(key, ()))]

    def _smallest(self, column: MeasuredColumn, keys: Sequence[Key]) -> Iterator[tuple[Key, str]]:
        yield from ((key, column.name) for key in self.masks.smallest(column, keys))
