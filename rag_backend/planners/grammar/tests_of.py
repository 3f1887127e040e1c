"""Numbers that rows must meet: "more than 50 loans", "late rate above 20%", "above average", "without any loans"."""

from __future__ import annotations

from rag_backend.planners.grammar.draft import Reading, Stop, Test
from rag_backend.planners.grammar.measures import add_filters, as_filter, measure_at
from rag_backend.planners.grammar.nodes import Node

_LEADS = ("WITH", "HAVE", "THAT", "FILL", "COP", "WHICH")


def having_rule(r: Reading, place: int) -> int | None:
    """A threshold, the number before or after what it is for."""
    j = r.skip(place, *_LEADS)
    if r.cat(j) == "AND" and r.draft.tests:
        j = r.skip(j + 1, *_LEADS)
    for reading in (_number_first, _average_first, _measure_first):
        if last := reading(r, j):
            r.span("having", place, last)
            return last
    return None


def _number_first(r: Reading, j: int) -> int | None:
    """`more than 50 loans`, `50 or more loans`, `over 20%`."""
    op, number, last = _comparison(r, j)
    if not op or number is None:
        return None
    last = r.skip(last, "UNIT_WORD")
    start = r.skip(last, "PREP", "FILL")
    ask = measure_at(r, start) if r.cat(last) != "PREP" or r.node(last).text in ("of", "in") else None
    if ask is not None and ask.stat == "default" and not ask.per:
        _add(r, Test(ask.id, op, number.number, "", j, number.percent, ask.noun))
        _limit_to(r, ask.filters, j, ask.id)
        return ask.last
    if r.draft.asks or r.draft.head or r.draft.subject:
        _add(r, Test("", op, number.number, "", j, number.percent))
        return last
    return None


def _average_first(r: Reading, j: int) -> int | None:
    """`above average late rate`, or `above average` of what is asked for."""
    if not r.cat(j).startswith("AVG_"):
        return None
    ask = measure_at(r, j + 1)
    _add(r, Test(ask.id if ask else "", r.cat(j)[4:], None, "average", j))
    return ask.last if ask else j + 1


def _measure_first(r: Reading, j: int) -> int | None:
    """`late rate above 20%`, `fine amount between 10 and 20`."""
    ask = measure_at(r, j)
    if ask is None or ask.role == "counted" or (ask.noun and r.before(j) != "WITH" and r.before(j) != "HAVE"):
        return None
    k = r.skip(ask.last, "COP", "FILL", "HAVE", "THAT")
    k += r.cat(k) == "PREP" and r.node(k).text in ("of", "at") and r.cat(k + 1).startswith(("CMP_", "NUM"))
    if ask.per or (ask.stat != "default"):
        return None
    if r.cat(k).startswith("AVG_"):
        _add(r, Test(ask.id, r.cat(k)[4:], None, "average", j, noun=ask.noun))
        last = k + 1
    elif r.cat(k) == "BETWEEN" and r.cat(k + 1) == r.cat(k + 3) == "NUM" and r.cat(k + 2) == "AND":
        low, high = r.node(k + 1), r.node(k + 3)
        _add(r, Test(ask.id, "ge", low.number, "", j, low.percent or high.percent, ask.noun))
        _add(r, Test(ask.id, "le", high.number, "", j, high.percent or low.percent, ask.noun))
        last = k + 4
    else:
        op, number, last = _comparison(r, k)
        if not op or number is None or measure_at(r, r.skip(last, "UNIT_WORD", "FILL")) is not None:
            return None
        _add(r, Test(ask.id, op, number.number, "", j, number.percent, ask.noun))
    _limit_to(r, ask.filters, j, ask.id)
    return r.skip(last, "UNIT_WORD")


def _comparison(r: Reading, j: int) -> tuple[str, Node | None, int]:
    """(operation, number, place after) of `more than 50`, `50 or more`, `50+`."""
    if r.cat(j).startswith("CMP_"):
        k = r.skip(j + 1, "FILL")
        return (r.cat(j)[4:], r.node(k), k + 1) if r.cat(k) == "NUM" else ("", None, j)
    if r.cat(j) == "NUM" and r.cat(j + 1).startswith("POST_"):
        return r.cat(j + 1)[5:], r.node(j), j + 2
    if r.cat(j) == "NUMPLUS":
        return "ge", r.node(j), j + 1
    return "", None, j


def _add(r: Reading, test: Test) -> None:
    r.draft.tests.append(test)


def _limit_to(r: Reading, filters: list, place: int, metric: str) -> None:  # type: ignore[type-arg]
    """Values inside a test limit the whole question; that is the same only where nothing else is asked."""
    if filters and any(one.id != metric and not one.noun for one in r.draft.asks):
        raise Stop("not_understood", "it is not clear whether the condition holds for the number that is asked for", r.node(place).text)
    add_filters(r, filters, place)


def absence_rule(r: Reading, place: int) -> int | None:
    """`without loans`: nothing of what a metric counts."""
    if r.cat(place) != "WITHOUT" and not (r.cat(place) in ("HAVE", "WITH") and r.cat(place + 1) == "WITHOUT"):
        return None
    start = r.skip(place + 1, "WITHOUT", "ALL", "FILL")
    ask = measure_at(r, start)
    if ask is None or not r.lexicon.model.metrics[ask.id].count or ask.stat != "default":
        return _without_values(r, place, start)
    add_filters(r, ask.filters, place)
    r.draft.absent = ask.id
    r.span("having", place, ask.last)
    return ask.last


def _without_values(r: Reading, place: int, start: int) -> int | None:
    """`loans without poetry`: a value that lines do not have; of an entity with many lines that would be another question."""
    from rag_backend.planners.grammar.values import values_at

    found = values_at(r, start)
    if found is None or found.negated or found.conditions[0].op != "in" or len(found.conditions) > 1:
        return None
    entity = r.draft.asks[-1].noun if r.draft.asks else (r.draft.head or ("",))[0]
    if not entity or not r.lexicon.model.entities[entity].dated:
        raise Stop("not_understood", "it is not clear whether none of their lines may have this, or only those counted", r.node(start).text)
    add_filters(r, [found.conditions[0].model_copy(update={"op": "not_in"})], place)
    r.span("where", place, found.last)
    return found.last


def negated_metric_rule(r: Reading, place: int) -> int | None:
    """`not late loans`: what a metric counts, left out of what is counted."""
    if r.cat(place) != "NOT" or r.cat(place + 1) != "METRIC":
        return None
    model, ask = r.lexicon.model, measure_at(r, place + 1)
    if ask is None or not model.metrics[ask.id].count or ask.filters:
        return None
    found = as_filter(model, ask.id)
    if found is None:
        raise Stop("needs_definition", "what is left when these are left out is not declared", r.node(place + 1).text)
    add_filters(r, [found.model_copy(update={"op": "in" if found.op == "not_in" else "not_in"})], place)
    if not r.draft.asks:
        from rag_backend.planners.grammar.draft import Ask

        entity = model.metrics[ask.id].count
        r.draft.asks.append(Ask(r.lexicon.base_count(entity), noun=entity, first=place, last=ask.last))
    r.span("where", place, ask.last)
    return ask.last
