"""Whom thresholds test: the rows of the answer, or each of what is counted or named beside them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rag_backend.planners.grammar.draft import Ask, Filter, Stop, Test
from rag_backend.planners.grammar.model_of import as_filter
from rag_backend.planners.grammar.ranking import said_in
from rag_backend.query.typed_query import Having, Unit

if TYPE_CHECKING:
    from rag_backend.planners.grammar.assemble import Assembly


def thresholds(a: Assembly) -> tuple[Unit, tuple[Having, ...]]:
    """What is tested of each unit, and of each row.

    Raises:
        Stop: it is not clear what a threshold is for, or its number does not fit.
    """
    return _Thresholds(a, _plain_count(a)).told()


def _plain_count(a: Assembly) -> Ask:
    """The first number; a count of a kind that is tested for each counts all, of lines of that kind."""
    first, draft = a.asks[0], a.draft
    declared = a.model.metrics[first.id]
    plain = declared.count and declared.where and len(a.asks) == 1 and draft.subject is None
    if not plain or not any(one.metric or one.unit for one in draft.tests):
        return first
    own = as_filter(a.model, first.id)
    if own is not None and all(a.model.metrics[one.metric].sum if one.metric else one.unit for one in draft.tests):
        first.id, first.noun, first.counted = a.lexicon.base_count(declared.count), declared.count, True
        a.draft = replace(draft, filters=[*draft.filters, Filter((own,), first.first)])
    return first


@dataclass
class _Thresholds:
    """`first`: the number that is asked for; `chosen`: what bare numbers of a unit are taken for."""

    a: Assembly
    first: Ask
    chosen: dict[str, str] = field(default_factory=dict)

    def told(self) -> tuple[Unit, tuple[Having, ...]]:
        unit: list[Having] = []
        rows: list[Having] = []
        for test in self.a.draft.tests:
            of_rows = self._of_rows(test)
            (rows if of_rows else unit).append(self._having(test, of_rows))
        return (Unit(entity=self._entity(unit), having=tuple(unit)) if unit else Unit()), tuple(rows)

    def _entity(self, unit: list[Having]) -> str:
        """What is tested each of."""
        nouns = {self._noun(test) for test in self.a.draft.tests}
        if len(nouns) != 1 or "" in nouns or any(one.of for one in unit):
            raise Stop("not_understood", "it is not clear what the threshold is for: split by something, or count something")
        entity, metrics = nouns.pop(), self.a.model.metrics
        if any(ask.noun not in ("", entity) for ask in self.a.asks[1:]):
            raise Stop("not_understood", "which of the two that are counted is the threshold for?")
        if any(metrics[one.metric].count == entity and not metrics[one.metric].where for one in unit):
            raise Stop("not_understood", "a threshold on a count needs something that has several of them")
        return entity

    def _noun(self, test: Test) -> str:
        """The noun that is counted, or the one that the threshold limits."""
        if self.first.noun and test.noun not in ("", self.first.noun):
            raise Stop("not_understood", "is the threshold for each single one of them, or for all together?")
        return self.first.noun or test.noun

    def _of_rows(self, test: Test) -> bool:
        a, first = self.a, self.first
        if not a.groups or (test.unit and not test.metric and not said_in(a.model, first.id, test.unit)):
            return False
        if test.noun and test.metric and test.metric not in [ask.id for ask in a.asks] and not first.noun:
            return False
        if a.draft.subject is not None or not first.noun or not test.metric or test.metric == first.id:
            return True
        if test.after_split:
            raise Stop("not_understood", "say whether the threshold is for each of what is counted or for each group")
        return False

    def _having(self, test: Test, of_rows: bool) -> Having:
        metric = test.metric or self._bare(test, of_rows)
        declared = self.a.model.metrics[metric]
        if declared.per and (of_rows or declared.per != self._noun(test)):
            raise Stop("not_understood", f"a threshold on {declared.label} cannot be computed")
        if test.of:
            return Having(metric=metric, op=test.op, of=test.of)  # type: ignore[arg-type]
        value = test.value or 0.0
        if declared.unit == "rate" and (test.percent or value > 1):
            if not test.percent:
                self.a.notes.append(f"{value:g} is read as {value:g} percent")
            value = round(value / 100, 10)
        elif test.percent:
            raise Stop("not_understood", f"{declared.label} is no rate: a threshold in percent does not fit")
        return Having(metric=metric, op=test.op, value=value)  # type: ignore[arg-type]

    def _bare(self, test: Test, of_rows: bool) -> str:
        """The metric of a number that names none: the one that is asked for, or one that is measured in what the number is said in."""
        asked = of_rows or not self._noun(test)
        if asked and said_in(self.a.model, self.first.id, test.unit):
            return self.first.id
        metrics = self.a.model.metrics
        sums = [name for name, one in metrics.items() if one.sum and one.unit != "count" and not one.where][:3]
        sums = [name for name, one in metrics.items() if one.per and one.unit == test.unit] or sums
        if not sums:
            raise Stop("not_understood", "the number is of nothing that is named")
        if test.unit not in self.chosen:
            self.chosen[test.unit] = self.a.choices.choose("Which number is the threshold for?", sums)
        return self.chosen[test.unit]
