"""A fact table of a few hand-made claims in memory, and answers of the role that sees no small cells over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb
from sqlglot import exp

from medflow.settings import packaged_knowledge_base
from medflow.specs.semantic import load_semantic_model
from medflow.specs.tables import load_tables
from medflow.sql.compile import compile_sql
from rag_backend.engines.base import ResultColumn, Table
from rag_backend.query.compile import compile_unshaped
from rag_backend.query.expressions import Base
from rag_backend.query.problems import problems_of
from rag_backend.query.typed_query import TypedQuery
from rag_backend.small_cells.shown import ShownInProcess
from rag_backend.small_cells.suppressed import Measured, Suppressed, suppressed

_ROOT = packaged_knowledge_base()
MODEL, TABLES = load_semantic_model(_ROOT), load_tables(_ROOT)
_LINES = "healthcare.claims_clean"


@dataclass(frozen=True)
class Claims:
    """`count` claims alike, of `members` members (default: one each); the fields are columns of the lines."""

    count: int
    members: int = 0
    payer: str = "aetna"
    day: date = date(2026, 1, 15)
    status: str = "paid"
    code: str | None = None
    npi: str = "1000000001"
    diagnosis: str = "J45.909"
    billed: str = "100.00"
    paid: str | None = "50.00"


@dataclass
class Small:
    """A connection with hand-made lines; `below` as in the policy."""

    connection: Any
    below: int = 11
    shown: ShownInProcess = field(default_factory=ShownInProcess)

    def answer(self, asked: dict[str, Any], user: str = "", *, rows: list[tuple[Any, ...]] | None = None) -> Suppressed:
        """What a user is shown; `rows`: measured elsewhere than on these lines."""
        query = TypedQuery.model_validate(asked)
        assert problems_of(query, MODEL) == []
        compiled = compile_unshaped(query, Base(MODEL), TABLES)
        result = self.connection.execute(compile_sql(compiled.sql, "duckdb"))
        columns = tuple(ResultColumn(column[0], str(column[1])) for column in result.description)
        table = Table(columns, result.fetchall() if rows is None else rows, False, 0.0)
        with self.shown.opened(user, 1) as log:
            return suppressed(Measured(query, MODEL, compiled.columns, table, self.below), self._ask, log, 10_000)

    def rows(self, asked: dict[str, Any], user: str = "") -> list[tuple[Any, ...]]:
        return self.answer(asked, user).table.rows

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.connection.execute(compile_sql(sql, "duckdb")).fetchall()
        return found


@contextmanager
def small(*claims: Claims) -> Iterator[Small]:
    """A fact table of these claims, one line each."""
    with duckdb.connect() as connection:
        for name in (_LINES, "healthcare.providers"):
            columns = ", ".join(f'"{c.name}" {exp.DataType.build(c.type, dialect="spark").sql("duckdb")}' for c in TABLES[name].columns)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}; CREATE TABLE {name} ({columns})")
        connection.execute(
            "INSERT INTO healthcare.providers (npi, name, specialty, state) VALUES ('1000000001', 'Ada One', 'Cardiology', 'TX')"
        )
        for number, one in enumerate(claims):
            _insert(connection, number, one)
        yield Small(connection)


def _insert(connection: Any, number: int, claims: Claims) -> None:
    for place in range(claims.count):
        member = place % claims.members if claims.members else place
        values: dict[str, Any] = {
            "payer_id": claims.payer,
            "claim_id": f"{number}-{place}",
            "line_number": 1,
            "member_key": f"{number}-{member}",
            "rendering_npi": claims.npi,
            "principal_diagnosis": claims.diagnosis,
            "claim_service_date": claims.day,
            "received_date": claims.day,
            "adjudicated_date": claims.day,
            "claim_status": claims.status,
            "denial_group": "CO" if claims.code else None,
            "denial_code": claims.code,
            "billed_amount": claims.billed,
            "allowed_amount": claims.paid,
            "paid_amount": claims.paid,
        }
        names, marks = ", ".join(values), ", ".join("?" for _ in values)
        connection.execute(f"INSERT INTO {_LINES} ({names}) VALUES ({marks})", list(values.values()))


def by_group(rows: Sequence[tuple[Any, ...]]) -> dict[Any, Any]:
    """The last column by the one or two before it."""
    return {row[0] if len(row) == 2 else row[:-1]: row[-1] for row in rows}
