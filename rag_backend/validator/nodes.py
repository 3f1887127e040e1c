"""The allow-list of what a tree may be made of: node classes, their arguments, types and units. What is not listed is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from rag_backend.validator.functions import check_function
from rag_backend.validator.proof import Dialect, over_limit, unsafe

NODES = 500
DEPTH = 50
PROVED_NODES = 12 * NODES  # `*` written out, names in full

# Query nodes with the arguments that they may have. The attack stands beside what is left out of sqlglot's own list.
_QUERY: dict[type[exp.Expr], frozenset[str]] = {
    # without into (creates a table), locks, hint, sample, pivots, laterals (generators), connect, match (MATCH_RECOGNIZE),
    # kind (AS STRUCT), settings, format, exclude, distribute/sort/cluster, operation_modifiers
    exp.Select: frozenset({"with_", "expressions", "distinct", "from_", "joins", "where", "group", "having", "qualify"})
    | {"order", "limit", "offset"},
    exp.Union: frozenset({"with_", "this", "expression", "distinct", "order", "limit", "offset"}),  # without by_name
    exp.Intersect: frozenset({"with_", "this", "expression", "distinct", "order", "limit", "offset"}),
    exp.Except: frozenset({"with_", "this", "expression", "distinct", "order", "limit", "offset"}),
    exp.Subquery: frozenset({"this", "alias"}),  # without pivots, sample, joins inside brackets
    # without catalog, version, system_time, when (time travel), sample, changes, partition, rows_from, pivots, ordinality
    exp.Table: frozenset({"this", "db", "alias"}),
    exp.From: frozenset({"this"}),
    exp.Join: frozenset({"this", "on", "side", "kind", "using"}),  # without method (NATURAL, POSITIONAL, ASOF), hint
    exp.With: frozenset({"expressions"}),  # without recursive (runs without end), udfs (WITH FUNCTION loops)
    exp.CTE: frozenset({"this", "alias"}),
    exp.TableAlias: frozenset({"this", "columns"}),
    exp.Group: frozenset({"expressions", "rollup", "cube", "grouping_sets"}),  # without all
    exp.Order: frozenset({"expressions"}),
    exp.Limit: frozenset({"expression"}),
    exp.Offset: frozenset({"expression"}),
    exp.Distinct: frozenset({"expressions"}),  # without on
    exp.Column: frozenset({"this", "table"}),
    exp.Alias: frozenset({"this", "alias"}),
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Star: frozenset(),  # without except, replace, rename: whole-row forms
    exp.Cast: frozenset({"this", "to", "safe"}),  # without format, action (shredding)
    exp.TryCast: frozenset({"this", "to", "safe", "requires_string"}),
    exp.DataType: frozenset({"this", "expressions", "nested"}),
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "over"}),
    exp.WindowSpec: frozenset({"kind", "start", "start_side", "end", "end_side"}),
    exp.In: frozenset({"this", "expressions", "query"}),  # without unnest, field
    exp.Bracket: frozenset({"this", "expressions", "offset", "safe", "returns_list_for_maps"}),
    exp.Interval: frozenset({"this", "unit"}),
    exp.Exists: frozenset({"this"}),  # without a lambda
}
_PLAIN: frozenset[type[exp.Expr]] = frozenset(
    {exp.Where, exp.Having, exp.Qualify, exp.Ordered, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls}
    | {exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple, exp.Paren, exp.Literal, exp.Boolean, exp.Null, exp.Var, exp.DataTypeParam}
    | {exp.Not, exp.Neg, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.Between}
    | {exp.Like, exp.ILike, exp.Escape, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.DPipe}
    | {exp.WeekStart}
)
_JOIN_KINDS = frozenset({"", "INNER", "OUTER", "CROSS", "SEMI", "ANTI"})
_JOIN_SIDES = frozenset({"", "LEFT", "RIGHT", "FULL"})
# Without BIGNUM (numbers as long as memory), JSON, VARIANT, ROW, nested and user-defined types.
_TYPES = frozenset(
    {exp.DType.BOOLEAN, exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.INT128, exp.DType.FLOAT}
    | {exp.DType.DOUBLE, exp.DType.DECIMAL, exp.DType.CHAR, exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.DATE, exp.DType.TIMESTAMP}
    | {exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPLTZ, exp.DType.DATETIME}
)
# Words that stand without quotes: units of time, frames of windows. Any other bare word could be a setting, a format or a name.
_UNITS = frozenset(
    [
        "YEAR",
        "QUARTER",
        "MONTH",
        "WEEK",
        "DAY",
        "HOUR",
        "MINUTE",
        "SECOND",
        "EPOCH",
        "YEARS",
        "QUARTERS",
        "MONTHS",
        "WEEKS",
        "DAYS",
        "HOURS",
        "MINUTES",
        "SECONDS",
    ]
)
_UNITS_OF_DATES = frozenset(
    ["DOW", "DOY", "ISODOW", "ISOYEAR", "DAYOFWEEK", "DAYOFYEAR", "DAY_OF_WEEK", "DAY_OF_YEAR", "DAYOFWEEK_ISO", "YEAROFWEEK"]
)
_WORDS = _UNITS | _UNITS_OF_DATES | {"YEAR_OF_WEEK", "WEEKISO", "MONDAY"}
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ %()/#&,.+-]{0,63}\Z")


def check_size(tree: exp.Expr, nodes: int = NODES) -> None:
    """Refuse a tree of too many nodes or too deep; a chain of one operator (`a AND b AND c`) counts as one level."""
    seen = 0
    stack: list[tuple[exp.Expr, int]] = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        seen += 1
        if seen > nodes:
            raise over_limit(f"the SQL has more than {nodes} parts; ask for less at once")
        if depth > DEPTH:  # every later rule walks the tree by recursion
            raise over_limit(f"the SQL is nested deeper than {DEPTH}; write its parts as WITH queries")
        stack += [(child, depth + (type(child) is not type(node))) for child in node.iter_expressions()]


def check_nodes(tree: exp.Expr, dialect: Dialect) -> None:
    """Refuse every node, argument, type, unit and function that is not on the lists.

    Raises:
        RefusalError: names the first one.
    """
    for node in tree.walk():
        kind = type(node)
        if kind in _QUERY:
            _check_arguments(node, _QUERY[kind])
        elif kind is exp.Qualify and dialect != "duckdb":
            # sqlglot writes it as a subquery there and leaves LIMIT inside: other rows would come out
            raise unsafe(f"QUALIFY is not allowed for {dialect}; name the window in a WITH query and filter on it")
        elif kind in (exp.And, exp.Or) or kind in _PLAIN:
            pass
        elif isinstance(node, exp.Func):
            check_function(node, dialect)
        else:
            raise unsafe(f"{_told(node)} is not allowed; a query is SELECT, FROM, JOIN, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT, WITH")
        _check_node(node)


def _check_arguments(node: exp.Expr, allowed: frozenset[str]) -> None:
    for name, value in node.args.items():
        if value and name not in allowed:
            raise unsafe(f"{name.strip('_').replace('_', ' ')} is not allowed in {_told(node)}")


def _check_node(node: exp.Expr) -> None:
    if isinstance(node, exp.Join):
        _check_join(node)
    elif isinstance(node, exp.DataType):
        if node.this not in _TYPES or not all(isinstance(size, exp.DataTypeParam) for size in node.expressions):
            raise unsafe(f"the type {node.sql()} is not allowed; cast to a number, text, date, timestamp or boolean type")
    elif isinstance(node, exp.Var):
        _check_word(node)
    elif isinstance(node, exp.Identifier):
        _check_name(node)
    elif isinstance(node, exp.Star) and not isinstance(node.parent, (exp.Select, exp.Column, exp.Count)):
        # COLUMNS(*), STRUCT(*): a whole row as one value
        raise unsafe("* stands alone in SELECT, as table.*, or in COUNT(*)")
    elif isinstance(node, (exp.Limit, exp.Offset)) and not (isinstance(node.expression, exp.Literal) and node.expression.is_int):
        raise unsafe(f"{node.key.upper()} takes a whole number")  # LIMIT ALL, LIMIT (SELECT …), LIMIT 50 PERCENT


def _check_join(node: exp.Join) -> None:
    if (node.kind or "").upper() not in _JOIN_KINDS or (node.side or "").upper() not in _JOIN_SIDES:
        raise unsafe(f"a {node.side} {node.kind} JOIN is not allowed; joins are INNER, LEFT, RIGHT, FULL, CROSS, SEMI and ANTI")


def _check_word(node: exp.Var) -> None:
    parent = node.parent
    timed = isinstance(parent, (exp.Interval, exp.WeekStart, exp.Func))
    if not timed or node.name.upper() not in _WORDS:
        raise unsafe(f"the word {node.name[:40]} is not allowed here; units of time are {', '.join(sorted(_UNITS))}")


def _check_name(node: exp.Identifier) -> None:
    parent = node.parent
    label = isinstance(parent, exp.Alias) or (isinstance(parent, exp.Column) and not parent.table)
    # "t$files", "$path", `a.b`: names of metadata and paths
    if not (_LABEL if label else _COLUMN_NAME).match(node.name):
        raise unsafe("a name holds a character that names do not have; names are letters, digits and _")


def _told(node: exp.Expr) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()


def chained(node: exp.Expr) -> Iterator[exp.Expr]:
    """The parts of a condition that all must hold."""
    if isinstance(node, exp.And):
        yield from chained(node.this)
        yield from chained(node.expression)
    elif isinstance(node, exp.Paren):
        yield from chained(node.this)
    else:
        yield node
