"""Tables of a tree before its columns are looked at: each is a WITH query in scope or a readable table, written in full."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from rag_backend.validator.proof import Proof, RefusalError, not_permitted, over_limit, unsafe

TABLES = 8
READS = 32
_EXPANDED = 4_000


def resolve_tables(tree: exp.Expr, proof: Proof) -> frozenset[str]:
    """Write every table's full name into the tree and give back the names.

    Raises:
        RefusalError: a table that the role may not read, too many tables, a WITH name that hides a table.
    """
    reads = _Reads(proof)
    total = reads.of(tree, {})
    if not reads.written:
        return frozenset()
    if len(reads.written) > TABLES:
        raise over_limit(f"the SQL reads tables in {len(reads.written)} places; {TABLES} are allowed")
    # WITH queries that use each other twice, ten levels deep, read a table a thousand times.
    if sum(total.values()) > READS:
        raise over_limit(f"with its WITH queries written out the SQL reads tables {sum(total.values())} times; {READS} are allowed")
    _check_scan(total, proof)
    return frozenset(reads.written)


def _check_scan(reads: Mapping[str, int], proof: Proof) -> None:
    if proof.scan_limit is None:
        return
    rows = sum(count * proof.rows.get(table, proof.scan_limit + 1) for table, count in reads.items())
    if rows > proof.scan_limit:
        raise over_limit(f"the SQL would read more than {proof.scan_limit:,} rows; ask a table of totals, or fewer tables at once")


class _Reads:
    """Walks queries with the WITH names in scope; counts how often each table is read."""

    def __init__(self, proof: Proof) -> None:
        self.proof = proof
        self.written: list[str] = []
        self.names: set[str] = set()
        pinned = {exp.to_table(name).name for name in proof.policy.tables} | {_last_name(pin) for pin in proof.pins.values()}
        self.taken = {name.lower() for name in pinned}

    def of(self, node: exp.Expr, scope: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
        """Full table name -> how often the node reads it."""
        total: dict[str, int] = {}
        if isinstance(node, exp.Table):
            return dict(self._table(node, scope))
        with_ = node.args.get("with_")
        if with_ is not None:
            scope = self._with(with_, scope)
        for child in node.iter_expressions():
            if child is with_:
                continue
            for table, count in self.of(child, scope).items():
                total[table] = min(total.get(table, 0) + count, READS + 1)
        return total

    def _with(self, with_: exp.Expr, scope: Mapping[str, Mapping[str, int]]) -> Mapping[str, Mapping[str, int]]:
        for cte in with_.expressions:
            name = cte.alias.lower()
            # An engine that names tables plainly would read the table where sqlglot reads the WITH query, or the other way round.
            if name in self.taken:
                raise unsafe(f"the WITH name {cte.alias} is the name of a table; choose another")
            if not name or name in self.names:
                raise unsafe(f"the WITH name {cte.alias} stands twice; give each query its own name")
            self.names.add(name)
            scope = {**scope, name: self.of(cte.this, scope)}
        return scope

    def _table(self, table: exp.Table, scope: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
        # read_parquet('…'), TABLE(…), IDENTIFIER('a' || 'b'), parquet.`/path`, t.files: no plain names
        if not isinstance(table.this, exp.Identifier) or not isinstance(table.args.get("db"), (exp.Identifier, type(None))):
            raise unsafe(f"a table function or path is not allowed in FROM; {self._readable()}")
        if table.args.get("db") is None and table.name.lower() in scope:
            return scope[table.name.lower()]
        full = self._full_name(table)
        if full not in self.proof.pins:
            raise RefusalError("not_in_data", f"this release has no table {full}")
        schema, name = full.split(".")
        table.set("this", exp.to_identifier(name))
        table.set("db", exp.to_identifier(schema))
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
        self.written.append(full)
        return {full: 1}

    def _full_name(self, table: exp.Table) -> str:
        wanted = f"{table.db}.{table.name}".lower() if table.db else table.name.lower()
        found = [name for name in self.proof.readable if name == wanted or (not table.db and name.split(".")[-1] == wanted)]
        if len(found) != 1:  # the same sentence for a closed table, a path and a name that is nowhere
            raise not_permitted(
                f"{table.sql(dialect='duckdb')[:80]} is no table that {self.proof.policy.role} may read; {self._readable()}"
            )
        return found[0]

    def _readable(self) -> str:
        return "readable are " + (", ".join(sorted(self.proof.readable)) or "none")


def _last_name(pin: str) -> str:
    return pin.split(" ")[0].split(".")[-1].strip('"`')


def check_expansion(tree: exp.Expr) -> None:
    """Refuse names of result columns that stand for each other: `1 AS a, a + a AS b, b + b AS c` doubles with each.

    Raises:
        RefusalError: written out, the columns would have more than a few thousand parts.
    """
    for select in tree.find_all(exp.Select):
        sizes: dict[str, int] = {}
        total = 0
        for item in select.expressions:
            size = sum(sizes.get(node.name.lower(), 1) if _plain(node) else 1 for node in item.walk())
            total += size
            if isinstance(item, exp.Alias):
                sizes[item.alias.lower()] = size
        for clause in ("where", "group", "having", "qualify", "order", "joins"):
            for part in _listed(select.args.get(clause)):
                total += sum(sizes.get(node.name.lower(), 1) for node in part.find_all(exp.Column) if _plain(node))
        if total > _EXPANDED:
            raise over_limit("result columns refer to each other too often; name the steps in WITH queries")


def _plain(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and not node.table


def _listed(value: object) -> list[exp.Expr]:
    return value if isinstance(value, list) else [value] if isinstance(value, exp.Expr) else []
