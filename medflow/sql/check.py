"""Checks of the SQL inside declarations, before anything runs: it parses, and names only what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from medflow.specs.codes import CodeList
from medflow.specs.contract import Contract
from medflow.specs.gold import GoldTable
from medflow.specs.payer import HELPER_TARGETS, PayerLayout
from medflow.sql.functions import unfold

Problem = tuple[tuple[str | int, ...], str]
LINE_FACTS = frozenset(
    {"parse_error", "ingest_date", "diagnoses_unknown", "diagnoses_not_leaf", "header_differs", "version_differs", "content_repeats"}
)
_RECORD = "record"


def contract_problems(contract: Contract, codes: Mapping[str, CodeList]) -> list[Problem]:
    """What is wrong with the contract's defaults, final forms and rules."""
    columns = frozenset(contract.columns)
    readable = columns | LINE_FACTS | {f"{name}__bad" for name in [*columns, *HELPER_TARGETS]}
    found: list[Problem] = []
    for name, column in contract.columns.items():
        for key, text in (("default", column.default), ("final", column.final)):
            found += _expression_problems(("columns", name, key), text, columns, codes)
    seen: set[str] = set()
    for index, rule in enumerate(contract.rules):
        spot = ("rules", index)
        if rule.id in seen:
            found.append(((*spot, "id"), f"rule {rule.id} stands twice"))
        seen.add(rule.id)
        for name in rule.columns:
            if name not in columns | {_RECORD}:
                found.append(((*spot, "columns"), f"rule {rule.id}: {name} is not a column of the contract"))
        found += _expression_problems((*spot, "fails_when"), rule.condition(rule.columns[0]), readable, codes)
    return found


def derive_problems(layout: PayerLayout, contract: Contract) -> list[Problem]:
    """What is wrong with a payer's derived columns."""
    readable = frozenset(contract.columns) | HELPER_TARGETS
    return list(chain(*(_expression_problems(("derive", name), text, readable, {}) for name, text in layout.derive.items())))


def gold_problems(table: GoldTable) -> list[Problem]:
    """What is wrong with a gold query against its header."""
    try:
        tree = sqlglot.parse_one(table.query, read="spark")
    except SqlglotError as error:
        return [(("query",), f"the query does not parse: {_first_line(error)}")]
    if not isinstance(tree, exp.Select):
        return [(("query",), "the query is one SELECT")]
    found: list[Problem] = []
    written, declared = tuple(tree.named_selects), table.spec.column_names
    if written != declared:
        found.append((("columns",), f"the query gives {', '.join(written)}; the header declares {', '.join(declared)}"))
    allowed = {"claims_clean", *table.reads_codes, *(cte.alias for cte in tree.find_all(exp.CTE))}
    for name in sorted({source.sql() for source in tree.find_all(exp.Table) if source.sql().split(" ")[0] not in allowed}):
        found.append((("query",), f"the query reads {name}; a gold query reads claims_clean and the lists in reads_codes"))
    found += _verification_problems(table)
    for index, check in enumerate(table.checks):
        found += _expression_problems(("checks", index), check, frozenset(declared), {})
    for key, listed in (("grain", table.spec.grain), ("partition", [field.column for field in table.spec.partition])):
        found += [((key,), f"{key}: {name} is not a column of {table.spec.name}") for name in listed if name not in declared]
    return found


def _verification_problems(table: GoldTable) -> list[Problem]:
    """Every additive column is tied, and the partition is that of the date that touches the table."""
    additive = {column.name for column in table.spec.columns if column.additive}
    found: list[Problem] = [(("ties",), f"no tie for {name}; every additive column has one") for name in sorted(additive - set(table.ties))]
    found += [(("ties", name), f"{name} is not an additive column") for name in sorted(set(table.ties) - additive)]
    transform = table.spec.partition[0].transform
    wanted = "identity" if table.touched_by == "service_year" else "month"
    if transform != wanted:
        found.append((("partition",), f"a table touched by {table.touched_by} is partitioned by {wanted}, not {transform}"))
    try:
        for expression in table.ties.values():
            sqlglot.parse_one(f"SELECT {expression} FROM {table.ties_from}", read="spark")
    except SqlglotError as error:
        found.append((("ties",), f"a tie does not parse: {_first_line(error)}"))
    return found


def _expression_problems(spot: tuple[str | int, ...], text: str, readable: Iterable[str], codes: Mapping[str, CodeList]) -> list[Problem]:
    if not text:
        return []
    try:
        tree = unfold(sqlglot.parse_one(text, read="spark", into=exp.Condition), codes)
    except (SqlglotError, ValueError) as error:
        return [(spot, f"the expression does not parse: {_first_line(error)}")]
    lambdas = {name.name for function in tree.find_all(exp.Lambda) for name in function.expressions}
    unknown = sorted({column.name for column in tree.find_all(exp.Column)} - set(readable) - lambdas)
    found: list[Problem] = [(spot, f"{name} is not a column that may be used here") for name in unknown]
    if tree.find(exp.Query, exp.Command, exp.AggFunc, exp.Window, exp.Anonymous):
        found.append((spot, "an expression over one row has no query, aggregate, window or unknown function"))
    return found


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].removesuffix(".")
