"""Plans that a reader could have meant otherwise: they are not answered, since a wrong number costs more than a question back."""

from __future__ import annotations

import re
from collections.abc import Collection

from medflow.specs.semantic import SemanticModel
from rag_backend.planners.base import Refused
from rag_backend.query.expressions import all_where
from rag_backend.query.typed_query import TypedQuery

_COUNTED = re.compile(r"\b(how many|number|count|total|amount of)\b", re.IGNORECASE)


def doubt(question: str, query: TypedQuery, model: SemanticModel) -> Refused | None:
    """Why a plan is held back, or None."""
    for told in (_of_these(query, model), _cut(query), _tested(query, model), _left_out(query, model), _listed(question, query, model)):
        if told:
            return Refused("not_understood", told)
    return None


def _of_these(query: TypedQuery, model: SemanticModel) -> str:
    """`late loans and fines`: the fines of the late ones, or of all?"""
    kinds = [use for use in query.metrics if model.metrics[use.id].count and model.metrics[use.id].where]
    plain = [use for use in query.metrics if _of_all(use.id, [one.id for one in kinds], model)]
    if not (kinds and plain) or query.metrics[0] not in kinds:
        return ""
    return f"say whether {model.metrics[plain[0].id].label} is of the {model.metrics[kinds[0].id].label} or of all"


def _of_all(metric: str, kinds: Collection[str], model: SemanticModel) -> bool:
    """Whether a number beside a count of a kind is of all lines; a ratio of that very count says itself what it is of."""
    declared = model.metrics[metric]
    if declared.ratio:
        return not set(declared.ratio) & set(kinds)
    return bool(declared.per) or (bool(declared.sum) and not declared.where)


def _cut(query: TypedQuery) -> str:
    """The first rows of several groups, or of each of something: of all rows, or for each?"""
    if not query.limit.n or query.limit.per:
        return ""
    several = len(query.group_by) > 1
    return "say whether the first rows are meant of all, or for each of one thing: `top 2 A for each B`" if several else ""


def _tested(query: TypedQuery, model: SemanticModel) -> str:
    """A threshold on what lies within the thing that is counted: for each of those, or for each group?"""
    counted = {model.metrics[use.id].count for use in query.metrics} - {""}
    within = {entity for one in query.having if (tested := model.metrics[one.metric].count) for entity in model.entities[tested].within}
    both = sorted(counted & within)
    return f"say whether the threshold is for each of the {model.entities[both[0]].label} or for each group" if both else ""


def _left_out(query: TypedQuery, model: SemanticModel) -> str:
    """`loans without a renewal of kind A`, where a loan has many: not one of them, or any of another kind?"""
    without = sorted({one.dim for one in all_where(query) if one.op in ("not_in", "is_null") and model.dimensions[one.dim].mixed})
    whole = {entity for one in model.entities.values() for entity in one.within}
    counted = sorted({model.metrics[part].count for use in query.metrics for part in model.parts(use.id)} & whole)
    if not (without and counted):
        return ""
    label, noun = model.dimensions[without[0]].label, model.entities[counted[0]].label
    return f"one of the {noun} has several lines: without this {label} on any of them, or with another one on some? ask for lines"


def _listed(question: str, query: TypedQuery, model: SemanticModel) -> str:
    """A noun alone of what can be listed: the list, or how many?"""
    if query.form != "measure" or query.group_by or query.having or len(query.metrics) != 1 or _COUNTED.search(question):
        return ""
    entity = model.metrics[query.metrics[0].id].count
    plain = query.metrics[0].transform == "none" and query.metrics[0].stat == "default"
    return f"say `list {entity}s …` or `how many {entity}s …`" if entity and plain and model.entities[entity].list else ""
