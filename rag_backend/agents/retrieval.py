"""Retrieval: what the knowledge base says of the terms that a question names."""

from __future__ import annotations

from dataclasses import replace

from medflow.specs.semantic import Metric, SemanticModel
from rag_backend.agents.turn import Services, Turn
from rag_backend.planners.base import Definition


def retrieval(turn: Turn, services: Services) -> Turn:
    """The turn with the definitions of its terms: those that are asked about, or the metrics of its query."""
    model = services.model
    if isinstance(turn.outcome, Definition):
        return replace(turn, definitions=tuple(defined(model, term) for term in turn.outcome.terms))
    metrics = {use.id for query in turn.parts for use in query.metrics}
    return replace(turn, definitions=tuple(defined(model, f"metric:{name}") for name in sorted(metrics)))


def defined(model: SemanticModel, term: str) -> str:
    """One sentence on `metric:<id>`, `dimension:<id>`, `entity:<id>` or `value:<dimension>:<value>`, with where it is declared."""
    kind, _, name = term.partition(":")
    if kind == "value":
        return _value(model, *name.split(":", 1))
    if kind == "entity":
        entity = model.entities[name]
        return f"{entity.label}: told apart by {' and '.join(entity.key)}. (semantic/entities.yaml)"
    if kind == "metric":
        metric = model.metrics[name]
        told = f" {metric.about.rstrip('.')}." if metric.about else ""
        dated = model.dimensions[model.date_of(name)].label
        return f"{metric.label}: {_computed(model, metric)}.{told} Dated by {dated}. (semantic/metrics.yaml)"
    dimension = model.dimensions[name]
    told = f" {dimension.about.rstrip('.')}." if dimension.about else ""
    return f"{dimension.label}: what numbers can be split and filtered by.{told} (semantic/dimensions.yaml)"


def _value(model: SemanticModel, dim: str, value: str) -> str:
    declared = model.dimensions[dim]
    if declared.ranges:
        ranges = declared.ranges
        rows = [row for row in model.codes[ranges.list].rows if row[ranges.value] == value]
        spans = " or ".join(f"{row[ranges.first]} to {row[ranges.last]}" for row in rows)
        return f"{rows[0][ranges.label]}: a {declared.label} by {ranges.over} from {spans}. (codes/{ranges.list}.yaml)"
    if declared.codes:
        codes = declared.codes
        label = next((row[codes.label] for row in model.codes[codes.list].rows if row[codes.value] == value), value)
        return f"{declared.label} {value}: {label}. (codes/{codes.list}.yaml)"
    label = declared.labels[value].label if value in declared.labels else value
    return f"{label}: a value of {declared.label}, written {value} in the data. (semantic/dimensions.yaml)"


def _computed(model: SemanticModel, metric: Metric) -> str:
    only = f" where {metric.where}" if metric.where else ""
    if metric.ratio:
        above, below = (model.metrics[part].label for part in metric.ratio)
        return f"{above} divided by {below}, each summed first"
    if metric.count:
        return f"distinct {model.entities[metric.count].label}{only}"
    if metric.sum:
        return f"the sum of {metric.sum}{only}"
    return f"the {metric.stat} over {model.entities[metric.per].label} of {metric.value}"
