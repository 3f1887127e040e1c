"""What is left between two numbers that can be subtracted: of a query with and without one filter value, and of two columns of a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from rag_backend.query.typed_query import Condition
from rag_backend.small_cells.columns import Cells, MeasuredColumn
from rag_backend.small_cells.line_sets import LineSet
from rag_backend.small_cells.revealed import Revealed

_Number = tuple[MeasuredColumn, Revealed]
_TOGETHER, _NUMBERS = 4, 6  # numbers that are taken away from another at once, where there are no more of the kind than these


@dataclass(frozen=True)
class Remainder:
    """Lines that a cell has with a filter value and not without it, or the other way round; `value`: counted for each value apart."""

    lines: LineSet
    value: str = ""


def remainders(cells: Cells, column: MeasuredColumn) -> Iterator[Remainder]:
    """Of every filter of a column that is dropped as a whole, and of every value that is dropped from one."""
    for group in (*cells.query.where, *column.own):
        whole = cells.lines.conditions((group,))[0]
        for revealed in column.reveals:
            rest = LineSet(tuple(test for test in revealed.lines.every if test != whole), revealed.lines.but)
            yield Remainder(rest.without(LineSet((whole,))))
            for one in group if len(group) > 1 or len(group[0].values) > 1 else ():
                others = [cells.lines.condition(other) for other in group if other is not one]
                yield from _dropped(cells, one, _without_all(rest, others))


def _dropped(cells: Cells, one: Condition, rest: LineSet) -> Iterator[Remainder]:
    """The lines that each value of a condition takes or leaves alone; `rest`: those that its neighbours do not take."""
    if one.op in ("in", "not_in"):
        listed = one.model_copy(update={"op": "in"})
        yield Remainder(rest.also([cells.lines.condition(listed)]), cells.lines.value(one.dim))
    elif len(one.values) > 1:
        for value in one.values:
            kept = one.model_copy(update={"values": tuple(other for other in one.values if other != value)})
            taken = one.model_copy(update={"values": (value,)})
            yield Remainder(_without_all(rest.also([cells.lines.condition(taken)]), [cells.lines.condition(kept)]))
    else:
        yield Remainder(rest.also([cells.lines.condition(one)]))


def _without_all(lines: LineSet, tests: list[str]) -> LineSet:
    for test in tests:
        lines = lines.without(LineSet((test,)))
    return lines


@dataclass(frozen=True)
class Left:
    """What is left of a number of a row when others of the row are taken away; told if nothing is in `empty`.

    `columns`: those that the numbers are of, in the order of the answer.
    """

    columns: tuple[MeasuredColumn, ...]
    lines: LineSet
    empty: tuple[LineSet, ...]


def beside(cells: Cells) -> Iterator[Left]:
    """Of every number that a row reveals: what is left without one of another column, or without several."""
    numbers = [(column, one) for column in cells.columns for one in column.reveals]
    for column, whole in numbers:
        others = [
            (other, one)
            for other, one in numbers
            if other is not column and one.quantity == whole.quantity and one.lines.text != whole.lines.text
        ]
        for size in range(1, (_TOGETHER if len(others) <= _NUMBERS else 1) + 1):
            for parts in combinations(others, size):
                yield _left(cells, (column, whole), parts)


def _left(cells: Cells, whole: _Number, parts: Sequence[_Number]) -> Left:
    lines = whole[1].lines
    empty = [part.lines.without(whole[1].lines) for _, part in parts]
    for _, part in parts:
        lines = lines.without(part.lines)
    empty += [one.lines.within(other.lines) for (_, one), (_, other) in combinations(parts, 2)]
    named = {whole[0].name, *(column.name for column, _ in parts)}
    return Left(tuple(column for column in cells.columns if column.name in named), lines, tuple(empty))
