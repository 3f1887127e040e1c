"""What the model may say: a typed query with the words that ask for each part, SQL, a question back, or a refusal; as strict schemas.

The API takes no unions, no defaults and no bounds in a strict tool: every field is there, and what is not asked for is [] or ''.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from medflow.specs.semantic import Grain, SemanticModel
from rag_backend.planners.base import ReasonCode
from rag_backend.query.typed_query import PERIODS, Comparison, Condition, Having, MetricUse, Transform, TypedQuery

QUERY, SQL, CLARIFY, REFUSE = "typed_query", "sql", "clarify", "refuse"
REFUSED_BY_MODEL: tuple[ReasonCode, ...] = (
    "not_in_data",
    "not_understood",
    "needs_definition",
    "off_topic",
    "prediction_or_advice",
    "unsafe",
)
_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER = {"type": "integer"}
_TRUE = {"type": "boolean"}


def tools_of(model: SemanticModel, lanes: frozenset[str]) -> list[dict[str, Any]]:
    """The tools of a role, always in the same order and words: they begin what the API keeps of a request."""
    query, cited = _query(model), _list(_object(slot=_TEXT, words=_TEXT))
    option = _object(query=query)
    tools = [
        _tool(
            QUERY,
            "Answer with a typed query. Cite for every part of it the words of the question that ask for it.",
            query=query,
            spans=cited,
        ),
        _tool(CLARIFY, "Ask back where the question has several readings that give different numbers.", options=_list(option)),
        _tool(
            REFUSE, "Say that this cannot be answered from the catalogue.", reason_code=_enum(REFUSED_BY_MODEL), word=_TEXT, message=_TEXT
        ),
    ]
    if "ad_hoc" in lanes:
        about = "Write one SELECT where the catalogue has the columns but a typed query cannot say it. It is shown as unverified."
        tools.append(_tool(SQL, about, sql=_TEXT))
    return tools


def _tool(name: str, about: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": about, "strict": True, "input_schema": _object(**fields)}


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _enum(values: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _options(kind: type[Any], name: str) -> dict[str, Any]:
    """The closed set of a field of the typed query."""
    return _enum(get_args(kind.model_fields[name].annotation))


def _query(model: SemanticModel) -> dict[str, Any]:
    metric, dim = _enum(sorted(model.metrics)), _enum(sorted(model.dimensions))
    entity = _enum(["", *sorted(model.entities)])
    where = _list(_list(_object(dim=dim, op=_options(Condition, "op"), values=_list(_TEXT))))
    having = _list(_object(metric=metric, op=_enum(get_args(Comparison)), value=_TEXT, of=_options(Having, "of"), where=where))
    used = _object(id=metric, stat=_options(MetricUse, "stat"), transform=_enum(get_args(Transform)), where=where)
    window = {"from": _TEXT, "to": _TEXT}
    return _object(
        form=_options(TypedQuery, "form"),
        entity=entity,
        metrics=_list(used),
        group_by=_list(_object(dim=dim, grain=_enum(get_args(Grain)))),
        where=where,
        unit=_object(entity=_enum(["", *sorted({*model.entities, *PERIODS})]), having=having),
        having=having,
        time=_object(date=_enum(["", *sorted(name for name, one in model.dimensions.items() if one.type == "date")]), **window),
        compare=_list(_object(label=_TEXT, **window)),
        order_by=_list(_object(by=_TEXT, desc=_TRUE)),
        limit=_object(n=_NUMBER, offset=_NUMBER, per=_list(dim), ties=_TRUE),
    )
