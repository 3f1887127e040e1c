"""The proof, in order: text, tree, tables, columns, keys and cost; then the last rewrite, and the proof again on what will run.

Any text in, SQL that may run or a refusal out. Nothing runs here, and whatever is not understood is refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.tokenizer_core import TokenType

from rag_backend.validator.columns import qualify_columns
from rag_backend.validator.lineage import output_of
from rag_backend.validator.nodes import NODES, PROVED_NODES, check_nodes, check_size
from rag_backend.validator.pins import asked_rows, check_limit, check_pins, pinned, unpinned
from rag_backend.validator.proof import Approved, Dialect, Proof, RefusalError, Refused, not_permitted, unsafe
from rag_backend.validator.relations import Relation
from rag_backend.validator.tables import check_expansion, resolve_tables
from rag_backend.validator.text import BYTES, RENDERED_BYTES, tokens_of

_BEGINNINGS = frozenset({TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN})
# CAST is TRY_CAST to sqlglot's Spark; IF(a, b, c) is written as CASE, DATE(x) as a cast, DATE_ADD as + INTERVAL, DOW as DAYOFWEEK.
_SAME_MEANING = frozenset(
    {exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.If, exp.Case, exp.Date, exp.DateAdd, exp.Add, exp.Interval}
    | {exp.Var, exp.TsOrDsToDate, exp.Paren}
)


def validate(sql: str, proof: Proof) -> Approved | Refused:
    """Prove that `sql` may run, or say why not.

    Raises:
        ValueError: a pin of `proof` is no table name.
    """
    check_pins(proof.pins, proof.dialect)
    try:
        return _approved(sql, proof)
    except RefusalError as refusal:
        return refusal.refused
    except (SqlglotError, RecursionError, ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError) as error:
        # fail closed: a tree of a form that a rule did not think of makes the rule stumble, and is refused
        return Refused("unsafe", f"the SQL has a form that cannot be checked ({type(error).__name__}); write it more plainly")


@dataclass(frozen=True)
class _Proved:
    """What the proof of one tree found."""

    tree: exp.Expr
    tables: frozenset[str]
    output: Relation
    columns: frozenset[tuple[str, str]]


def _approved(sql: str, proof: Proof) -> Approved:
    if not proof.readable or proof.lane not in proof.policy.lanes:  # an empty policy is no policy that allows all
        raise not_permitted(f"{proof.policy.role} may not ask this way; open are: {', '.join(sorted(proof.policy.lanes)) or 'none'}")
    tree = _parsed(sql, proof.dialect, proof.bytes or BYTES)
    check_size(tree, proof.parts or NODES)
    asked = _proved(tree, proof)
    rows = asked_rows(asked.tree, proof.row_limit)
    final = pinned(asked.tree, proof, rows)
    text, final = _settled(final, proof.dialect)
    again = _proved_again(final, proof)
    if (again.tables, again.columns) != (asked.tables, asked.columns):
        raise unsafe("the SQL reads other columns once it is written out; write it more plainly")
    names = tuple(name for name, _ in again.output.columns)
    return Approved(sql=text, tree=final, tables=again.tables, columns=again.columns, output=names, limit=rows)


def _parsed(sql: str, dialect: Dialect, limit: int) -> exp.Expr:
    first = tokens_of(sql, dialect, limit)[0]
    if first.token_type not in _BEGINNINGS:
        # SET, COPY, ATTACH, EXPLAIN, BEGIN …, which sqlglot partly passes on unread; FROM t, TABLE t and VALUES, queries of their own
        raise unsafe("the SQL begins with SELECT or WITH; nothing else is allowed")
    try:
        trees = sqlglot.parse(sql, read=dialect)
    except SqlglotError as error:
        raise RefusalError("not_understood", f"the SQL does not parse as {dialect}; write one SELECT") from error
    if len(trees) != 1 or not isinstance(trees[0], (exp.Select, exp.SetOperation)):
        raise unsafe("one SELECT is allowed, or SELECTs put together by UNION, INTERSECT or EXCEPT; nothing else")
    return trees[0]


def _proved(tree: exp.Expr, proof: Proof) -> _Proved:
    """The proof of the text as asked; its tree comes back with names in full."""
    check_nodes(tree, proof.dialect)
    check_expansion(tree)
    tables = resolve_tables(tree, proof)
    full = qualify_columns(tree, proof)
    check_size(full, PROVED_NODES)
    check_nodes(full, proof.dialect)
    output, columns = output_of(full, proof)
    return _Proved(full, tables, output, columns)


def _proved_again(final: exp.Expr, proof: Proof) -> _Proved:
    """The same proof of what will run: names are in full already, and must stay what they are."""
    check_limit(final, proof.row_limit)
    plain = unpinned(final, proof)
    check_size(plain, PROVED_NODES)
    check_nodes(plain, proof.dialect)
    tables = resolve_tables(plain, proof)
    if any(not isinstance(star.parent, exp.Count) for star in plain.find_all(exp.Star)):
        raise unsafe("a * was not written out; name the columns")
    output, columns = output_of(plain, proof)
    return _Proved(plain, tables, output, columns)


def _settled(tree: exp.Expr, dialect: Dialect) -> tuple[str, exp.Expr]:
    """The SQL of a tree, and the tree that it parses to: both give each other back, and hold what the first tree held."""
    text = _written(tree, dialect)
    parsed = _parsed(text, dialect, RENDERED_BYTES)
    again = _written(parsed, dialect)
    if again != text or _parsed(again, dialect, RENDERED_BYTES) != parsed or _held(parsed) != _held(tree):
        # sqlglot writes a few functions as others (an exact percentile as an approximate one): what ran would not be what was proved
        raise unsafe("the SQL changes when it is written out; write it more plainly")
    return text, parsed


def _written(tree: exp.Expr, dialect: Dialect) -> str:
    return tree.sql(dialect=dialect, comments=False, unsupported_level=ErrorLevel.RAISE)


def _held(tree: exp.Expr) -> Counter[str]:
    """What a tree holds, but for the few forms that sqlglot writes in another way with the same meaning."""
    nodes = (node for node in tree.walk() if type(node) not in _SAME_MEANING)
    return Counter(f"{type(node).__name__} {node.name if isinstance(node, (exp.Literal, exp.Identifier)) else ''}" for node in nodes)
