"""Explainer: what was asked, as it was read, and what came of it, in words. Every number comes from the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from medflow.specs.semantic import SemanticModel
from rag_backend.agents.turn import Notice, Services, Turn
from rag_backend.labels import labelled
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


def explainer(turn: Turn, services: Services) -> Turn:
    """The turn with interpretation and explanation."""
    if turn.route == "greeting":
        return replace(turn, explanation="Ask about the data in plain words, such as: " + example(services.model))
    if turn.route == "definition" and not turn.refusal:
        return replace(turn, explanation=" ".join(turn.definitions))
    if turn.refusal or turn.clarification:
        return replace(turn, explanation=turn.refusal.message if turn.refusal else turn.clarification)
    if turn.query is None:
        return turn
    read = interpretation(turn.query, services.model)
    notices = turn.notices
    if not turn.query.time.date and turn.query.form == "measure":
        notices = (*notices, Notice("whole_release", "no time is named: the whole release is counted"))
    return replace(turn, interpretation=read, explanation=_told(turn, services.model), notices=notices)


def example(model: SemanticModel) -> str:
    """A question that can be asked of any model."""
    metric, dimension = next(iter(model.metrics.values())), next(iter(model.dimensions.values()))
    return f"{metric.label} by {dimension.label}"


def interpretation(query: TypedQuery, model: SemanticModel) -> str:
    """The typed query as a sentence: nothing in it is left out."""
    return "; ".join(part for part in _parts(query, model) if part)


def _parts(query: TypedQuery, model: SemanticModel) -> Iterator[str]:
    yield _subject(query, model)
    if query.unit.entity:
        tests = _having(query.unit.having, model)
        yield f"for each of {model.entities[query.unit.entity].label}{f' with {tests}' if tests else ''}"
    if query.group_by:
        grained = [model.dimensions[g.dim].label + (f" ({g.grain})" if g.grain != "none" else "") for g in query.group_by]
        yield f"by {' and '.join(grained)}"
    yield conditions(query.where, model)
    yield _time(query, model)
    if tests := _having(query.having, model):
        yield f"only with {tests}"
    if query.limit.n:
        order = (
            f" by {_label(model, query.order_by[0].by)}, {'highest' if query.order_by[0].desc else 'lowest'} first"
            if query.order_by
            else ""
        )
        per = f" for each {' and '.join(_label(model, name) for name in query.limit.per)}" if query.limit.per else ""
        yield f"the first {query.limit.n}{order}{per}{', ties included' if query.limit.ties else ''}"


def _subject(query: TypedQuery, model: SemanticModel) -> str:
    if query.form == "list":
        return f"a list of {model.entities[query.entity].label}"
    named = []
    for use in query.metrics:
        stat = f"{use.stat} of " if use.stat != "default" else ""
        own = f" ({conditions(use.where, model)})" if use.where else ""
        shape = f", {use.transform.replace('_', ' ')}" if use.transform != "none" else ""
        named.append(f"{stat}{model.metrics[use.id].label}{own}{shape}")
    return " and ".join(named)


def conditions(where: Where, model: SemanticModel) -> str:
    """All groups of conditions in words."""
    return " and ".join(" or ".join(_condition(one, model) for one in group) for group in where)


def _condition(one: Condition, model: SemanticModel) -> str:
    declared = model.dimensions[one.dim]
    if one.op in ("is_null", "not_null"):
        return f"{declared.label} is {'not ' if one.op == 'not_null' else ''}known"
    named = [declared.labels[str(v)].label if str(v) in declared.labels else str(v) for v in one.values]
    return f"{declared.label} {_OPS[one.op]}{' or '.join(named)}"


def _having(having: tuple[Having, ...], model: SemanticModel) -> str:
    tests = []
    for one in having:
        against = f"{one.value:g}" if one.value is not None else f"the {one.of.replace('_', ' ')}"
        tests.append(f"{model.metrics[one.metric].label} {_TESTS[one.op]} {against}")
    return " and ".join(tests)


def _time(query: TypedQuery, model: SemanticModel) -> str:
    if not query.time.date:
        return ""
    label = model.dimensions[query.time.date].label
    if query.compare:
        sides = [f"{window.label} ({window.start} to {_last(window.until)})" for window in query.compare]
        return f"{label}: {' against '.join(sides)}"
    start, until = query.time.start, query.time.until
    return f"{label} {f'from {start}' if start else ''}{' ' if start and until else ''}{f'to {_last(until)}' if until else ''}"


def _last(until: date) -> date:
    return until - timedelta(days=1)


def _label(model: SemanticModel, name: str) -> str:
    known = model.metrics.get(name) or model.dimensions.get(name)
    return known.label if known else name.replace("_", " ")


def _told(turn: Turn, model: SemanticModel) -> str:
    if turn.table is None or turn.compiled is None:
        return ""
    rows = turn.table.rows
    if not rows:
        return "No row matches: the window lies inside the data, and nothing in it meets all conditions."
    findings = " ".join(f"{finding.text}." for finding in turn.findings)
    if len(rows) == 1:
        named = zip(turn.compiled.columns, rows[0], strict=True)
        cells = [f"{column.label}: {shown(labelled(model, column.name, value), column.unit)}" for column, value in named]
        return f"{', '.join(cells)}. {findings}".strip()
    return f"{len(rows):,} rows. {findings}".strip()


def shown(value: object, unit: str) -> str:
    """A cell as people read it: rates in percent, money with two places, thousands apart."""
    if value is None:
        return "none"
    if not unit or isinstance(value, (bool, date)):
        return str(value)
    number = float(str(value))
    if unit == "rate":
        return f"{number:.1%}"
    if unit == "USD":
        return f"${number:,.2f}"
    return f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"
