"""Wrong readings of a question: a right typed query with one thing changed, as a model might write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.query.typed_query import Condition, TypedQuery, Unit

_FLIPPED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "ne", "ne": "eq"}
_GRAINS = ("day", "week", "month", "quarter", "year")


def mutations(query: TypedQuery, lexicon: Lexicon, chance: Random) -> Iterator[tuple[str, TypedQuery]]:
    """(what was changed, the query with it)."""
    for kind, change in _CHANGES.items():
        for changed in change(query, lexicon, chance):
            yield kind, query.model_copy(update=changed)


def _metric(query: TypedQuery, lexicon: Lexicon, chance: Random) -> Iterator[dict[str, Any]]:
    if query.metrics:
        others = [name for name in lexicon.model.metrics if name != query.metrics[0].id]
        yield {"metrics": (query.metrics[0].model_copy(update={"id": chance.choice(others)}), *query.metrics[1:])}


def _statistic(query: TypedQuery, _: Lexicon, chance: Random) -> Iterator[dict[str, Any]]:
    if query.metrics and query.metrics[0].stat == "default":
        yield {"metrics": (query.metrics[0].model_copy(update={"stat": chance.choice(("median", "p90", "mean"))}), *query.metrics[1:])}


def _no_group(query: TypedQuery, _: Lexicon, __: Random) -> Iterator[dict[str, Any]]:
    if query.group_by:
        yield {"group_by": query.group_by[1:]}


def _grain(query: TypedQuery, _: Lexicon, chance: Random) -> Iterator[dict[str, Any]]:
    if query.group_by and query.group_by[0].grain in _GRAINS:
        grain = chance.choice([one for one in _GRAINS if one != query.group_by[0].grain])
        yield {"group_by": (query.group_by[0].model_copy(update={"grain": grain}), *query.group_by[1:])}


def _no_filter(query: TypedQuery, _: Lexicon, __: Random) -> Iterator[dict[str, Any]]:
    if query.where:
        yield {"where": query.where[1:]}


def _other_value(query: TypedQuery, lexicon: Lexicon, chance: Random) -> Iterator[dict[str, Any]]:
    if query.where:
        one = query.where[0][0]
        values = [entry.value for entry in lexicon.values.of.get(one.dim, ())] or list(lexicon.model.values_of(one.dim))
        if others := [value for value in values if value not in one.values]:
            yield {"where": ((one.model_copy(update={"values": (chance.choice(others),)}),), *query.where[1:])}


def _negation(query: TypedQuery, _: Lexicon, __: Random) -> Iterator[dict[str, Any]]:
    if query.where and query.where[0][0].op in ("in", "not_in"):
        one = query.where[0][0]
        turned = one.model_copy(update={"op": "not_in" if one.op == "in" else "in"})
        yield {"where": ((turned,), *query.where[1:])}


def _another_filter(query: TypedQuery, lexicon: Lexicon, chance: Random) -> Iterator[dict[str, Any]]:
    dim = chance.choice([name for name in lexicon.values.of if lexicon.values.of[name] and name not in query.dimensions])
    yield {"where": (*query.where, (Condition(dim=dim, op="in", values=(lexicon.values.of[dim][0].value,)),))}


def _no_time(query: TypedQuery, _: Lexicon, __: Random) -> Iterator[dict[str, Any]]:
    if query.time.start:
        yield {"time": query.time.model_copy(update={"start": None, "until": None})}


def _other_time(query: TypedQuery, _: Lexicon, __: Random) -> Iterator[dict[str, Any]]:
    if query.time.start:
        yield {"time": query.time.model_copy(update={"start": query.time.start - timedelta(days=31)})}


def _a_time(query: TypedQuery, lexicon: Lexicon, _: Random) -> Iterator[dict[str, Any]]:
    if not query.time.start and not query.time.until and not query.compare:
        window = {"date": lexicon.model.date, "start": date(2026, 1, 1), "until": date(2026, 4, 1)}
        yield {"time": query.time.model_copy(update=window)}


def _threshold(query: TypedQuery, _: Lexicon, __: Random) -> Iterator[dict[str, Any]]:
    if query.having:
        one = query.having[0]
        yield {"having": query.having[1:]}
        yield {"having": (one.model_copy(update={"op": _FLIPPED[one.op]}), *query.having[1:])}
        if one.value:
            yield {"having": (one.model_copy(update={"value": one.value + 7}), *query.having[1:])}


def _limit(query: TypedQuery, _: Lexicon, __: Random) -> Iterator[dict[str, Any]]:
    if query.limit.n and query.order_by:
        first = query.order_by[0]
        yield {"limit": query.limit.model_copy(update={"n": query.limit.n + 2})}
        yield {"order_by": (first.model_copy(update={"desc": not first.desc}), *query.order_by[1:])}
    elif query.form == "measure":
        yield {"limit": query.limit.model_copy(update={"n": 5})}


def _no_unit(query: TypedQuery, _: Lexicon, __: Random) -> Iterator[dict[str, Any]]:
    if query.unit.having:
        yield {"unit": Unit()}


def _no_comparison(query: TypedQuery, _: Lexicon, __: Random) -> Iterator[dict[str, Any]]:
    if query.compare:
        yield {"compare": ()}


_Change = Callable[[TypedQuery, Lexicon, Random], Iterator[dict[str, Any]]]
_CHANGES: dict[str, _Change] = {
    "another metric": _metric,
    "a statistic": _statistic,
    "no group": _no_group,
    "another grain": _grain,
    "no filter": _no_filter,
    "another value": _other_value,
    "negation": _negation,
    "another filter": _another_filter,
    "no time": _no_time,
    "another time": _other_time,
    "a time": _a_time,
    "threshold": _threshold,
    "limit": _limit,
    "no unit": _no_unit,
    "no comparison": _no_comparison,
}
