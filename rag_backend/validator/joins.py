"""How many rows the joins of one SELECT may make: tables that no equality ties to the others multiply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from sqlglot import exp

from rag_backend.validator.nodes import chained
from rag_backend.validator.proof import over_limit


@dataclass(frozen=True)
class JoinedRows:
    """`product`: most rows; `keyed`: every table is tied to the others; `apart`: tables that multiply."""

    product: float
    keyed: bool
    apart: tuple[str, ...]


def joined_rows(select: exp.Select, rows: Mapping[str, float]) -> JoinedRows:
    """The rows of one FROM: within a group of tied tables the longest counts, the groups multiply. `rows`: alias -> most rows."""
    group = {name: name for name in rows}
    for one, other in _ties(select):
        if one in group and other in group:
            old, new = group[other], group[one]
            group = {name: new if held == old else held for name, held in group.items()}
    longest: dict[str, float] = {}
    for name, held in group.items():
        longest[held] = max(longest.get(held, 0), rows[name])
    apart = tuple(name for name, count in longest.items() if count > 1)
    return JoinedRows(prod(longest.values()) if longest else 1, len(longest) == 1, apart)


def check_product(rows: JoinedRows, limit: int) -> None:
    """Refuse a join without a key above the limit; a single row beside a table multiplies nothing.

    Raises:
        RefusalError: names the tables.
    """
    if len(rows.apart) > 1 and rows.product > limit:
        # `FROM t a, t b, t c` is the cube of a table; ON 1 = 1 and ON a.x < b.x are the same
        raise over_limit(f"{', '.join(rows.apart)} are joined without an equality of columns: more than {limit:,} rows; add ON a.x = b.x")


def _ties(select: exp.Select) -> Iterator[tuple[str, str]]:
    conditions = [join.args.get("on") for join in select.args.get("joins") or ()]
    where = select.args.get("where")
    for condition in [*conditions, where.this if where is not None else None]:
        for part in chained(condition) if condition is not None else ():
            if isinstance(part, (exp.EQ, exp.NullSafeEQ)):
                left = {column.table for column in part.this.find_all(exp.Column)}
                right = {column.table for column in part.expression.find_all(exp.Column)}
                if len(left) == 1 and len(right) == 1 and left != right:
                    yield left.pop(), right.pop()
