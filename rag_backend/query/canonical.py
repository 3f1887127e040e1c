"""One form for all typed queries that ask the same: defaults filled, sets sorted. What it changes never changes a row of the answer."""

from __future__ import annotations

from medflow.specs.semantic import SemanticModel
from rag_backend.query.typed_query import Condition, Having, MetricUse, Order, Time, TypedQuery, Where


def canonical(query: TypedQuery, model: SemanticModel) -> TypedQuery:
    """The canonical form of a query without problems; metrics and groups keep their order, which is that of the columns."""
    dated = query.compare or query.unit.period or query.time.start or query.time.until
    time = query.time if dated else Time()
    unit = query.unit.model_copy(update={"having": _tests(query.unit.having)})
    changed = {
        "metrics": tuple(_metric(use, query, model) for use in query.metrics),
        "where": _where(query.where),
        "unit": unit,
        "having": _tests(query.having),
        "time": time,
        "order_by": _order(query, model),
        "limit": query.limit.model_copy(update={"per": tuple(sorted(query.limit.per))}),
    }
    return query.model_copy(update=changed)


def _metric(use: MetricUse, query: TypedQuery, model: SemanticModel) -> MetricUse:
    """A statistic that is the metric's own goes without saying."""
    own = not query.unit.entity and use.stat == model.metrics[use.id].stat
    return use.model_copy(update={"where": _where(use.where), **({"stat": "default"} if own else {})})


def _where(where: Where) -> Where:
    groups = {tuple(sorted({_condition(one) for one in group}, key=_text)) for group in where}
    return tuple(sorted(groups, key=lambda group: [_text(one) for one in group]))


def _condition(one: Condition) -> Condition:
    return one.model_copy(update={"values": tuple(sorted(dict.fromkeys(one.values), key=str))})


def _tests(having: tuple[Having, ...]) -> tuple[Having, ...]:
    return tuple(sorted(dict.fromkeys(having), key=_text))


def _order(query: TypedQuery, model: SemanticModel) -> tuple[Order, ...]:
    """The order as the compiler writes it: of measures without dates the first metric goes down; one row has no order."""
    if query.form == "measure" and not query.group_by:
        return ()
    named: dict[str, Order] = {}
    for one in query.order_by:
        named.setdefault(one.by, one)
    dated = any(model.dimensions[one.dim].type == "date" for one in query.group_by)
    if named or dated or query.form == "list" or not query.metrics:
        return tuple(named.values())
    first = query.metrics[0]
    return (Order(by=query.outputs(first)[0] if query.compare else first.id, desc=True),)


def _text(one: Condition | Having) -> str:
    return one.model_dump_json()
