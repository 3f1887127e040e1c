"""What a proof is made from and what it ends in. Values only; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from sqlglot import exp
from sqlglot.schema import MappingSchema

from medflow.specs.policy import Policy

Dialect = Literal["duckdb", "trino", "spark"]
Reason = Literal["unsafe", "not_permitted", "not_in_data", "over_limit", "not_understood"]


@dataclass(frozen=True)
class Proof:
    """What SQL is held against.

    `types`: full table name -> column -> Spark SQL type, as declared. `pins`: full table name -> how the engine names it in this
    release, such as `lake.ns.t FOR VERSION AS OF 'release-7'`. `rows`: full table name -> rows in this release; a table without
    a figure counts as endless. `row_limit`: most rows of an answer. `scan_limit`: most rows read, `product_limit`: most rows of
    a join without a key. `lane`: how the SQL came about; it must be open to the role. `parts` and `bytes`: how long the SQL may be;
    0 is what a person or a model may write.
    """

    dialect: Dialect
    policy: Policy
    lane: str
    types: Mapping[str, Mapping[str, str]]
    pins: Mapping[str, str]
    row_limit: int
    rows: Mapping[str, int] = field(default_factory=dict)
    scan_limit: int | None = None
    product_limit: int = 10_000_000
    parts: int = 0
    bytes: int = 0

    @cached_property
    def readable(self) -> dict[str, dict[str, str]]:
        """Full table name -> readable column -> type: what the policy grants of what the release has."""
        held = {name: self.types.get(name, {}) for name in self.policy.tables}
        return {name: {c: types[c] for c in self.policy.tables[name] if c in types} for name, types in held.items() if types}

    @cached_property
    def schema(self) -> MappingSchema:
        """The readable columns as sqlglot's schema: a name outside it does not resolve."""
        schema = MappingSchema(dialect=self.dialect)
        for name, columns in self.readable.items():
            typed = {column: exp.DataType.build(declared, dialect="spark") for column, declared in columns.items()}
            schema.add_table(exp.to_table(name), typed, dialect=self.dialect)
        return schema


@dataclass(frozen=True)
class Approved:
    """SQL that may run, exactly as written here.

    `tree`: what `sql` parses to. `tables`: full names read; `columns`: (table, column) read; `output`: names of the answer's
    columns. `limit`: rows to keep; the SQL asks for one more, so that a cut is known.
    """

    sql: str
    tree: exp.Expr
    tables: frozenset[str]
    columns: frozenset[tuple[str, str]]
    output: tuple[str, ...]
    limit: int


@dataclass(frozen=True)
class Refused:
    """Why not. `sentence` names what is refused and what is allowed; it never tells whether a closed thing exists."""

    reason_code: Reason
    sentence: str


class RefusalError(Exception):
    """Carries a `Refused` out of a rule; `validate` turns it into the value."""

    def __init__(self, reason_code: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.refused = Refused(reason_code, sentence)


def unsafe(sentence: str) -> RefusalError:
    """A construction that no query needs."""
    return RefusalError("unsafe", sentence)


def not_permitted(sentence: str) -> RefusalError:
    """Something that the role may not read."""
    return RefusalError("not_permitted", sentence)


def over_limit(sentence: str) -> RefusalError:
    """More than one question may cost."""
    return RefusalError("over_limit", sentence)
