"""The proof over a tree whose names are written in full: every column is a readable one, and key columns stand only where they may.

Nothing is taken from sqlglot's own resolution: a name that this walk does not find is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from rag_backend.validator.functions import is_aggregate
from rag_backend.validator.joins import check_product, joined_rows
from rag_backend.validator.nodes import chained
from rag_backend.validator.proof import Proof, RefusalError, not_permitted, unsafe
from rag_backend.validator.relations import Fact, Relation, Sources, merged

_LONGER = (exp.Concat, exp.ConcatWs, exp.DPipe)
_WRAPPERS = (exp.IgnoreNulls, exp.RespectNulls, exp.Filter, exp.WithinGroup)
_KEY = (
    "{} may stand only in GROUP BY, in joins with itself and in COUNT(DISTINCT {}); "
    "it is not shown, ordered, computed or compared with a value"
)


def output_of(tree: exp.Expr, proof: Proof) -> tuple[Relation, frozenset[tuple[str, str]]]:
    """The answer's columns, and every stored column that the query touches.

    Raises:
        RefusalError: a column that is not readable, or a key column where none may stand.
    """
    walk = _Walk(proof)
    relation = walk.query(tree, {}, (), shown=True)
    if any(id(column) not in walk.seen for column in tree.find_all(exp.Column)):  # a clause that the walk does not know
        raise unsafe("a column stands where it cannot be checked; write the SQL more plainly")
    return relation, frozenset(walk.touched)


class _Walk:
    """One walk over one tree; `touched` gathers the stored columns on the way."""

    def __init__(self, proof: Proof) -> None:
        self.proof = proof
        self.touched: set[tuple[str, str]] = set()
        self.seen: set[int] = set()

    def query(self, node: exp.Expr, ctes: Sources, outer: tuple[Sources, ...], *, shown: bool = False) -> Relation:
        """A SELECT, a set operation or one of them in brackets; `shown`: its columns are the answer."""
        if isinstance(node, exp.Subquery):
            return self.query(node.this, ctes, outer, shown=shown)
        for cte in node.args["with_"].expressions if node.args.get("with_") else ():
            relation = self.query(cte.this, ctes, ()).renamed(_alias_columns(cte))
            ctes = {**ctes, cte.alias: relation}
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, ctes, outer, shown=shown)
        if isinstance(node, exp.Select):
            return self._select(node, ctes, outer, shown=shown)
        raise unsafe("a query is SELECT, or SELECTs put together by UNION, INTERSECT or EXCEPT")

    def _set_operation(self, node: exp.SetOperation, ctes: Sources, outer: tuple[Sources, ...], *, shown: bool) -> Relation:
        left = self.query(node.this, ctes, outer, shown=shown)
        right = self.query(node.expression, ctes, outer, shown=shown)
        if len(left.columns) != len(right.columns):
            raise unsafe(f"the parts of {node.key.upper()} have different numbers of columns")
        columns = []
        for (name, one), (_, other) in zip(left.columns, right.columns, strict=True):
            if one.key != other.key:  # a key in one part, a literal in the other: the join of both finds a person
                raise self._key_refused(name)
            columns.append((name, Fact(one.stored | other.stored, one.key, merged([one, other]).growth)))
        relation = Relation(tuple(columns), self._cut(node, left.rows + right.rows))
        self._order(node, relation, ({}, *outer), ctes)
        return relation

    def _select(self, node: exp.Select, ctes: Sources, outer: tuple[Sources, ...], *, shown: bool) -> Relation:
        sources, rows = self._sources(node, ctes)
        env = (sources, *outer)
        for join in node.args.get("joins") or ():
            self._condition(join.args.get("on"), env, ctes)
        self._condition(_this(node, "where"), env, ctes)
        self._group(node, env, ctes)
        for clause in ("having", "qualify"):
            self._fact(_this(node, clause), env, ctes)
        relation = Relation(tuple(self._item(item, env, ctes, shown) for item in node.expressions))
        self._order(node, relation, env, ctes)
        single = not node.args.get("group") and any(_aggregates(item) for item in node.expressions)
        return Relation(relation.columns, self._cut(node, 1 if single else rows))

    def _sources(self, node: exp.Select, ctes: Sources) -> tuple[Sources, float]:
        found: dict[str, Relation] = {}
        if not node.args.get("from_"):
            return found, 1
        for item in [node.args["from_"].this, *(join.this for join in node.args.get("joins") or ())]:
            name = item.alias_or_name
            if not name or name in found:
                raise unsafe("two tables of one FROM have the same name; give each an alias of its own")
            found[name] = self._source(item, ctes).renamed(_alias_columns(item) if isinstance(item, exp.Subquery) else [])
        rows = joined_rows(node, {name: relation.rows for name, relation in found.items()})
        check_product(rows, self.proof.product_limit)
        return found, min(rows.product, max((relation.rows for relation in found.values()), default=1)) if rows.keyed else rows.product

    def _source(self, item: exp.Expr, ctes: Sources) -> Relation:
        if isinstance(item, exp.Subquery):
            return self.query(item, ctes, ())  # without the tables beside it: a subquery that reads them would be LATERAL
        if not isinstance(item, exp.Table) or _alias_columns(item):
            raise unsafe("FROM reads tables, WITH queries and subqueries")
        if not item.db:
            if item.name not in ctes:
                raise not_permitted(f"{item.name} is no table that {self.proof.policy.role} may read")
            return ctes[item.name]
        full = f"{item.db}.{item.name}"
        readable = self.proof.readable.get(full)
        if readable is None:
            raise not_permitted(f"{full} is no table that {self.proof.policy.role} may read")
        keys = self.proof.policy.key_columns
        facts = tuple((column, Fact(frozenset({(full, column)}), column in keys)) for column in readable)
        return Relation(facts, self.proof.rows.get(full, float("inf")))

    def _item(self, item: exp.Expr, env: tuple[Sources, ...], ctes: Sources, shown: bool) -> tuple[str, Fact]:
        value = item.this if isinstance(item, exp.Alias) else item
        key = self._key(value, env)
        if key is not None and shown:
            raise self._key_refused(value.name or item.alias_or_name)
        return item.alias_or_name, key or self._fact(value, env, ctes)

    def _group(self, node: exp.Select, env: tuple[Sources, ...], ctes: Sources) -> None:
        group = node.args.get("group")
        if group is None:
            return
        for item in group.expressions:
            if self._key(item, env) is None:
                self._fact(item, env, ctes)
        for name in ("rollup", "cube", "grouping_sets"):
            for part in group.args.get(name) or ():
                if isinstance(part, exp.Expr):
                    self._fact(part, env, ctes)

    def _condition(self, condition: exp.Expr | None, env: tuple[Sources, ...], ctes: Sources) -> None:
        """ON and WHERE: two key columns may be set equal, and a key column looked up among key columns."""
        for part in chained(condition) if condition is not None else ():
            if isinstance(part, exp.EQ) and self._key(part.this, env) and self._key(part.expression, env):
                continue
            if isinstance(part, exp.In) and part.args.get("query") is not None and self._key(part.this, env):
                looked_up = self.query(part.args["query"], ctes, env)
                if not all(fact.key for _, fact in looked_up.columns):  # IN (SELECT '0123…') is a comparison with a value
                    raise self._key_refused(part.this.name)
                continue
            self._fact(part, env, ctes)

    def _order(self, node: exp.Expr, relation: Relation, env: tuple[Sources, ...], ctes: Sources) -> None:
        order = node.args.get("order")
        for item in order.expressions if order is not None else ():
            value = item.this
            named = isinstance(value, exp.Column) and not value.table
            if named or (isinstance(value, exp.Literal) and value.is_int):
                self.seen.add(id(value))
                fact = relation.column(value.name) if named else relation.at(int(value.name))
                if fact is None:
                    raise not_permitted(f"ORDER BY {value.name[:60]}: no column of the result has this name")
                if fact.key:  # the order of keys tells them apart, and with LIMIT and OFFSET finds one
                    raise self._key_refused(value.name)
            else:
                self._fact(value, env, ctes)

    def _fact(self, node: exp.Expr | None, env: tuple[Sources, ...], ctes: Sources) -> Fact:
        """The fact of any other expression; a key column may not stand in it."""
        if node is None:
            return Fact()
        if isinstance(node, exp.Column):
            fact = self._column(node, env)
            if fact.key:
                raise self._key_refused(node.name)
            return fact
        if isinstance(node, (exp.Subquery, exp.Select, exp.SetOperation)):
            relation = self.query(node, ctes, env)
            for name, fact in relation.columns:
                if fact.key and not isinstance(node.parent, exp.Exists):  # (SELECT key …) = 'value'
                    raise self._key_refused(name)
            return merged(fact for _, fact in relation.columns)
        if isinstance(node, exp.Count) and isinstance(node.this, exp.Distinct):
            return merged(self._key(part, env) or self._fact(part, env, ctes) for part in node.this.expressions)
        if isinstance(node, exp.Replace):
            self._fact(node.expression, env, ctes)
            return merged([self._fact(node.this, env, ctes)] * _replaced_growth(node), added=True)
        return merged((self._fact(child, env, ctes) for child in node.iter_expressions()), added=isinstance(node, _LONGER))

    def _key(self, node: exp.Expr, env: tuple[Sources, ...]) -> Fact | None:
        """The fact of a plain key column, or of what JOIN … USING makes of several; None for anything else."""
        if isinstance(node, exp.Paren):
            return self._key(node.this, env)
        if isinstance(node, exp.Coalesce):
            parts = [self._key(part, env) for part in (node.this, *node.expressions)]
            found = [part for part in parts if part is not None]
            return None if len(found) < len(parts) else Fact(merged(found).stored, True)
        if not isinstance(node, exp.Column):
            return None
        fact = self._column(node, env)
        return fact if fact.key else None

    def _column(self, column: exp.Column, env: Iterable[Mapping[str, Relation]]) -> Fact:
        self.seen.add(id(column))
        for sources in env:
            if column.table and column.table in sources:
                fact = sources[column.table].column(column.name)
                if fact is not None:
                    self.touched |= fact.stored
                    return fact
                break
        raise not_permitted(f"{column.name[:60]} is no column that {self.proof.policy.role} may read here")

    def _key_refused(self, name: str) -> RefusalError:
        return not_permitted(_KEY.format(name, name))

    @staticmethod
    def _cut(node: exp.Expr, rows: float) -> float:
        limit = node.args.get("limit")
        return rows if limit is None else min(rows, int(limit.expression.name))


def _this(node: exp.Expr, clause: str) -> exp.Expr | None:
    found = node.args.get(clause)
    return found.this if found is not None else None


def _alias_columns(node: exp.Expr) -> list[str]:
    alias = node.args.get("alias")
    return [column.name for column in alias.args.get("columns") or ()] if isinstance(alias, exp.TableAlias) else []


def _aggregates(item: exp.Expr) -> bool:
    """Whether the item itself, not a subquery in it, makes one value of many rows."""
    return any(is_aggregate(node) and not _over_window(node) for node in item.walk(prune=lambda node: isinstance(node, exp.Query)))


def _over_window(node: exp.Expr) -> bool:
    parent = node.parent
    while isinstance(parent, _WRAPPERS):
        parent = parent.parent
    return isinstance(parent, exp.Window)


def _replaced_growth(node: exp.Replace) -> int:
    # REPLACE(REPLACE(s, 'a', 'aaaa…'), 'a', 'aaaa…'): the text grows by the product of the literals' lengths
    replacement = node.args.get("replacement")
    if replacement is not None and not (isinstance(replacement, exp.Literal) and replacement.is_string):
        raise unsafe("REPLACE takes its replacement as a literal")
    return max(1, len(replacement.name)) if replacement is not None else 1
