"""Typed queries compiled for DuckDB against SQL that a person wrote, and every admissible source against the lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
import yaml

from medflow.settings import packaged_knowledge_base
from medflow.specs.policy import load_policies
from medflow.specs.semantic import load_semantic_model
from medflow.specs.tables import load_tables
from medflow.sql.compile import compile_sql
from rag_backend.query.compile import compile_query
from rag_backend.query.problems import problems_of
from rag_backend.query.sources import admissible
from rag_backend.query.typed_query import TypedQuery
from rag_backend.validator import Approved, Proof, validate
from tests.support.counts import counted
from tests.support.reader import reader_of

_ROOT = packaged_knowledge_base()
_MODEL, _TABLES = load_semantic_model(_ROOT), load_tables(_ROOT)
_CASES = yaml.safe_load((Path(__file__).parents[1] / "data/typed_queries.yaml").read_text(encoding="utf-8"))
_SUMMED = sorted(name for name, metric in _MODEL.metrics.items() if not metric.per and "member_count" not in _MODEL.parts(name))
_ANALYST = load_policies(_ROOT, _TABLES)["analyst"]
_TYPES = {name: {column.name: column.type for column in table.columns} for name, table in _TABLES.items()}


_OVER_500 = {"entity": "claim", "having": [{"metric": "billed_amount", "op": "gt", "value": 500}]}
_TWO_YEARS = {
    "time": {"date": "paid_date"},
    "compare": [{"label": str(year), "from": f"{year}-01-01", "to": f"{year + 1}-01-01"} for year in (2024, 2025)],
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All tables of a published lake of 2,000 claims, as DuckDB tables."""
    with reader_of(tmp_path_factory.mktemp("query"), claims=2_000) as connection:
        yield connection


def _rows(reader: duckdb.DuckDBPyConnection, query: TypedQuery, source: int = 0) -> list[tuple[Any, ...]]:
    base = admissible(query, _MODEL, _TABLES)[source]
    return reader.execute(compile_sql(compile_query(query, base, _TABLES).sql, "duckdb")).fetchall()


def _same(found: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> bool:
    def equal(one: Any, other: Any) -> bool:
        return math.isclose(one, other, rel_tol=1e-12) if isinstance(one, float) and isinstance(other, float) else one == other

    return len(found) == len(expected) and all(
        len(one) == len(other) and all(map(equal, one, other)) for one, other in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("case", _CASES, ids=[case["name"] for case in _CASES])
def test_what_a_person_wrote(case: dict[str, Any], reader: duckdb.DuckDBPyConnection) -> None:
    """Every admissible source gives the rows of the hand-written SQL, in its order."""
    query = TypedQuery.model_validate(case["query"])
    assert problems_of(query, _MODEL) == []
    expected = reader.execute(case["sql"]).fetchall()
    for source in range(len(admissible(query, _MODEL, _TABLES))):
        found = _rows(reader, query, source)
        assert _same(found, expected), (source, found[:5], expected[:5])


@pytest.mark.parametrize("case", _CASES, ids=[case["name"] for case in _CASES])
def test_what_is_compiled_is_approved(case: dict[str, Any]) -> None:
    """The validator has nothing against the compiler's SQL."""
    query = TypedQuery.model_validate(case["query"])
    pins, rows = {name: name for name in _ANALYST.tables}, dict.fromkeys(_ANALYST.tables, 100_000)
    for base in admissible(query, _MODEL, _TABLES):
        sql = compile_sql(compile_query(query, base, _TABLES).sql, "duckdb")
        outcome = validate(sql, Proof("duckdb", _ANALYST, "semantic", _TYPES, pins, row_limit=10_000, rows=rows))
        assert isinstance(outcome, Approved), outcome


def _random_query(random: Random) -> TypedQuery:
    """Metrics, groups, filters and windows at random, of those that a source may stand for."""
    metrics = random.sample(_SUMMED, random.randint(1, 2))
    dims = random.sample(["payer", "condition", "denial_code", "provider", "specialty", "provider_state"], random.randint(0, 2))
    groups: list[dict[str, str]] = [{"dim": name} for name in dims]
    date = random.choice(["claim_service_date", "received_date"])
    if random.random() < 0.5:
        groups.append({"dim": date, "grain": random.choice(["month", "quarter", "year", "month_of_year"])})
    where = [[{"dim": "payer", "op": random.choice(["in", "not_in"]), "values": ["aetna"]}]] if random.random() < 0.3 else []
    where += [[{"dim": "condition", "op": "in", "values": ["diabetes", "asthma"]}]] if random.random() < 0.3 else []
    window = {"date": date, "from": random.choice(["2025-01-01", "2025-03-01"]), "to": random.choice(["2026-01-01", "2026-07-01"])}
    asked = {"metrics": [{"id": name} for name in metrics], "group_by": groups, "where": where}
    return TypedQuery.model_validate(asked | ({"time": window} if random.random() < 0.5 else {}))


def test_every_source_says_what_the_lines_say(reader: duckdb.DuckDBPyConnection) -> None:
    """Random queries: each table that may answer one gives the rows that the lines give."""
    random, compared = Random(7), 0
    for _ in range(counted(sample=80, whole=1_000)):
        query = _random_query(random)
        assert problems_of(query, _MODEL) == []
        bases = admissible(query, _MODEL, _TABLES)
        expected = _rows(reader, query, len(bases) - 1) if len(bases) > 1 else []
        for source in range(len(bases) - 1):
            found = _rows(reader, query, source)
            assert _same(found, expected), (bases[source].table, query.model_dump_json(), found[:3], expected[:3])
            compared += 1
    assert compared >= 10


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"metrics": [{"id": "nothing"}]}, "no metric nothing"),
        ({"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "nothing"}]}, "no dimension nothing"),
        ({"form": "list", "entity": "claim"}, "can be listed"),
        ({"metrics": []}, "at least one metric"),
        (
            {"metrics": [{"id": "member_count", "transform": "running_total"}], "group_by": [{"dim": "paid_date", "grain": "month"}]},
            "add up",
        ),
        ({"metrics": [{"id": "denial_rate", "transform": "share_of_total"}], "group_by": [{"dim": "payer"}]}, "no shares"),
        ({"metrics": [{"id": "claim_count"}], "where": [[{"dim": "payer", "op": "in", "values": ["nobody"]}]]}, "no such value"),
        ({"metrics": [{"id": "claim_count", "stat": "median"}]}, "needs a unit"),
        ({"metrics": [{"id": "claim_count"}], "order_by": [{"by": "paid_amount"}]}, "cannot order by"),
        ({"metrics": [{"id": "claim_count", "transform": "share_of_group"}], "group_by": [{"dim": "payer"}]}, "own conditions"),
        ({"metrics": [{"id": "claim_count", "stat": "mean"}], "unit": {"entity": "month"}}, "of a date"),
        ({"metrics": [{"id": "denial_rate", "stat": "mean"}], "unit": {"entity": "month"}, "time": {"date": "paid_date"}}, "summed up"),
        ({"metrics": [{"id": "member_count"}], "unit": _OVER_500}, "summed up"),
        ({"metrics": [{"id": "claim_count", "transform": "share_of_total"}], "group_by": [{"dim": "payer"}], **_TWO_YEARS}, "by a number"),
    ],
)
def test_a_query_without_an_answer_is_told(asked: dict[str, Any], told: str) -> None:
    """Before anything is compiled, in words."""
    assert any(told in problem for problem in problems_of(TypedQuery.model_validate(asked), _MODEL))
