"""Which tables can answer a typed query exactly, the coarsest first. A property test holds all of them equal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from medflow.specs.semantic import Grain, SemanticModel, SourceTable
from medflow.specs.table import TableSpec
from rag_backend.query.expressions import Base, all_where
from rag_backend.query.lists import is_absence
from rag_backend.query.measures import Measures
from rag_backend.query.typed_query import TypedQuery, listed

_WITHIN_MONTH = {"day", "week", "weekday", "none"}
_OF_YEAR: set[Grain] = {"year"}


def admissible(query: TypedQuery, model: SemanticModel, tables: Mapping[str, TableSpec]) -> list[Base]:
    """The sources that answer exactly, in declared order (coarsest first), and the lines last; none, where only totals keep a dimension."""
    bases = [Base(model, name) for name in model.sources if name in tables]
    lines = [] if any(model.dimensions[dim].overlapping for dim in query.dimensions) else [Base(model)]
    return [*(base for base in bases if _answers(query, base, tables[base.name])), *lines]


def tables_of(query: TypedQuery, base: Base) -> frozenset[str]:
    """Every table that the SQL over `base` reads."""
    dims = [base.model.dimensions[dim] for dim in query.dimensions]
    joins = {one.join for one in dims if one.join} | {one.display.join for one in dims if one.display}
    entity = query.entity if query.form == "list" else query.unit.entity if is_absence(query, base.model) else ""
    listed = base.model.entities[entity].table if entity else ""
    own = [] if query.form == "list" and not query.metrics and not query.having else [base.table]  # names alone are in the entity's table
    return frozenset({*own, *(base.model.joins[name].table for name in joins), *([listed] if listed else [])})


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


def measures_of(query: TypedQuery, base: Base, spec: TableSpec | None) -> Measures:
    """The metrics of a query over a source or the lines."""
    single = base.source is not None and spec is not None and _one_row_each(query, base.source, base.model, spec)
    return Measures(base, spec, single, query.dimensions)


def _one_row_each(query: TypedQuery, source: SourceTable, model: SemanticModel, spec: TableSpec) -> bool:
    """Whether every number of a query is of one row of the source at most: its grain is told by groups, single values and the window."""
    if query.compare or any(use.where or use.transform.startswith("share") for use in query.metrics) or any(one.of for one in query.having):
        return False
    grouped = {one.dim: one.grain for one in query.group_by}
    single = {one.dim for one in listed(query.where) if len(one.values) == 1}
    told = {column for dim, column in source.dimensions.items() if not model.dimensions[dim].join and dim in {*grouped, *single}}
    told |= {kept.column for dim, kept in source.dates.items() if grouped.get(dim) == kept.grain or _is_one(query, dim, kept.grain)}
    return set(spec.grain) <= told


def _is_one(query: TypedQuery, dim: str, grain: str) -> bool:
    """Whether the window is a single month or year of this date."""
    start, until = query.time.start, query.time.until
    if query.time.date != dim or start is None or until is None or start.day != 1:
        return False
    following = start.replace(year=start.year + 1) if grain == "year" else (start + timedelta(days=31)).replace(day=1)
    return until == following and (grain != "year" or start.month == 1)


def _measures(query: TypedQuery, base: Base, spec: TableSpec) -> bool:
    measures = measures_of(query, base, spec)
    asked = [*(use.id for use in query.metrics), *(one.metric for one in query.having)]
    parts = {part for metric in asked for part in base.model.parts(metric)}
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
