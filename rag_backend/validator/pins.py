"""The last rewrite: every table as this release's engine names it, and one row more than the answer may have."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from sqlglot import exp, parse_one

from rag_backend.validator.proof import Dialect, Proof, RefusalError, unsafe

_PIN_PARTS = frozenset({"this", "db", "catalog", "version"})


def asked_rows(tree: exp.Expr, row_limit: int) -> int:
    """Rows to keep: what the SQL asks for, at most `row_limit`."""
    limit = tree.args.get("limit")
    return row_limit if limit is None else min(int(limit.expression.name), row_limit)


def pinned(tree: exp.Expr, proof: Proof, rows: int) -> exp.Expr:
    """A copy that reads the release's tables and asks for `rows` + 1."""
    copy = tree.copy()
    for table in [table for table in copy.find_all(exp.Table) if table.db]:
        pin = _table(proof.pins[f"{table.db}.{table.name}"], proof.dialect).copy()
        pin.set("alias", table.args["alias"].copy())
        table.replace(pin)
    copy.set("limit", exp.Limit(expression=exp.Literal.number(rows + 1)))
    return copy


def unpinned(tree: exp.Expr, proof: Proof) -> exp.Expr:
    """A copy that names the tables plainly again, for the second proof.

    Raises:
        RefusalError: a table of the tree is no pin and no WITH query.
    """
    names = {_bare(_table(pin, proof.dialect)): name for name, pin in proof.pins.items()}
    scoped = {cte.alias for cte in tree.find_all(exp.CTE)}
    copy = tree.copy()
    for table in list(copy.find_all(exp.Table)):
        bare = _bare(table)
        if bare in names:
            schema, name = names[bare].split(".")
            plain = exp.Table(this=exp.to_identifier(name, quoted=True), db=exp.to_identifier(schema, quoted=True))
            plain.set("alias", table.args.get("alias"))
            table.replace(plain)
        elif table.db or table.name not in scoped or table.args.get("version"):
            raise unsafe("a table changed its name while the SQL was written out")
    return copy


def check_pins(pins: Mapping[str, str], dialect: Dialect) -> None:
    """Refuse pins that are more than a name and a version.

    Raises:
        ValueError: the caller's pin is not a plain table.
    """
    for name, pin in pins.items():
        table = _table(pin, dialect)
        if not all(key in _PIN_PARTS for key, value in table.args.items() if value) or not isinstance(table.this, exp.Identifier):
            raise ValueError(f"the pin of {name} is not a table name with at most a version: {pin}")


def check_limit(tree: exp.Expr, row_limit: int) -> None:
    """Refuse a final tree that could give more rows than were granted."""
    limit = tree.args.get("limit")
    if limit is None or int(limit.expression.name) > row_limit + 1:
        raise RefusalError("over_limit", f"the SQL gives more than {row_limit} rows")


@lru_cache(maxsize=4096)
def _table(pin: str, dialect: Dialect) -> exp.Table:
    select = parse_one(f"SELECT 1 FROM {pin}", read=dialect)
    table = select.args["from_"].this
    if not isinstance(table, exp.Table) or {key for key, value in select.args.items() if value} != {"expressions", "from_"}:
        raise ValueError(f"a pin is one table name: {pin}")
    for part in table.find_all(exp.Identifier):
        part.set("quoted", True)
    return table


def _bare(table: exp.Table) -> str:
    return exp.Table(**{key: value for key, value in table.args.items() if key != "alias" and value}).sql(identify=True)
