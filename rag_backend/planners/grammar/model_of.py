"""What the semantic model says of a metric beyond its name: the test that a count makes of its lines, and the ratio of two numbers."""

from __future__ import annotations

import re

from medflow.specs.semantic import SemanticModel
from rag_backend.planners.grammar.tokens import singular, tokens_of
from rag_backend.query.typed_query import Condition

_WHERE = re.compile(r"^(\w+) (=|<>|IN) \(?('[^']*'(?:, ?'[^']*')*)\)?$")


def as_filter(model: SemanticModel, metric: str) -> Condition | None:
    """What a metric counts, as a test of a dimension; None where it is more than that."""
    match = _WHERE.match(model.metrics[metric].where)
    if match is None:
        return None
    dims = [name for name, one in model.dimensions.items() if one.sql == match[1] and not one.join]
    values = tuple(re.findall(r"'([^']*)'", match[3]))
    return Condition(dim=dims[0], op="not_in" if match[2] == "<>" else "in", values=values) if dims else None


def entities_in(model: SemanticModel, text: str) -> list[str]:
    """The entities that some words name, as `loan` in "average loan fine"."""
    words = {singular(token.norm) for token in tokens_of(text)}
    return [name for name, one in model.entities.items() if words & {singular(word) for word in one.words}]


def ratio_of(model: SemanticModel, above: str, below: str) -> str:
    """The metric that divides one by the other, or ''."""
    return next((name for name, one in model.metrics.items() if one.ratio == (above, below)), "")
