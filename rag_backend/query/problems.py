"""What is wrong with a typed query, whoever wrote it: names that the model does not have, and questions without a right answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date

from medflow.specs.semantic import SemanticModel
from rag_backend.query.expressions import all_where
from rag_backend.query.typed_query import MetricUse, TypedQuery

_VALUES = {"in": (1, 1000), "not_in": (1, 1000), "starts_with": (1, 100), "has": (1, 100), "is_null": (0, 0), "not_null": (0, 0)}
_OF_SEVERAL = ("has", "not_in", "is_null", "not_null")
_LARGEST = 10**12  # of a number that counts rows, or stands for a value: more is none that a database keeps
_YEARS = range(1900, 2200)  # of which every day has neighbours that a calendar can write
_OVER_TIME = ("running_total", "change")


def problems_of(query: TypedQuery, model: SemanticModel) -> list[str]:
    """Every problem as a sentence; a query without any can be compiled."""
    names = list(_unknown_names(query, model))
    return names or [*_shape(query, model), *_conditions(query, model), *_metrics(query, model), *_order(query, model)]


def _unknown_names(query: TypedQuery, model: SemanticModel) -> Iterator[str]:
    having = [one.metric for one in (*query.having, *query.unit.having)]
    yield from _missing("metric", [use.id for use in query.metrics] + having, model.metrics)
    unnamed = [dim for dim in (*(one.dim for one in query.group_by), *(one.dim for one in all_where(query))) if not dim]
    yield from _missing("dimension", [*query.dimensions, *unnamed], model.dimensions)
    named = [query.entity, "" if query.unit.period else query.unit.entity]
    yield from _missing("entity", [name for name in named if name], model.entities)


def _missing(what: str, used: Collection[str], known: Collection[str]) -> Iterator[str]:
    for name in used:
        if name not in known:
            yield f"there is no {what} {name}; there are: {', '.join(sorted(known))}"


def _shape(query: TypedQuery, model: SemanticModel) -> Iterator[str]:
    if query.form == "measure" and not query.metrics:
        yield "a measure names at least one metric"
    if query.form == "list" and not (query.entity and model.entities[query.entity].list):
        listed = [name for name, entity in model.entities.items() if entity.list]
        yield f"a list names an entity that can be listed: {', '.join(listed)}"
    elif query.form == "list" and not (query.metrics or query.having):
        shown = model.entities[query.entity].list
        strange = sorted({one.dim for one in all_where(query)} - set(shown))
        yield from (f"a list without a number is limited only by what it shows: {', '.join(shown)}, not by {dim}" for dim in strange)
    if query.compare and (len(query.compare) != 2 or not query.time.date):
        yield "a comparison has two windows, and the time says of which date"
    overlapping = sorted(dim for dim in query.dimensions if model.dimensions[dim].overlapping)
    if overlapping and (any(use.transform != "none" for use in query.metrics) or any(one.of for one in query.having)):
        yield f"what is split by {overlapping[0]} has no total: one is counted in several of them"
    names = [one.dim for one in query.group_by]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name} is grouped by twice"
    for name in names:
        if model.dimensions[name].several:
            yield f"{name} has several values a line: it is tested, not split by"
    for one in query.group_by:
        if one.grain != "none" and model.dimensions[one.dim].type != "date":
            yield f"{one.dim} is not a date and has no {one.grain}"
    if query.time.date and model.dimensions[query.time.date].type != "date":
        yield f"{query.time.date} is not a date"
    windows = [(query.time.start, query.time.until), *((one.start, one.until) for one in query.compare)]
    if any(day and day.year not in _YEARS for window in windows for day in window):
        yield f"a day lies in the years {_YEARS[0]} to {_YEARS[-1]}"


def _conditions(query: TypedQuery, model: SemanticModel) -> Iterator[str]:
    for one in all_where(query):
        least, most = _VALUES.get(one.op, (1, 1))
        if not least <= len(one.values) <= most:
            yield f"{one.dim} {one.op} takes {least if least == most else f'{least} to {most}'} values, not {len(one.values)}"
        if any(isinstance(value, int) and abs(value) > _LARGEST for value in one.values):
            yield f"a number among the values of {one.dim} is larger than {_LARGEST:,}: write it as text"
        several = model.dimensions[one.dim].several
        if several and one.op not in _OF_SEVERAL:
            yield f"{one.dim} has several values a line: test it with {', '.join(_OF_SEVERAL)}"
        if one.op == "has" and not several:
            yield f"{one.dim} has one value a line: test it with in"
        if model.dimensions[one.dim].type == "date" and not all(_is_day(value) for value in one.values):
            yield f"{one.dim} takes days, written YYYY-MM-DD"
        known = model.values_of(one.dim)
        if known and one.op in ("in", "not_in"):
            for value in one.values:
                if str(value) not in known:
                    yield f"{one.dim} has no such value; there are: {', '.join(sorted(known))}"


def _is_day(value: object) -> bool:
    try:
        return date.fromisoformat(str(value)).isoformat() == value
    except ValueError:
        return False


def _metrics(query: TypedQuery, model: SemanticModel) -> Iterator[str]:
    dated = [one.dim for one in query.group_by if model.dimensions[one.dim].type == "date"]
    for use in query.metrics:
        if use.transform in _OVER_TIME and len(dated) != 1:
            yield f"{use.transform} of {use.id} needs one date to go along"
        if use.transform == "running_total" and not sums_over_time(model, use):
            yield f"{use.id} does not add up over time"
        if use.transform == "share_of_first_group" and not query.group_by:
            yield "a share of the first group needs a group"
        if use.transform == "share_of_group" and not (_of_passing(query, model) if query.unit.entity else use.where):
            yield "a share of each group is of what the metric's own conditions take, or of the units alone that pass a threshold"
        if query.compare and use.transform not in ("none", "share_of_group"):
            yield f"two windows are compared by a number or by a share of each group, not by {use.transform} of {use.id}"
        if use.transform.startswith("share") and not (model.metrics[use.id].sum or model.metrics[use.id].count):
            yield f"{use.id} has no shares: it is neither a sum nor a count"
        if use.stat != "default" and not (model.metrics[use.id].per or query.unit.entity):
            yield f"{use.stat} of {use.id} needs a unit: for each of what?"
    tested = {one.metric for one in (*query.having, *query.unit.having)} | (
        {use.id for use in query.metrics} if query.form == "list" else set()
    )
    of_each = {one.metric for one in query.unit.having if model.metrics[one.metric].per == query.unit.entity}
    for name in sorted(name for name in tested - of_each if model.metrics[name].per):
        yield f"{name} has one value for each of {model.metrics[name].per} and cannot be tested or listed yet"
    by_value = (*query.unit.having, *(query.having if query.form == "list" else ()))
    yield from (f"{one.metric} of a unit or of a list is tested against a number" for one in by_value if one.value is None)
    if query.unit.period and (query.unit.having or not query.time.date or query.compare):
        yield f"a number for each {query.unit.entity} is of a date, without a threshold for each or a second window"
    if any(one.where for one in query.having):
        yield "conditions of a threshold are for what is tested of each unit, not for groups or lists"
    if query.unit.entity and query.having:
        yield "a threshold is for each unit or for each group, not for both at once"
    if query.unit.entity:
        yield from (f"{use.id} cannot be summed up over {query.unit.entity}" for use in query.metrics if not in_units(query, model, use))


def _of_passing(query: TypedQuery, model: SemanticModel) -> bool:
    """Whether units are counted that pass a threshold, and nothing else is asked."""
    use = query.metrics[0]
    counted = model.metrics[use.id].count == query.unit.entity and not model.metrics[use.id].where and not use.where
    return counted and len(query.metrics) == 1 and bool(query.unit.having) and not query.compare


def sums_over_time(model: SemanticModel, use: MetricUse) -> bool:
    """Whether a metric adds up over windows of time: sums do, and counts of what has one date."""
    declared = model.metrics[use.id]
    return bool(declared.sum) or (bool(declared.count) and model.entities[declared.count].dated)


def in_units(query: TypedQuery, model: SemanticModel, use: MetricUse) -> bool:
    """Whether a metric can be taken for each unit first: any statistic of sums and counts, the total of what lies within one unit, a
    ratio of two such totals, or what has one value for each unit.
    """
    declared = model.metrics[use.id]
    if declared.per:
        return declared.per == query.unit.entity and bool(query.unit.having)
    if declared.ratio:
        plain = use.stat == "default" and bool(query.unit.having)
        return plain and all(in_units(query, model, MetricUse(id=part)) for part in declared.ratio)
    own = declared.count == query.unit.entity and (not declared.where or model.entities[declared.count].dated)
    return use.stat != "default" or own or bool(declared.sum) or query.unit.entity in model.entities[declared.count].within


def _order(query: TypedQuery, model: SemanticModel) -> Iterator[str]:
    known = {name for use in query.metrics for name in query.outputs(use)} | {one.dim for one in query.group_by}
    if query.form == "list" and query.entity:
        known |= set(model.entities[query.entity].list)
    if not query.compare:
        known |= {use.id for use in query.metrics}
    for one in query.order_by:
        if one.by not in known:
            yield f"cannot order by {one.by}; there are: {', '.join(sorted(known))}"
    for name in query.limit.per:
        if name not in {one.dim for one in query.group_by}:
            yield f"a limit per {name} needs {name} as a group"
    if query.limit.n < 0 or query.limit.offset < 0 or ((query.limit.ties or query.limit.per) and not query.order_by):
        yield "a limit is not negative, and with ties or groups it needs an order"
    if max(query.limit.n, query.limit.offset) > _LARGEST:
        yield f"a limit is at most {_LARGEST:,}"
