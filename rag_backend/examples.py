"""Which approved example a typed query is, apart from its parameters: a badge for the answer, never a way around planning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from medflow.errors import DeclarationError
from medflow.specs.examples import Examples
from medflow.specs.semantic import SemanticModel
from rag_backend.query.canonical import canonical
from rag_backend.query.problems import problems_of
from rag_backend.query.typed_query import Condition, Having, Time, TypedQuery, Where

_ANY = "any"  # stands for every value, day and number


def example_patterns(examples: Examples, model: SemanticModel) -> Mapping[str, str]:
    """The pattern of each example's query to its id.

    Raises:
        DeclarationError: queries that are none, that cannot be asked of the model, or that another example has.
    """
    found: dict[str, str] = {}
    problems: list[str] = []
    for name, example in examples.by_id.items():
        told = _told(example.query, model)
        if isinstance(told, TypedQuery):
            other = found.setdefault(pattern(told, model), name)
            told = [f"{other} has the same query apart from values, days and numbers"] if other != name else []
        problems += [f"{examples.files[name]}: {name}: {problem}" for problem in told]
    if problems:
        raise DeclarationError(problems)
    return found


def pattern(query: TypedQuery, model: SemanticModel) -> str:
    """The canonical query with its parameters left open: values of filters, days, thresholds, and how many rows are shown."""
    query = canonical(query, model)
    changed: dict[str, Any] = {
        "metrics": tuple(use.model_copy(update={"where": _open_where(use.where)}) for use in query.metrics),
        "where": _open_where(query.where),
        "unit": query.unit.model_copy(update={"having": _open_tests(query.unit.having)}),
        "having": _open_tests(query.having),
        "limit": query.limit.model_copy(update={"n": min(query.limit.n, 1), "offset": min(query.limit.offset, 1)}),
        "time": Time(date=query.time.date),
        "compare": (),
    }
    bounds = (query.time.start is not None, query.time.until is not None, len(query.compare))
    return f"{query.model_copy(update=changed).model_dump_json()} {bounds}"


def _told(query: dict[str, Any], model: SemanticModel) -> TypedQuery | list[str]:
    try:
        typed = TypedQuery.model_validate(query)
    except ValidationError as error:
        return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return problems_of(typed, model) or typed


def _open_where(where: Where) -> Where:
    """Sorted anew: values do not tell which condition comes first. None is dropped: one more condition is another question."""
    groups = [tuple(sorted(map(_open, group), key=_text)) for group in where]
    return tuple(sorted(groups, key=lambda group: [_text(one) for one in group]))


def _open(one: Condition) -> Condition:
    return one.model_copy(update={"values": (_ANY,) if one.values else ()})


def _open_tests(having: tuple[Having, ...]) -> tuple[Having, ...]:
    return tuple(sorted((one if one.value is None else one.model_copy(update={"value": 0.0}) for one in having), key=_text))


def _text(one: Condition | Having) -> str:
    return one.model_dump_json()
