"""What a role must be granted to read of something: the tables, and the columns of each, that metrics, dimensions and queries go by.

A way is table -> columns. What the lines and tables of totals can both answer has several ways, of which one is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

from medflow.specs.policy import Policy
from medflow.specs.semantic import SemanticModel
from medflow.specs.table import TableSpec
from rag_backend.query.expressions import Base
from rag_backend.query.measures import Measures
from rag_backend.query.sources import admissible, tables_of
from rag_backend.query.typed_query import TypedQuery

Way = Mapping[str, frozenset[str]]
Ways = tuple[Way, ...]


def granted(ways: Ways, policy: Policy) -> bool:
    """Whether a policy opens every table and column of one of the ways."""
    return any(all(table in policy.tables and columns <= set(policy.tables[table]) for table, columns in way.items()) for way in ways)


@dataclass(frozen=True)
class Reads:
    """The ways of a semantic model over declared tables."""

    model: SemanticModel
    tables: Mapping[str, TableSpec]
    _columns: dict[str, frozenset[str]] = field(default_factory=dict, compare=False)

    @property
    def bases(self) -> list[Base]:
        """The tables of totals that are there, and the lines last."""
        return [*(Base(self.model, name) for name in self.model.sources if name in self.tables), Base(self.model)]

    def of_metric(self, name: str) -> Ways:
        """Each table that keeps the metric."""
        return _known(self._metric(name, base, frozenset()) for base in self.bases)

    def of_dimension(self, name: str) -> Ways:
        """Each table that keeps the dimension."""
        return _known(self._dimension(name, base) for base in self.bases)

    def of_query(self, query: TypedQuery) -> Ways:
        """Each table that answers the query."""
        return _known(self._query(query, base) for base in admissible(query, self.model, self.tables))

    def of_name(self, name: str) -> Ways:
        """Each table that has a column of this name, or that is called so; () = nothing is."""
        found: list[Way] = [{table: frozenset({name})} for table, spec in self.tables.items() if name in spec.column_names]
        found += [{table: frozenset()} for table, spec in self.tables.items() if name in (table, spec.short_name)]
        return tuple(found)

    def _query(self, query: TypedQuery, base: Base) -> Way | None:
        metrics = [*(one.id for one in query.metrics), *(one.metric for one in (*query.having, *query.unit.having))]
        ways = [self._metric(name, base, query.dimensions) for name in metrics]
        ways += [self._dimension(name, base) for name in query.dimensions]
        entity = self.model.entities.get(query.entity or query.unit.entity)
        if entity and query.form == "list":
            ways += [{entity.table: frozenset(entity.table_key)}, *(self._dimension(name, base) for name in entity.list)]
        elif entity:
            ways.append({base.table: frozenset(entity.key)})
        read = tables_of(query, base)
        known = [{table: columns for table, columns in way.items() if table in read} for way in ways if way is not None]
        return _together(known) if len(known) == len(ways) else None

    def _metric(self, name: str, base: Base, asked: frozenset[str]) -> Way | None:
        measures = Measures(base, self.tables.get(base.table), single=True, asked=asked)
        parts = self.model.parts(name)
        if base.source:
            columns = ["" if self.model.metrics[part].per else measures.column(part) for part in parts]
            return {base.table: self._in(*columns)} if all(columns) else None
        return {base.table: self._in(*(self._of_lines(part, measures) for part in parts))}

    def _of_lines(self, name: str, measures: Measures) -> str:
        metric = self.model.metrics[name]
        return f"{measures.aggregate(name)} + {measures.key(metric.per)}" if metric.per else measures.aggregate(name)

    def _dimension(self, name: str, base: Base) -> Way | None:
        declared = self.model.dimensions[name]
        joined = [(self.model.joins[one], sql) for one, sql in ((declared.join, declared.sql),) if one]
        joined += [(self.model.joins[one.join], one.sql) for one in (declared.display,) if one]
        looked_up = _together({join.table: self._in(sql) | {join.right}} for join, sql in joined)
        if base.source:
            kept = base.source.dates[name].column if name in base.source.dates else base.source.dimensions.get(name, "")
            return _together([{base.table: frozenset({kept})}, looked_up]) if kept else None
        if declared.overlapping:
            return None
        own = declared.ranges.over if declared.ranges else self.model.joins[declared.join].left if declared.join else declared.sql
        return _together([{base.table: self._in(own)}, looked_up])

    def _in(self, *expressions: str) -> frozenset[str]:
        """The columns that expressions name."""
        for sql in expressions:
            if sql not in self._columns:
                self._columns[sql] = frozenset(one.name for one in sqlglot.parse_one(sql, dialect="spark").find_all(exp.Column))
        return frozenset().union(*(self._columns[sql] for sql in expressions))


def _together(ways: Iterable[Way]) -> Way:
    found: dict[str, frozenset[str]] = {}
    for way in ways:
        for table, columns in way.items():
            found[table] = found.get(table, frozenset()) | columns
    return found


def _known(ways: Iterable[Way | None]) -> Ways:
    return tuple(way for way in ways if way is not None)
