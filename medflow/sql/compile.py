"""One plan, two engines: a SELECT in Spark SQL in, the same SELECT in an engine's own SQL out. A dialect states only its
differences; nothing here knows what the tables hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import UnsupportedError

Dialect = Literal["duckdb", "spark", "trino"]


def compile_sql(text: str, dialect: Dialect) -> str:
    """The Spark SQL `text` for one engine.

    Raises:
        sqlglot.errors.SqlglotError: it does not parse; UnsupportedError: the engine has nothing that gives the same.
    """
    tree = sqlglot.parse_one(text, read="spark")
    return tree.transform(_DIFFERENCES[dialect], copy=False).sql(dialect)


def _for_duckdb(node: exp.Expr) -> exp.Expr:
    # DuckDB's map() costs 5 to 10 times a struct: whoever needs the map casts the struct to it, or has Arrow make it.
    if isinstance(node, exp.VarMap):
        pairs = zip(node.args["keys"].expressions, node.args["values"].expressions, strict=True)
        return exp.Struct(expressions=[exp.PropertyEQ(this=exp.to_identifier(key.name, quoted=True), expression=v) for key, v in pairs])
    if isinstance(node, exp.Anonymous) and node.name.upper() == "XXHASH64":
        return exp.Anonymous(this="HASH", expressions=node.expressions)
    # Spark's PERCENTILE is interpolated; the function that sqlglot writes for it is not.
    if isinstance(node, exp.Quantile):
        return exp.PercentileCont(this=node.this, expression=node.args["quantile"])
    return node


def _for_spark(node: exp.Expr) -> exp.Expr:
    return node


def _for_trino(node: exp.Expr) -> exp.Expr:
    # Trino's percentiles are approximate: another number under the same name.
    if isinstance(node, (exp.Quantile, exp.Median, exp.PercentileCont, exp.PercentileDisc)):
        raise UnsupportedError("Trino has no exact percentiles")
    if isinstance(node, exp.AddMonths):
        return exp.DateAdd(this=node.this, expression=node.expression, unit=exp.Literal.string("MONTH"))
    if isinstance(node, exp.Anonymous) and node.name.upper() == "MAKE_DATE":
        day: exp.Expr = exp.cast(exp.Literal.string("1970-01-01"), "date")
        for unit, first, number in zip(("YEAR", "MONTH", "DAY"), (1970, 1, 1), node.expressions, strict=True):
            day = exp.DateAdd(
                this=day, expression=exp.Sub(this=number, expression=exp.Literal.number(first)), unit=exp.Literal.string(unit)
            )
        return day
    return node


_DIFFERENCES: dict[Dialect, Callable[[exp.Expr], exp.Expr]] = {"duckdb": _for_duckdb, "spark": _for_spark, "trino": _for_trino}
