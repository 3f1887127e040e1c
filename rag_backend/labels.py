"""Values as people read them: a value's label, shown where its dimension shows labels; filters and comparisons keep the value."""

from __future__ import annotations

from datetime import date
from typing import Any

from medflow.specs.semantic import SemanticModel


def label_of(model: SemanticModel, dim: str, value: Any) -> str:
    """What a value of a dimension is called: by its declared label, by its code list, or as it is."""
    declared = model.dimensions[dim]
    if str(value) in declared.labels:
        return declared.labels[str(value)].label
    named = declared.ranges or declared.codes
    rows = model.codes[named.list].rows if named else ()
    return next((row[named.label] for row in rows if named and row[named.value] == value), str(value))


def name_label(model: SemanticModel, name: str) -> str:
    """What a metric, a dimension or a derived column is called."""
    known = model.metrics.get(name) or model.dimensions.get(name)
    return known.label if known else name.replace("_", " ")


def period_label(day: date, grain: str) -> str:
    """What a stretch of time is called: `May 2026`, `Q1 2026`, `2026`, else its first day."""
    if grain == "quarter":
        return f"Q{(day.month + 2) // 3} {day.year}"
    return {"month": f"{day:%B %Y}", "year": str(day.year), "week": f"the week of {day.isoformat()}"}.get(grain, day.isoformat())


def labelled(model: SemanticModel, column: str, value: Any) -> Any:
    """A group's value as an answer shows it: its label where the dimension shows labels, else the value itself."""
    dimension = model.dimensions.get(column)
    shown = dimension is not None and dimension.shows_labels and isinstance(value, str)
    return label_of(model, column, value) if shown else value
