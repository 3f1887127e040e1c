"""The few functions that declarations may use beside Spark SQL's own; each unfolds into plain SQL.

NPI_VALID(x): 10 digits whose Luhn check digit, with the prefix 80840, is right (CMS, National Provider Identifier standard).
CODE_KNOWN(x, 'list'): x stands in that code list of the knowledge base.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp, parse_one

from medflow.specs.codes import CodeList

# 8+0+8+4+0 with every second digit doubled: what the prefix 80840 adds to the Luhn sum of the number itself.
_PREFIX_SUM = 24


def unfold(tree: exp.Expr, codes: Mapping[str, CodeList]) -> exp.Expr:
    """The expression with our functions written out.

    Raises:
        ValueError: a wrong number of arguments, or no such code list.
    """

    def written_out(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous):
            if node.name.upper() == "NPI_VALID":
                return _npi_valid(_arguments(node, 1)[0])
            if node.name.upper() == "CODE_KNOWN":
                return _code_known(_arguments(node, 2), codes)
        return node

    return tree.transform(written_out)


def _arguments(node: exp.Anonymous, count: int) -> list[exp.Expr]:
    if len(node.expressions) != count:
        raise ValueError(f"{node.name} takes {count} argument{'s' if count > 1 else ''}")
    return list(node.expressions)


def _npi_valid(value: exp.Expr) -> exp.Expr:
    text = value.sql("spark")
    number = f"TRY_CAST({text} AS BIGINT)"
    # Of a pair of digits tu, t is doubled and counts 2t, or 2t - 9 from 5 on: with u, that is tu + 2t + (tu DIV 50) but for tens.
    pairs = [f"(({number} DIV {100**place}) % 100)" for place in range(4, -1, -1)]
    total = " + ".join([str(_PREFIX_SUM), *(f"{pair} + 2 * ({pair} DIV 10) + ({pair} DIV 50)" for pair in pairs)])
    return parse_one(f"(CASE WHEN {text} RLIKE '^[0-9]{{10}}\\\\z' THEN ({total}) % 10 = 0 ELSE {text} IS NULL END)", read="spark")


def _code_known(arguments: list[exp.Expr], codes: Mapping[str, CodeList]) -> exp.Expr:
    value, name = arguments
    if name.name not in codes:
        raise ValueError(f"no code list {name.name}; there are: {', '.join(sorted(codes))}")
    return value.isin(*(exp.Literal.string(code) for code in codes[name.name].values("code")))
