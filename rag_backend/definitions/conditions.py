"""Declared expressions in words: the SQL of a metric or dimension in, English with the names of dimensions and columns out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlglot
from sqlglot import exp

from medflow.specs.semantic import SemanticModel

_COMPARED: Mapping[type[exp.Expression], str] = {
    exp.EQ: "is",
    exp.NEQ: "is not",
    exp.GT: "is above",
    exp.GTE: "is at least",
    exp.LT: "is below",
    exp.LTE: "is at most",
}
_JOINED: Mapping[type[exp.Expression], str] = {
    exp.And: "and",
    exp.Or: "or",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "times",
    exp.Div: "divided by",
}


def in_words(sql: str, model: SemanticModel) -> str:
    """An expression over one line, in words; what has no words stays SQL."""
    return _said(sqlglot.parse_one(sql, dialect="spark"), model)


def column_in_words(name: str, model: SemanticModel) -> str:
    """A column by the label of what reads it, with its own name beside it where that is another."""
    read = [one.label for one in model.dimensions.values() if one.sql == name and not one.join]
    read += [one.label for one in model.metrics.values() if one.sum == name and not one.where]
    label = read[0] if read else name.replace("_", " ")
    return label if label == name or label.replace(" ", "_") == name else f"{label} ({name})"


def _said(node: Any, model: SemanticModel) -> str:
    def told(one: Any) -> str:
        return _said(one, model)

    if isinstance(node, exp.Column):
        return column_in_words(node.name, model)
    if isinstance(node, exp.Paren):
        return told(node.this)
    if isinstance(node, exp.Literal):
        return str(node.this)
    if type(node) in _COMPARED:
        return f"{told(node.this)} {_COMPARED[type(node)]} {told(node.expression)}"
    if type(node) in _JOINED:
        return f"{told(node.this)} {_JOINED[type(node)]} {told(node.expression)}"
    if isinstance(node, exp.In) and node.expressions:
        return f"{told(node.this)} is {listed([told(one) for one in node.expressions])}"
    if isinstance(node, exp.Is):
        return f"{told(node.this)} is not known"
    if isinstance(node, exp.Not):
        return _not(node.this, told)
    return _called(node, told)


def _not(node: Any, told: Callable[[Any], str]) -> str:
    if isinstance(node, exp.Is):
        return f"{told(node.this)} is known"
    if isinstance(node, exp.In) and node.expressions:
        return f"{told(node.this)} is neither {listed([told(one) for one in node.expressions], 'nor')}"
    return f"not {told(node)}"


def _called(node: Any, told: Callable[[Any], str]) -> str:
    if isinstance(node, exp.Coalesce):
        return told(node.this)
    if isinstance(node, exp.DateDiff):
        return f"the days from {told(node.expression)} to {told(node.this)}"
    if isinstance(node, exp.Left):
        return f"the first {told(node.expression)} characters of {told(node.this)}"
    if isinstance(node, (exp.Cast, exp.TsOrDsToDate)):
        return told(node.this)
    return str(node.sql(dialect="spark"))


def listed(parts: list[str], last: str = "or") -> str:
    """`a, b or c`."""
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}" if len(parts) > 1 else "".join(parts)
