"""The data files of attacks and of legitimate queries, and the proofs that they are held against."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from medflow.settings import packaged_knowledge_base
from medflow.specs.knowledge_base import load_knowledge_base
from medflow.specs.policy import Policy, load_policies
from medflow.specs.table import TableSpec
from rag_backend.validator import Dialect, Proof

DATA = Path(__file__).parents[1] / "data"
DIALECTS: tuple[Dialect, ...] = ("duckdb", "trino", "spark")
CANARY = "CANARY"
_PIN = {
    "duckdb": "{}",
    "trino": "lake.{} FOR VERSION AS OF 'release-1'",
    "spark": "lake.{} VERSION AS OF 'release-1'",
}
_QUERY = re.compile(r"^-- ((?:duckdb|trino|spark)(?: \w+)*): (.*)\n((?:(?!^-- (?:duckdb|trino|spark)).*\n?)*)", re.MULTILINE)


@dataclass(frozen=True)
class Attack:
    """One attack; `{file}`, `{dir}` and `{snapshot}` in its SQL stand for what the test makes."""

    id: str
    dialect: Dialect
    kind: str
    sql: str
    harm: str
    shown: str

    def aimed(self, folder: Path, snapshot: str = "1") -> str:
        return self.sql.replace("{file}", f"{folder}/secret.csv").replace("{dir}", str(folder)).replace("{snapshot}", snapshot)


@dataclass(frozen=True)
class Question:
    """One legitimate query."""

    dialect: Dialect
    about: str
    sql: str


@cache
def tables() -> dict[str, TableSpec]:
    return {spec.name: spec for spec in load_knowledge_base(packaged_knowledge_base()).table_specs}


@cache
def policies() -> dict[str, Policy]:
    return dict(load_policies(packaged_knowledge_base(), tables()))


@cache
def attacks(dialect: Dialect) -> tuple[Attack, ...]:
    rows = yaml.safe_load((DATA / "attacks" / f"{dialect}.yaml").read_text(encoding="utf-8"))
    return tuple(Attack(row["id"], dialect, row["class"], row["sql"], row["harm"], row["shown"]) for row in rows)


@cache
def questions(dialect: Dialect) -> tuple[Question, ...]:
    found = _QUERY.finditer((DATA / "legitimate.sql").read_text(encoding="utf-8"))
    return tuple(Question(dialect, m[2], m[3].strip().removesuffix(";")) for m in found if dialect in m[1].split())


def proof(dialect: Dialect = "duckdb", role: str = "analyst", **changed: object) -> Proof:
    """A proof for the role over the packaged declarations, 25,000 rows in each table."""
    policy = policies()[role]
    given: dict[str, object] = {
        "dialect": dialect,
        "policy": policy,
        "lane": "semantic" if role == "business" else "sql",
        "types": {name: {c.name: c.type for c in spec.columns} for name, spec in tables().items()},
        "pins": {name: _PIN[dialect].format(name) for name in tables()},
        "row_limit": 1000,
        "rows": dict.fromkeys(tables(), 25_000),
    }
    return Proof(**(given | changed))  # type: ignore[arg-type]
