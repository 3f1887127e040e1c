"""Dimensions, conditions and windows of a typed query as SQL over one table: the lines, or a table that stands for them.

Everything is written in Spark SQL and put into an engine's own by `medflow.sql.compile`. Text of a question only ever gets in as a
quoted literal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp

from medflow.specs.semantic import Dimension, Grain, RangeValues, SemanticModel, SourceTable
from medflow.sql.text import literal
from rag_backend.query.typed_query import Condition, TypedQuery, Where

ROWS = "rows"
_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OF_DATE = {
    "none": "{date}",
    "day": "{date}",
    "week": "CAST(DATE_TRUNC('WEEK', {date}) AS DATE)",
    "month": "CAST(DATE_TRUNC('MONTH', {date}) AS DATE)",
    "quarter": "CAST(DATE_TRUNC('QUARTER', {date}) AS DATE)",
    "year": "YEAR({date})",
    "weekday": "((DATEDIFF({date}, DATE '1900-01-01') % 7) + 1)",  # 1 = Monday; 1900-01-01 was one
    "month_of_year": "MONTH({date})",
}


@dataclass(frozen=True)
class Base:
    """A table to answer from: the model's lines, or the declared source `name`."""

    model: SemanticModel
    name: str = ""

    @property
    def source(self) -> SourceTable | None:
        return self.model.sources[self.name] if self.name else None

    @property
    def table(self) -> str:
        return self.name or self.model.fact.table

    def value(self, dim: str, grain: Grain = "none") -> str:
        """A dimension of a row; NULL where the row has none."""
        declared = self.model.dimensions[dim]
        if declared.type == "date":
            return _OF_DATE[grain].format(date=self._date(dim))
        if declared.ranges:
            return self._column(dim) if self.source else _in_ranges(self.model, declared.ranges)
        if declared.join:
            join = self.model.joins[declared.join]
            return f"COALESCE({qualified(declared.sql, declared.join)}, {literal(join.absent)})"
        return self._column(dim) if self.source else qualified(declared.sql, ROWS)  # an overlapping one never reaches the lines

    def shown(self, dim: str) -> str:
        """What is shown beside a dimension that only tells rows apart, or ''."""
        display = self.model.dimensions[dim].display
        if display is None:
            return ""
        return f"COALESCE({qualified(display.sql, display.join)}, {literal(self.model.joins[display.join].absent)})"

    def _column(self, dim: str) -> str:
        assert self.source is not None
        return f"{ROWS}.{self.source.dimensions[dim]}"

    def _date(self, dim: str) -> str:
        if self.source is None:
            return qualified(self.model.dimensions[dim].sql, ROWS)
        kept = self.source.dates[dim]
        return f"MAKE_DATE({ROWS}.{kept.column}, 1, 1)" if kept.grain == "year" else f"{ROWS}.{kept.column}"

    def relation(self, dims: Iterable[str]) -> str:
        """FROM with the joins that these dimensions need."""
        declared = [self.model.dimensions[dim] for dim in dims]
        names = {one.join for one in declared if one.join} | {one.display.join for one in declared if one.display}
        joins = [self._joined(name) for name in sorted(names)]
        return " ".join([f"FROM {self.table} AS {ROWS}", *joins])

    def _joined(self, name: str) -> str:
        join = self.model.joins[name]
        left = join.left
        if self.source:
            left = next(column for dim, column in self.source.dimensions.items() if self.model.dimensions[dim].sql == join.left)
        return f"LEFT JOIN {join.table} AS {name} ON {name}.{join.right} = {ROWS}.{left}"

    def condition(self, one: Condition) -> str:
        """One test; of a NULL, only `is_null` and `not_in` hold."""
        declared, value = self.model.dimensions[one.dim], self.value(one.dim)
        values = [as_literal(declared, text) for text in one.values]
        if declared.several:
            return _among(one.op, value, values)
        if one.op in ("in", "not_in"):
            listed = f"COALESCE({value} IN ({', '.join(values)}), FALSE)"
            return listed if one.op == "in" else f"NOT {listed}"
        if one.op in ("is_null", "not_null"):
            return f"{value} IS {'NOT ' if one.op == 'not_null' else ''}NULL"
        if one.op == "starts_with":
            starts = [f"SUBSTRING({value}, 1, {len(str(text))}) = {literal(str(text))}" for text in one.values]
            return f"COALESCE({' OR '.join(starts)}, FALSE)"
        return f"COALESCE({value} {_COMPARISONS[one.op]} {values[0]}, FALSE)"

    def conditions(self, where: Where) -> list[str]:
        """One SQL condition a group."""
        return [f"({' OR '.join(self.condition(one) for one in group)})" for group in where]

    def window(self, date: str, start: object, until: object) -> list[str]:
        """`date` from the first day to the day before the last; None = open."""
        value = self.value(date)
        bounds = [f"{value} >= DATE '{start}'"] if start else []
        return bounds + ([f"{value} < DATE '{until}'"] if until else [])


def all_where(query: TypedQuery) -> Iterator[Condition]:
    """Every condition of a query, those of single metrics and of what is tested too."""
    own = [*(one.where for one in query.metrics), *(one.where for one in (*query.unit.having, *query.having))]
    for where in (query.where, *own):
        for group in where:
            yield from group


def as_literal(declared: Dimension, value: object) -> str:
    """A value in SQL, by the type of its dimension."""
    return f"DATE {literal(str(value))}" if declared.type == "date" else literal(str(value))


@lru_cache(maxsize=1024)
def qualified(sql: str, alias: str) -> str:
    """A declared expression with every column under an alias."""
    tree = sqlglot.parse_one(sql, read="spark")
    for column in list(tree.find_all(exp.Column)):
        column.set("table", exp.to_identifier(alias))
    return tree.sql("spark")


def ratio(above: str, below: str) -> str:
    """One number divided by another, as a double; NULL where that is 0."""
    return f"CAST({above} AS DOUBLE) / NULLIF(CAST({below} AS DOUBLE), 0)"


def _among(op: str, listed: str, values: Sequence[str]) -> str:
    """A test of a list of values: that one is among them, none is, or that there are none at all."""
    if op in ("is_null", "not_null"):
        return f"COALESCE(SIZE({listed}), 0) {'>' if op == 'not_null' else '<='} 0"
    found = " OR ".join(f"ARRAY_CONTAINS({listed}, {value})" for value in values)
    return f"{'NOT ' if op == 'not_in' else ''}COALESCE({found}, FALSE)"


def _in_ranges(model: SemanticModel, ranges: RangeValues) -> str:
    over = qualified(ranges.over, ROWS)
    arms = [
        f"WHEN {over} BETWEEN {literal(row[ranges.first])} AND {literal(row[ranges.last])} THEN {literal(row[ranges.value])}"
        for row in model.codes[ranges.list].rows
    ]
    return f"CASE {' '.join(arms)} END"
