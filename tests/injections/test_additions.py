"""A right reading with something added that nobody asked for is found out, whatever words it cites."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from rag_backend.query.problems import problems_of
from rag_backend.query.typed_query import Condition, Having, MetricUse, TypedQuery
from tests.planners.lexicons import claims
from tests.planners.test_coverage import READ, all_cited

_NEVER = {"value", "alternative", "first rows", "threshold", "average", "of a unit", "a metric"}


def additions(query: TypedQuery, chance: random.Random) -> Iterator[tuple[str, TypedQuery]]:
    """(what was added, the query with it)."""
    lexicon = claims()
    single = [dim for dim in lexicon.values.of if not lexicon.model.dimensions[dim].several and dim not in query.dimensions]
    other = chance.choice(single)
    another = Condition(dim=other, op="in", values=(lexicon.values.of[other][0].value,))
    for place, group in enumerate(query.where):
        changed = [(*group, another), *([_with_one_more(group[0], chance)] if group[0].op in ("in", "not_in") else [])]
        for kind, where in zip(("alternative", "value"), changed, strict=False):
            yield kind, query.model_copy(update={"where": (*query.where[:place], where, *query.where[place + 1 :])})
    yield "first rows", query.model_copy(update={"limit": query.limit.model_copy(update={"offset": 1})})
    if query.metrics and query.group_by and not query.having:
        for kind, test in (("threshold", {"op": "gt", "value": 1}), ("average", {"op": "gt", "of": "average"})):
            yield kind, query.model_copy(update={"having": (Having(metric=query.metrics[0].id, **test),)})
        yield "a metric", query.model_copy(update={"metrics": (*query.metrics, MetricUse(id="copay_amount"))})
    for one in query.unit.having[:1]:
        tested = one.model_copy(update={"where": (*one.where, (another,))})
        yield "of a unit", query.model_copy(update={"unit": query.unit.model_copy(update={"having": (tested, *query.unit.having[1:])})})
    for group in query.group_by[:1]:
        dated = lexicon.model.dimensions[group.dim].type == "date"
        known = (*query.where, (Condition(dim=group.dim, op="not_null"),))
        yield "a date known" if dated else "a group known", query.model_copy(update={"where": known})


def _with_one_more(one: Condition, chance: random.Random) -> tuple[Condition, ...]:
    values = [entry.value for entry in claims().values.of.get(one.dim, ())] or list(claims().model.values_of(one.dim))
    others = [value for value in values if value not in one.values] or ["another"]
    return (one.model_copy(update={"values": (*one.values, chance.choice(others))}),)


def test_what_is_added_is_found_out() -> None:
    """Never missed but for rows without a group, which words such as `with` can leave out too."""
    chance, missed, tried = random.Random(5), Counter(), Counter()
    for question, query in READ:
        for kind, wrong in additions(query, chance):
            found = all_cited(question, wrong)
            tried[kind] += 1
            missed[kind] += not (found.problems or found.undeclared)
    assert sum(tried.values()) > 1_500
    assert min(tried.values()) >= 5, tried
    assert not [kind for kind in _NEVER if missed[kind]], missed
    assert sum(missed.values()) <= 0.05 * sum(tried.values()), missed


@pytest.mark.parametrize("number", [10**13, 2**63, 10**30, 10**400], ids=["13 digits", "63 bits", "30 digits", "400 digits"])
def test_numbers_that_nobody_keeps(number: int) -> None:
    """A limit or a value beyond what a database holds is a problem of the query, whoever wrote it."""
    for changed in (
        {"limit": {"n": number}},
        {"limit": {"offset": number}},
        {"where": [[{"dim": "plan_code", "op": "in", "values": [number]}]]},
    ):
        assert problems_of(TypedQuery.model_validate({"metrics": [{"id": "claim_count"}], **changed}), claims().model)
