"""A typed query in a line of plain words, for options of a question back."""

from __future__ import annotations

from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.query.typed_query import Condition, TypedQuery

_OPS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most", "eq": "exactly", "ne": "not"}


def described(query: TypedQuery, lexicon: Lexicon) -> str:
    """Metrics, groups, conditions, window, threshold, order."""
    model, dims = lexicon.model, lexicon.model.dimensions
    parts = [
        ", ".join(_metric(lexicon, use.id, use.stat, use.transform) for use in query.metrics)
        or f"list of {model.entities[query.entity].label}"
    ]
    if query.unit.entity:
        parts.append(f"for each of the {model.entities[query.unit.entity].label}")
    if query.group_by:
        parts.append("by " + ", ".join(f"{g.grain + ' of ' if g.grain != 'none' else ''}{dims[g.dim].label}" for g in query.group_by))
    conditions = [one for group in query.where for one in group] + [one for use in query.metrics for group in use.where for one in group]
    parts += [_condition(lexicon, one) for one in conditions]
    for test in (*query.unit.having, *query.having):
        parts.append(f"{model.metrics[test.metric].label} {_OPS[test.op]} {test.of or f'{test.value:g}'}")
    if query.time.start or query.time.until:
        parts.append(f"{dims[query.time.date].label} from {query.time.start or 'the first day'} to before {query.time.until or 'any end'}")
    if query.compare:
        parts.append(f"{query.compare[0].label} against {query.compare[1].label}")
    if query.limit.n:
        parts.append(f"{'top' if query.order_by and query.order_by[0].desc else 'bottom'} {query.limit.n}")
    return "; ".join(parts)


def _metric(lexicon: Lexicon, name: str, stat: str, transform: str) -> str:
    label = lexicon.model.metrics[name].label
    stated = f"{stat} {label}" if stat != "default" else label
    return stated if transform == "none" else f"{stated} ({transform.replace('_', ' ')})"


def _condition(lexicon: Lexicon, one: Condition) -> str:
    op = {"in": "", "not_in": "not "}.get(one.op, one.op.replace("_", " ") + " ")
    return f"{lexicon.model.dimensions[one.dim].label} {op}{' or '.join(map(str, one.values))}"
