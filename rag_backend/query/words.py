"""A typed query in plain words: what an answer says was asked, and what an option of a question back offers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from medflow.specs.semantic import SemanticModel
from rag_backend.labels import label_of, name_label
from rag_backend.query.typed_query import Condition, Having, TypedQuery, Where

_OPS = {
    "not_in": "not ",
    "lt": "below ",
    "le": "up to ",
    "gt": "above ",
    "ge": "from ",
    "starts_with": "beginning with ",
    "in": "",
    "has": "with ",
}
_TESTS = {"eq": "exactly", "ne": "other than", "lt": "under", "le": "at most", "gt": "over", "ge": "at least"}


def in_words(query: TypedQuery, model: SemanticModel) -> str:
    """The typed query as a sentence: nothing in it is left out."""
    return "; ".join(part for part in _parts(query, model) if part)


def _parts(query: TypedQuery, model: SemanticModel) -> Iterator[str]:
    yield _subject(query, model)
    if query.unit.entity and not any(use.transform == "share_of_group" for use in query.metrics):
        tests = _having(query.unit.having, model)
        each = f"each {query.unit.entity} that has any" if query.unit.period else f"each of {model.entities[query.unit.entity].label}"
        limited = tests and all(use.stat == "default" for use in query.metrics)
        yield (
            f"only of {model.entities[query.unit.entity].label} with {tests}"
            if limited
            else f"for {each}{f' with {tests}' if tests else ''}"
        )
    if query.group_by:
        grained = [model.dimensions[g.dim].label + (f" ({g.grain})" if g.grain != "none" else "") for g in query.group_by]
        yield f"by {' and '.join(grained)}"
    yield conditions(query.where, model)
    yield _time(query, model)
    if tests := _having(query.having, model):
        yield f"only with {tests}"
    if query.order_by and not query.limit.n:
        yield f"ordered by {name_label(model, query.order_by[0].by)}, {'highest' if query.order_by[0].desc else 'lowest'} first"
    if query.limit.n:
        order = (
            f" by {name_label(model, query.order_by[0].by)}, {'highest' if query.order_by[0].desc else 'lowest'} first"
            if query.order_by
            else ""
        )
        per = f" for each {' and '.join(name_label(model, name) for name in query.limit.per)}" if query.limit.per else ""
        rows = f"row {query.limit.offset + 1}" if query.limit.offset and query.limit.n == 1 else f"the first {query.limit.n}"
        rows += f" after the first {query.limit.offset}" if query.limit.offset and query.limit.n > 1 else ""
        yield f"{rows}{order}{per}{', ties included' if query.limit.ties else ''}"


def _subject(query: TypedQuery, model: SemanticModel) -> str:
    if query.form == "list":
        return f"a list of {model.entities[query.entity].label}"
    named = []
    for use in query.metrics:
        stat = f"{use.stat} of " if use.stat != "default" else ""
        own = f" ({conditions(use.where, model)})" if use.where else ""
        if use.transform == "share_of_group" and query.unit.entity:
            passing = f"{model.metrics[use.id].label} with {_having(query.unit.having, model)}"
            named.append(f"{passing} as a share of all of {_whole_of(query)} of which this is known")
            continue
        if use.transform == "share_of_group":
            named.append(f"{model.metrics[use.id].label}{own} as a share of all {model.metrics[use.id].label} of {_whole_of(query)}")
            continue
        shape = f", {use.transform.replace('_', ' ')}" if use.transform != "none" else ""
        named.append(f"{stat}{model.metrics[use.id].label}{own}{shape}")
    return " and ".join(named)


def _whole_of(query: TypedQuery) -> str:
    return "each row" if query.group_by else "each period" if query.compare else "the question"


def conditions(where: Where, model: SemanticModel) -> str:
    """All groups of conditions in words."""
    groups = [" or ".join(_condition(one, model) for one in group) for group in where]
    return " and ".join(f"({text})" if len(group) > 1 and len(groups) > 1 else text for text, group in zip(groups, where, strict=True))


def _condition(one: Condition, model: SemanticModel) -> str:
    declared = model.dimensions[one.dim]
    if one.op in ("is_null", "not_null"):
        return f"{declared.label} is {'not ' if one.op == 'is_null' else ''}known"
    named = [label_of(model, one.dim, value) for value in one.values]
    if declared.several:
        return f"{'no' if one.op == 'not_in' else 'a'} {declared.label} is {' or '.join(named)}"
    return f"{declared.label} {_OPS[one.op]}{' or '.join(named)}"


def _having(having: tuple[Having, ...], model: SemanticModel) -> str:
    tests = []
    for one in having:
        against = f"{one.value:,.12g}" if one.value is not None else f"the {one.of.replace('_', ' ')}"
        own = f" ({conditions(one.where, model)})" if one.where else ""
        some = one.where and (one.op, one.value) == ("gt", 0)
        tests.append(f"{model.metrics[one.metric].label}{own}{'' if some else f' {_TESTS[one.op]} {against}'}")
    return " and ".join(tests)


def _time(query: TypedQuery, model: SemanticModel) -> str:
    if not query.time.date:
        return ""
    label = model.dimensions[query.time.date].label
    if query.compare:
        sides = [f"{window.label} ({window.start} to {_last(window.until)})" for window in query.compare]
        return f"{label}: {' against '.join(sides)}"
    start, until = query.time.start, query.time.until
    if not (start or until):
        return f"by {label}" if query.unit.period else ""
    return f"{label} {f'from {start}' if start else ''}{' ' if start and until else ''}{f'to {_last(until)}' if until else ''}"


def _last(until: date) -> date:
    return until - timedelta(days=1)
