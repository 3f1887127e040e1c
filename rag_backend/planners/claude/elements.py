"""The parts of a typed query that a question must ask for: each with the slot that the model cites words for, and what those may mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from medflow.specs.semantic import SemanticModel
from rag_backend.planners.grammar.lexicon import Reading
from rag_backend.query.typed_query import Condition, TypedQuery, listed

Means = Callable[[Reading], bool]


def _no_word(_: Reading) -> bool:
    return False


@dataclass(frozen=True)
class Element:
    """One part. `means`: whether a reading of the lexicon is this part; `categories`: phrases of English that ask for it.

    `in_part`: whether a reading is one of the two numbers that a ratio is of, which is enough where a word for ratios stands beside it.
    """

    slot: str
    means: Means
    categories: frozenset[str] = frozenset()
    in_part: Means = _no_word


def elements_of(query: TypedQuery, model: SemanticModel) -> Iterator[Element]:
    """Every part that no default explains. Dates that a date's group is put in order by, and orders beside a limit, need no words."""
    for place, use in enumerate(query.metrics):
        yield _measured(f"metrics[{place}]", use.id, model)
        yield from _conditions(f"metrics[{place}].where", use.where, model)
    for place, one in enumerate(query.group_by):
        grain = frozenset((f"GRAIN_{one.grain}", f"ADV_{one.grain}", f"OVER_{one.grain}", "TREND")) if one.grain != "none" else frozenset()
        yield Element(f"group_by[{place}]", _dimension(one.dim, query, model), grain)
    yield from _conditions("where", query.where, model)
    if query.unit.entity:
        grain = frozenset((f"GRAIN_{query.unit.entity}", f"ADV_{query.unit.entity}"))
        yield Element("unit", _entity(query.unit.entity, model), grain)
    for slot, tests in (("unit.having", query.unit.having), ("having", query.having)):
        for place, having in enumerate(tests):
            yield _measured(f"{slot}[{place}]", having.metric, model)
            yield from _conditions(f"{slot}[{place}].where", having.where, model)
    if query.time.start or query.time.until:
        yield Element("time", _no_word, frozenset(("TIME",)))
    if query.compare:
        yield Element("compare", _no_word, frozenset(("TIME", "SAME", "OVER_week", "OVER_month", "OVER_quarter", "OVER_year", "OVER_")))
    if query.limit.n:
        yield Element("limit", _no_word, frozenset(("NUM", "TOP", "BOTTOM", "SUP_DESC", "SUP_ASC", "COMMON_DESC", "COMMON_ASC")))
    if query.form == "list":
        yield Element("entity", _entity(query.entity, model), frozenset(("LIST",)))


def _conditions(slot: str, where: tuple[tuple[Condition, ...], ...], model: SemanticModel) -> Iterator[Element]:
    """Each value of each condition is a part of its own: one more in a list is as wrong as one more condition."""
    for place, group in enumerate(where):
        for one in group:
            categories = frozenset(("AGED", "EMPTY")) if _by_words(one) else frozenset()
            single = [one.model_copy(update={"values": (value,)}) for value in one.values]
            yield from (Element(f"{slot}[{place}]", _condition(each, model), categories) for each in single or [one])


def _by_words(one: Condition) -> bool:
    return one.op in ("lt", "le", "gt", "ge") or (one.op in ("is_null", "not_null") and not one.values)


def _measured(slot: str, name: str, model: SemanticModel) -> Element:
    above_and_below = [_metric(part, model) for part in model.metrics[name].ratio or ()]
    return Element(slot, _metric(name, model), in_part=lambda one: any(means(one) for means in above_and_below))


def _metric(name: str, model: SemanticModel) -> Means:
    declared = model.metrics[name]
    counted = declared.count if not declared.where else ""
    return lambda one: (one.kind in ("METRIC", "STATE") and one.id == name) or (one.kind == "NOUN" and bool(counted) and one.id == counted)


def _dimension(name: str, query: TypedQuery, model: SemanticModel) -> Means:
    """Its own word, or two or more of its values, which are set beside each other."""
    same = _same(name, model)
    beside = any(one.dim == name and len(one.values) > 1 for one in listed(query.where))
    return lambda one: one.dim in same and (one.kind in ("NOUN", "VERB") or (beside and one.kind == "VALUE"))


def _entity(name: str, model: SemanticModel) -> Means:
    counts = {metric for metric, declared in model.metrics.items() if name and declared.count == name}
    return lambda one: one.id == name or (one.kind == "METRIC" and one.id in counts)


def _condition(test: Condition, model: SemanticModel) -> Means:
    same = _same(test.dim, model)

    def means(one: Reading) -> bool:
        if one.kind == "PAIR":
            parts = dict(zip((one.id, one.dim), one.value.split("|"), strict=True))
            return test.dim in parts and any(_is(parts[test.dim], value) for value in test.values)
        if one.kind in ("VALUE", "PREFIX"):
            return one.dim in same and any(_is(one.value, value) for value in test.values)
        return one.kind == "NOUN" and one.dim in same and _by_words(test)

    return means


def _is(held: str, value: object) -> bool:
    return held.casefold().rstrip("*") == str(value).casefold().rstrip("*")


def _same(name: str, model: SemanticModel) -> frozenset[str]:
    """Dimensions of the same column: a word for one is a word for the other's values."""
    own = model.dimensions[name]
    return frozenset({name, *(other for other, one in model.dimensions.items() if own.sql and one.sql == own.sql)})


def negative(query: TypedQuery) -> bool:
    """Whether a part of the query leaves something out, or asks for what there is not."""
    wheres = (query.where, *(use.where for use in query.metrics), *(one.where for one in query.unit.having))
    tests = [one for where in wheres for group in where for one in group]
    none = any(one.op in ("eq", "lt", "le") for one in (*query.having, *query.unit.having))
    return none or any(one.op in ("not_in", "is_null", "not_null", "lt", "le", "gt", "ge") for one in tests)


def numbers_of(query: TypedQuery) -> set[float]:
    """Every number that the query holds, apart from days and codes."""
    found = {float(query.limit.n), float(query.limit.offset)}
    found |= {one.value for one in (*query.having, *query.unit.having) if one.value is not None}
    return found - {0.0}
