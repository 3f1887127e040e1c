"""Sets of lines, and SQL that counts the protected entities behind each. Nothing runs here, and nothing that is counted is ever shown.

The lines come in two steps: `prepared` has every dimension that is needed as a column, `marked` every test as true or false.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from medflow.specs.semantic import Grain, SemanticModel
from medflow.sql.text import literal
from rag_backend.query.expressions import ROWS, Base
from rag_backend.query.measures import Measures
from rag_backend.query.shape import where

Key = tuple[object, ...]
Counts = tuple[int, ...]
"""How many of each protected entity, in the model's order."""


@dataclass(frozen=True)
class LineSet:
    """The lines on which all of `every` hold, without those of any of `but`."""

    every: tuple[str, ...] = ()
    but: tuple[LineSet, ...] = ()

    def also(self, tests: Iterable[str]) -> LineSet:
        """Those on which more holds."""
        return LineSet(tuple(dict.fromkeys((*self.every, *tests))), self.but)

    def within(self, other: LineSet) -> LineSet:
        """Those that are of the other set too."""
        return LineSet(self.also(other.every).every, (*self.but, *other.but))

    def without(self, other: LineSet) -> LineSet:
        """Those that are not of the other set; what holds on all of these is not tested again."""
        return LineSet(self.every, (*self.but, LineSet(tuple(test for test in other.every if test not in self.every), other.but)))

    @cached_property
    def text(self) -> str:
        """The same for the same tests, in whatever order."""
        return f"{sorted(set(self.every))} but {sorted(one.text for one in self.but)}"

    @property
    def tests(self) -> tuple[str, ...]:
        return (*self.every, *(test for one in self.but for test in one.tests))


@dataclass(frozen=True)
class PreparedLines(Base):
    """The lines with each dimension as the column `of_<dimension>`; dates stay what they are."""

    def value(self, dim: str, grain: Grain = "none") -> str:
        return super().value(dim, grain) if self.model.dimensions[dim].type == "date" else f"{ROWS}.of_{dim}"


def equal_to(expression: str, value: object) -> str:
    """A test that a group's expression has this value, which may be none.

    Raises:
        TypeError: a value that no group has.
    """
    if value is None:
        return f"{expression} IS NULL"
    if isinstance(value, (str, int)) or hasattr(value, "isoformat"):
        return f"{expression} <=> {literal(value)}"  # type: ignore[arg-type]  # a date has isoformat
    raise TypeError(f"a group's value is text, a number or a date, not {type(value).__name__}")


@dataclass(frozen=True)
class Union:
    """All groups together whose lines of `cells` are of a few: as far as they are of `within`, apart for each of `scope`."""

    cells: LineSet
    groups: Mapping[str, str]
    within: LineSet
    scope: Mapping[str, str]


@dataclass(frozen=True)
class Counting:
    """Writes the SQL of counts over one model's lines; `dims`: the dimensions that tests and groups name."""

    model: SemanticModel
    dims: frozenset[str]

    @cached_property
    def units(self) -> tuple[str, ...]:
        """What is counted: the protected entities."""
        return tuple(name for name, entity in self.model.entities.items() if entity.protected)

    def sql(self, sets: Sequence[LineSet], groups: Mapping[str, str]) -> str:
        """One row a group: the groups, then for each set the count of each unit."""
        marks = _Marks(sets)
        counts = [f"COUNT(DISTINCT unit_{unit}) FILTER (WHERE {marks.of(one)})" for one in sets for unit in self.units]
        named = [*groups, *(f"{text} AS n{place}" for place, text in enumerate(counts))]
        return f"{self._marked(marks, groups)} SELECT {', '.join(named)} FROM marked{_by(groups)}"

    def union_sql(self, union: Union, below: int) -> str:
        """One row a scope: the counts of a union."""
        marks = _Marks([union.cells, union.within])
        counts = [
            f"COUNT(DISTINCT unit_{unit}) FILTER (WHERE {marks.of(union.cells)}) AS n{place}" for place, unit in enumerate(self.units)
        ]
        small = " OR ".join(f"cells.n{place} BETWEEN 1 AND {below - 1}" for place in range(len(self.units)))
        cells = f"cells AS (SELECT {', '.join([*union.groups, *counts])} FROM marked{_by(union.groups)})"
        scope = {f"scope{place}": sql for place, sql in enumerate(union.scope.values())}
        counted = (f"COUNT(DISTINCT marked.unit_{unit}) AS m{place}" for place, unit in enumerate(self.units))
        named = [*(f"marked.{name}" for name in scope), *counted]
        same = " AND ".join(f"marked.{name} <=> cells.{name}" for name in union.groups)
        tested = f"{marks.of(union.cells, 'marked.')} AND {marks.of(union.within, 'marked.')} AND ({small})"
        steps = f"{self._marked(marks, {**union.groups, **scope})}, {cells}"
        return f"{steps} SELECT {', '.join(named)} FROM marked JOIN cells ON {same} WHERE {tested}{_by(scope)}"

    def _marked(self, marks: _Marks, groups: Mapping[str, str]) -> str:
        base = Base(self.model)
        measures = Measures(base)
        keys = [f"{measures.key(unit)} AS unit_{unit}" for unit in self.units]
        named = sorted(dim for dim in self.dims if self.model.dimensions[dim].type != "date")
        values = [f"{base.value(dim)} AS of_{dim}" for dim in named]
        prepared = f"SELECT {', '.join([f'{ROWS}.*', *keys, *values])} {base.relation(self.dims)}"
        columns = [f"{ROWS}.unit_{unit}" for unit in self.units]
        columns += [f"{sql} AS {name}" for name, sql in groups.items()]
        columns += [f"COALESCE({test}, FALSE) AS {mark}" for test, mark in marks.named.items()]
        marked = f"SELECT {', '.join(columns)} FROM prepared AS {ROWS}{where(marks.common)}"
        return f"WITH prepared AS ({prepared}), marked AS ({marked})"


class _Marks:
    """The tests of some sets as columns: what all sets share is tested once, before."""

    def __init__(self, sets: Sequence[LineSet]) -> None:
        shared = [test for test in sets[0].every if all(test in one.every for one in sets)]
        self.common = shared
        rest = dict.fromkeys(test for one in sets for test in one.tests if test not in shared)
        self.named = {test: f"t{place}" for place, test in enumerate(rest)}

    def of(self, one: LineSet, table: str = "") -> str:
        """The condition of a set over the columns."""
        return " AND ".join(self._parts(one, table)) or "TRUE"

    def _parts(self, one: LineSet, table: str) -> Iterator[str]:
        yield from (f"{table}{self.named[test]}" for test in one.every if test in self.named)
        yield from (f"NOT ({self.of(other, table)})" for other in one.but)


def _by(groups: Collection[str]) -> str:
    return f" GROUP BY {', '.join(str(place + 1) for place in range(len(groups)))}" if groups else ""
