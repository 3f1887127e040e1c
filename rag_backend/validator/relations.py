"""What a query is made of, column by column: from which stored columns, whether it still is a key, how long its text may get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from rag_backend.validator.proof import over_limit, unsafe

GROWTH = 64  # a text may become this many times longer than what is stored


@dataclass(frozen=True)
class Fact:
    """One value: the stored columns behind it, whether it is an unchanged key column, its length in stored texts."""

    stored: frozenset[tuple[str, str]] = frozenset()
    key: bool = False
    growth: int = 1


@dataclass(frozen=True)
class Relation:
    """A table, WITH query or subquery: its columns in order and at most how many rows."""

    columns: tuple[tuple[str, Fact], ...]
    rows: float = inf

    def column(self, name: str) -> Fact | None:
        return next((fact for column, fact in self.columns if column == name), None)

    def at(self, place: int) -> Fact | None:
        """The column at a place, from 1."""
        return self.columns[place - 1][1] if 1 <= place <= len(self.columns) else None

    def renamed(self, names: list[str]) -> Relation:
        """The same under other column names."""
        if not names:
            return self
        if len(names) != len(self.columns):
            raise unsafe("a table's alias names another number of columns than it has")
        return Relation(tuple((name, fact) for name, (_, fact) in zip(names, self.columns, strict=True)), self.rows)


Sources = Mapping[str, Relation]


def merged(facts: Iterable[Fact], *, added: bool = False) -> Fact:
    """The fact of a value made from others; `added`: their texts are put one after the other.

    A key column comes to nothing here: where one may stand is asked before.
    """
    facts = list(facts)
    growths = [fact.growth for fact in facts] or [1]
    growth = sum(growths) if added else max(growths)
    if growth > GROWTH:  # s || s in ten WITH queries is a text a thousand times as long, past every memory limit
        raise over_limit(f"a text would grow to more than {GROWTH} times its length; join texts once, at the end")
    return Fact(frozenset().union(*(fact.stored for fact in facts)), False, growth)
