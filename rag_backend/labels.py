"""Values as people read them: the label of a value whose dimension shows labels; filters and comparisons keep the value."""

from __future__ import annotations

from typing import Any

from medflow.specs.semantic import SemanticModel


def labelled(model: SemanticModel, column: str, value: Any) -> Any:
    """The label of a group's value, or the value itself."""
    dimension = model.dimensions.get(column)
    if dimension is None or not dimension.shows_labels or not isinstance(value, str):
        return value
    if value in dimension.labels:
        return dimension.labels[value].label
    named = dimension.ranges or dimension.codes
    rows = model.codes[named.list].rows if named else ()
    return next((row[named.label] for row in rows if named and row[named.value] == value), value)
