"""What happens to measured rows: shares, running totals, changes and ranks; then having, order and limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medflow.specs.semantic import SemanticModel
from rag_backend.query.expressions import ratio
from rag_backend.query.typed_query import Having, MetricUse, TypedQuery

_OPS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_STEP_BACK = {
    "day": "DATE_SUB({0}, 1)",
    "none": "DATE_SUB({0}, 1)",
    "week": "DATE_SUB({0}, 7)",
    "month": "ADD_MONTHS({0}, -1)",
    "quarter": "ADD_MONTHS({0}, -3)",
    "year": "{0} - 1",
    "weekday": "{0} - 1",
    "month_of_year": "{0} - 1",
}


@dataclass(frozen=True)
class Ordering:
    """What rows are told apart by, and all columns of them."""

    groups: tuple[str, ...]
    columns: tuple[str, ...]


def transformed(query: TypedQuery, model: SemanticModel, groups: tuple[str, ...]) -> str:
    """The columns of `shaped`: those of `measured`, what is derived from them, and what `having` tests as `test_<metric>`."""
    names = [f"measured.{name}" for name in groups]
    dated = {one.dim: _STEP_BACK[one.grain] for one in query.group_by if model.dimensions[one.dim].type == "date"}
    for use in query.metrics:
        if query.compare:
            names += _compared(*query.outputs(use))
            continue
        names.append(f"measured.{use.column}")
        if use.transform == "share_of_group":
            names.append(f"measured.{query.outputs(use)[1]}")
        elif use.transform != "none":
            others = tuple(group for group in groups if group not in dated)
            derived = _derived(use, others, dated)
            names += [f"{sql} AS {name}" for sql, name in zip(derived, query.outputs(use)[1:], strict=True)]
    for number, one in enumerate(query.having):
        names += [f"measured.having_{one.metric} AS test_{one.metric}{number}", f"{_against(one, model)} AS against_{one.metric}{number}"]
    return ", ".join(names)


def _against(one: Having, model: SemanticModel) -> str:
    """The number that a metric is tested against; the average of a ratio is that of all rows together."""
    declared = model.metrics[one.metric]
    if one.of == "average" and not declared.ratio:
        return f"AVG(measured.having_{one.metric}) OVER ()"
    if one.of in ("average", "total"):
        return f"totals.total_{one.metric}"
    return f"firsts.total_{one.metric}" if one.of == "parent_group" else repr(one.value)


def _compared(before: str, after: str, change: str, change_pct: str) -> list[str]:
    """A missing side of a comparison stays missing; the change is of two sides that are there."""
    difference = f"measured.{after} - measured.{before}"
    return [
        f"measured.{before}",
        f"measured.{after}",
        f"{difference} AS {change}",
        f"{ratio(difference, f'measured.{before}')} AS {change_pct}",
    ]


def _derived(use: MetricUse, others: tuple[str, ...], dated: Mapping[str, str]) -> list[str]:
    """One expression a derived column. `others`: the groups besides the date; `dated`: the date, and how to step back by its grain."""
    value = f"measured.{use.column}"
    if use.transform.startswith("share"):
        table = "totals" if use.transform == "share_of_total" else "firsts"
        return [ratio(value, f"{table}.total_{use.column}")]
    if use.transform == "rank":
        return [f"RANK() OVER (ORDER BY {value} DESC NULLS LAST)"]
    date, step_back = next(iter(dated.items()))
    parts = f"PARTITION BY {', '.join(f'measured.{group}' for group in others)} " if others else ""
    over = f"({parts}ORDER BY measured.{date}"
    if use.transform == "running_total":
        return [f"SUM({value}) OVER {over} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"]
    # A period without rows is no row: the change is told only from the period right before.
    before = step_back.format(f"measured.{date}")
    change = f"{value} - LAG({value}) OVER {over})"
    part = ratio(change, f"LAG({value}) OVER {over})")
    return [f"CASE WHEN LAG(measured.{date}) OVER {over}) = {before} THEN {sql} END" for sql in (change, part)]


def tested(having: Sequence[Having]) -> list[str]:
    """The columns of `shaped` that the tests are about: for each, what is tested and what against."""
    return [f"{side}_{one.metric}{number}" for number, one in enumerate(having) for side in ("test", "against")]


def groups_kept(having: Sequence[Having]) -> list[str]:
    """Tests of the rows of `shaped`, which has what is tested and what against beside each other, by number."""
    return [f"test_{one.metric}{number} {_OPS[one.op]} against_{one.metric}{number}" for number, one in enumerate(having)]


def against_values(having: Sequence[Having]) -> list[str]:
    """What each test holds its metric against, and how: a number."""
    return [f"{_OPS[one.op]} {one.value!r}" for one in having]


def values_kept(having: Sequence[Having], prefix: str) -> list[str]:
    """Tests of columns `<prefix><metric>` against numbers."""
    return [f"{prefix}{one.metric} {test}" for one, test in zip(having, against_values(having), strict=True)]


def where(tests: Sequence[str]) -> str:
    """WHERE all of the tests hold, or '' without any."""
    return f" WHERE {' AND '.join(tests)}" if tests else ""


def ordered(query: TypedQuery, rows: str, ordering: Ordering, by_date: bool) -> str:
    """Rows in order, cut where asked; without an order dates go up, else the first metric goes down; groups break ties."""
    columns = {use.id: use.column for use in query.metrics}
    keys = [f"{columns.get(one.by, one.by)} {'DESC' if one.desc else 'ASC'} NULLS LAST" for one in query.order_by]
    named = {one.by for one in query.order_by}
    rest = [f"{name} ASC NULLS LAST" for name in ordering.groups if name not in named]
    if not keys and not by_date and ordering.groups:
        first = next(name for name in ordering.columns if name not in ordering.groups)
        keys = [f"{first} DESC NULLS LAST"]
    every = [*keys, *rest] or [f"{ordering.columns[0]} ASC NULLS LAST"]
    limit = query.limit
    if limit.n and (limit.ties or limit.per):
        function = "RANK()" if limit.ties else "ROW_NUMBER()"
        part = f"PARTITION BY {', '.join(limit.per)} " if limit.per else ""
        place = f"{function} OVER ({part}ORDER BY {', '.join(keys if limit.ties else every)}) AS place"
        listed = ", ".join(ordering.columns)
        cut = f"place > {limit.offset} AND place <= {limit.offset + limit.n}"
        inner = f"SELECT {listed}, {place} FROM ({rows}) AS found"
        leading = [f"{name} ASC NULLS LAST" for name in limit.per]
        return f"SELECT {listed} FROM ({inner}) AS placed WHERE {cut} ORDER BY {', '.join([*leading, *every])}"
    cut = f" LIMIT {limit.n}{f' OFFSET {limit.offset}' if limit.offset else ''}" if limit.n else ""
    return f"{rows} ORDER BY {', '.join(every)}{cut}" if ordering.groups or limit.n else f"{rows}{cut}"
