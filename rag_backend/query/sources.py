"""Which tables can answer a typed query exactly, the coarsest first. A property test holds all of them equal."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from medflow.specs.semantic import Grain, SemanticModel, SourceTable
from medflow.specs.table import TableSpec
from rag_backend.query.expressions import Base, all_where
from rag_backend.query.measures import Measures
from rag_backend.query.typed_query import TypedQuery

_WITHIN_MONTH = {"day", "week", "weekday", "none"}
_OF_YEAR: set[Grain] = {"year"}


def admissible(query: TypedQuery, model: SemanticModel, tables: Mapping[str, TableSpec]) -> list[Base]:
    """The sources that answer exactly, in declared order (coarsest first), and the lines last."""
    bases = [Base(model, name) for name in model.sources if name in tables]
    return [*(base for base in bases if _answers(query, base, tables[base.name])), Base(model)]


def tables_of(query: TypedQuery, base: Base) -> frozenset[str]:
    """Every table that the SQL over `base` reads."""
    dims = [base.model.dimensions[dim] for dim in query.dimensions]
    joins = {one.join for one in dims if one.join} | {one.display.join for one in dims if one.display}
    listed = base.model.entities[query.entity].table if query.form == "list" else ""
    return frozenset({base.table, *(base.model.joins[name].table for name in joins), *([listed] if listed else [])})


def _answers(query: TypedQuery, base: Base, spec: TableSpec) -> bool:
    source = base.source
    assert source is not None
    asked = {c.dim for c in all_where(query)} | {one.dim for one in query.group_by}
    dates = {query.time.date, *(dim for dim in asked if base.model.dimensions[dim].type == "date")} - {""}
    return (
        query.form == "measure"
        and not query.unit.entity
        and _measures(query, base, spec)
        and asked - dates <= set(source.dimensions)
        and set(source.needs) <= _only_with(query)
        and not any(c.dim in dates for c in all_where(query))
        and dates <= set(source.dates)
        and all(_keeps(source, one.dim, one.grain) for one in query.group_by if one.dim in dates)
        and _windows_fit(query, source)
    )


def _only_with(query: TypedQuery) -> set[str]:
    """Dimensions of which only rows with a value are asked for: by a group that leaves out the others, or by a test for values."""
    tested = {group[0].dim for group in query.where if len(group) == 1 and group[0].op in ("in", "not_null", "starts_with")}
    return tested | {one.dim for one in query.group_by}


def _measures(query: TypedQuery, base: Base, spec: TableSpec) -> bool:
    measures = Measures(base, spec)
    parts = {part for use in query.metrics for part in base.model.parts(use.id)}
    return all(use.stat == "default" for use in query.metrics) and all(
        not base.model.metrics[part].per and measures.column(part) for part in parts
    )


def _keeps(source: SourceTable, dim: str, grain: Grain) -> bool:
    """Whether a grain of a date can be told from what the table keeps of it."""
    return grain not in _WITHIN_MONTH if source.dates[dim].grain == "month" else grain in _OF_YEAR


def _windows_fit(query: TypedQuery, source: SourceTable) -> bool:
    if not query.time.date:
        return True
    kept = source.dates[query.time.date].grain
    bounds: Collection[object] = [query.time.start, query.time.until, *(day for one in query.compare for day in (one.start, one.until))]
    days = [str(day) for day in bounds if day]
    return all(day.endswith("-01-01" if kept == "year" else "-01") for day in days)
