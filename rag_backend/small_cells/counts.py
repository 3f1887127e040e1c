"""Counts of sets of lines by group: the SQL of `Counting` in pieces that the proof allows, asked and put together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag_backend.engines.base import Cell
from rag_backend.small_cells.line_sets import Counting, Counts, Key, LineSet, Union

Ask = Callable[[str], list[tuple[Cell, ...]]]
"""Spark SQL in, rows out; under the service's own grant."""
_LENGTH = 6_000  # of one piece of SQL: what is longer has more parts than the proof allows
_SETS = 12


@dataclass(frozen=True)
class LineCounts:
    """Counts of protected entities; `below`: how many are not few any more; `known`: what was counted already."""

    counting: Counting
    ask: Ask
    below: int
    known: dict[tuple[LineSet, tuple[str, ...]], dict[Key, Counts]] = field(default_factory=dict, compare=False)

    def by_group(self, sets: Collection[LineSet], groups: Mapping[str, str]) -> dict[LineSet, dict[Key, Counts]]:
        """For each set and group how many of each entity; a group without lines is not there."""
        names = tuple(groups.values())
        missing = [one for one in dict.fromkeys(sets) if (one, names) not in self.known]
        self.known.update({(one, names): {} for one in missing})
        width = len(self.counting.units)
        for piece in self._pieces(missing, groups):
            for row in self.ask(self.counting.sql(piece, groups)):
                key, numbers = tuple(row[: len(groups)]), row[len(groups) :]
                for place, one in enumerate(piece):
                    self.known[one, names][key] = _counts(numbers[place * width : (place + 1) * width])
        return {one: self.known[one, names] for one in sets}

    def unions(self, union: Union) -> dict[Key, Counts]:
        """The counts of a union for each of its scopes."""
        width = len(union.scope)
        rows = self.ask(self.counting.union_sql(union, self.below))
        return {tuple(row[:width]): _counts(row[width:]) for row in rows}

    def about(self, dims: Collection[str]) -> LineCounts:
        """The same counts where more dimensions are named."""
        return replace(self, counting=Counting(self.counting.model, self.counting.dims | frozenset(dims)))

    def none(self) -> Counts:
        return (0,) * len(self.counting.units)

    def few(self, counts: Counts) -> bool:
        """Whether any entity is there, and only a few times."""
        return any(0 < count < self.below for count in counts)

    def _pieces(self, sets: Sequence[LineSet], groups: Mapping[str, str]) -> Iterator[Sequence[LineSet]]:
        begin = 0
        while begin < len(sets):
            end = min(begin + _SETS, len(sets))
            while end > begin + 1 and len(self.counting.sql(sets[begin:end], groups)) > _LENGTH:
                end -= 1
            yield sets[begin:end]
            begin = end


def _counts(cells: Sequence[Cell]) -> Counts:
    return tuple(int(str(cell)) for cell in cells)
