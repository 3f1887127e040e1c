"""A question as the lexicon tags it, and the windows of time that are in it and in a query."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rag_backend.planners.claude.reading import Cited
from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.nodes import Node
from rag_backend.planners.grammar.tokens import Token
from rag_backend.query.typed_query import TypedQuery

Days = tuple[datetime.date | None, datetime.date | None]
_NUMBERS = ("NUM", "NUMPLUS", "NUMRANGE")


@dataclass(frozen=True)
class Asked:
    """A question as the lexicon tags it."""

    tokens: Sequence[Token]
    nodes: Sequence[Node]
    lexicon: Lexicon
    hidden: Sequence[tuple[int, int, str]] = ()
    """The characters that the model reads a placeholder in place of, and the placeholder."""

    @cached_property
    def categories(self) -> frozenset[str]:
        """Of all phrases; `CMP_gt` is there as `CMP` too."""
        own = {node.cat for node in self.nodes}
        return frozenset(own | {category.partition("_")[0] for category in own})

    @cached_property
    def numbers(self) -> frozenset[float]:
        """Every number that is said; a percentage as a fraction."""
        return frozenset(node.number / 100 if node.percent else node.number for node in self.nodes if node.cat in _NUMBERS)

    def called(self, node: Node) -> str:
        """A phrase as the model may be told of it."""
        names = [name for start, end, name in self.hidden if self._start(node) < end and self._end(node) > start]
        return repr(" ".join(names) or node.text)

    def within(self, cited: Sequence[Cited]) -> list[Node]:
        """The phrases that cited words touch."""
        return [node for node in self.nodes if any(self._start(node) < one.end and self._end(node) > one.start for one in cited)]

    def says(self, *categories: str) -> bool:
        """Whether a phrase of one of these categories stands in the question."""
        return not self.categories.isdisjoint(categories)

    def counts(self, number: float) -> bool:
        """Whether a number is said."""
        return any(abs(number - one) < 1e-9 for one in self.numbers)

    def _start(self, node: Node) -> int:
        return self.tokens[node.first].start

    def _end(self, node: Node) -> int:
        return self.tokens[node.last - 1].end


def windows(query: TypedQuery) -> set[Days]:
    """The windows of time of a query."""
    found = [(query.time.start, query.time.until), *((one.start, one.until) for one in query.compare)]
    return {window for window in found if window != (None, None)}


def meant(node: Node) -> set[Days]:
    """The windows that a time phrase can mean; none where its year is not said."""
    period = node.period
    if period is None or period.yearless:
        return set()
    return {(one.start, one.until) for one in (period, *period.ends, *period.ask)}


def settled(node: Node) -> bool:
    """Whether a time phrase means one window."""
    return node.period is not None and not node.period.ask and not node.period.yearless
