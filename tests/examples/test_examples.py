"""Approved examples: the typed query gives the rows of the SQL that a person wrote, and earns its badge; near misses earn none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from medflow.errors import DeclarationError
from medflow.settings import packaged_knowledge_base
from medflow.specs.examples import Example, Examples, load_examples
from medflow.specs.semantic import load_semantic_model
from medflow.specs.tables import load_tables
from medflow.sql.compile import compile_sql
from rag_backend.examples import example_patterns, pattern
from rag_backend.query.canonical import canonical
from rag_backend.query.compile import compile_query
from rag_backend.query.problems import problems_of
from rag_backend.query.sources import admissible
from rag_backend.query.typed_query import TypedQuery
from tests.support.reader import reader_of

_ROOT = packaged_knowledge_base()
_MODEL, _TABLES, _EXAMPLES = load_semantic_model(_ROOT), load_tables(_ROOT), load_examples(_ROOT)
_PATTERNS = example_patterns(_EXAMPLES, _MODEL)
_IDS = sorted(_EXAMPLES.by_id)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All tables of a published lake of 10,000 claims."""
    with reader_of(tmp_path_factory.mktemp("examples"), claims=10_000) as connection:
        yield connection


def _query(name: str) -> TypedQuery:
    return TypedQuery.model_validate(_EXAMPLES.by_id[name].query)


def _compiled(reader: duckdb.DuckDBPyConnection, query: TypedQuery, source: int = 0) -> list[tuple[Any, ...]]:
    base = admissible(query, _MODEL, _TABLES)[source]
    return reader.execute(compile_sql(compile_query(query, base, _TABLES).sql, "duckdb")).fetchall()


def _close(one: Any, other: Any) -> bool:
    return math.isclose(one, other, rel_tol=1e-9) if isinstance(one, float) or isinstance(other, float) else bool(one == other)


def _key(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row)


@pytest.mark.parametrize("name", _IDS)
def test_rows_are_those_of_the_hand_written_sql(name: str, reader: duckdb.DuckDBPyConnection) -> None:
    """Same columns in the same order, same rows; from every table that may answer."""
    query = _query(name)
    expected = sorted(reader.execute(_EXAMPLES.by_id[name].sql).fetchall(), key=_key)
    for source in range(len(admissible(query, _MODEL, _TABLES))):
        found = sorted(_compiled(reader, query, source), key=_key)
        assert len(found) == len(expected)
        assert all(len(one) == len(other) and all(map(_close, one, other)) for one, other in zip(found, expected, strict=True)), (
            source,
            found[:4],
            expected[:4],
        )


@pytest.mark.parametrize("name", _IDS)
def test_the_canonical_form_asks_the_same(name: str, reader: duckdb.DuckDBPyConnection) -> None:
    """Without problems, its own canonical form, and with the same rows in the same order."""
    query = _query(name)
    one = canonical(query, _MODEL)
    assert problems_of(one, _MODEL) == []
    assert canonical(one, _MODEL) == one
    assert _compiled(reader, one) == _compiled(reader, query)


def test_examples_are_many_and_their_rows_are_not_empty(reader: duckdb.DuckDBPyConnection) -> None:
    """An example whose SQL finds nothing would prove nothing; only what is missing may be missing."""
    assert len(_IDS) >= 60
    empty = [name for name in _IDS if not reader.execute(_EXAMPLES.by_id[name].sql).fetchall()]
    assert set(empty) <= {"providers_without_claims"}


_BASE = {
    "metrics": [{"id": "denial_rate"}],
    "where": [[{"dim": "payer", "op": "in", "values": ["unitedhealth"]}]],
    "time": {"date": "claim_service_date", "from": "2026-01-01", "to": "2026-04-01"},
}
_TOP = {
    "metrics": [{"id": "paid_amount"}],
    "group_by": [{"dim": "provider"}],
    "order_by": [{"by": "paid_amount", "desc": True}],
    "limit": {"n": 5, "ties": True},
}
_MANY = {"metrics": [{"id": "member_count"}], "unit": {"entity": "member", "having": [{"metric": "claim_count", "op": "gt", "value": 5}]}}
_TWO = {
    "metrics": [{"id": "billed_amount"}],
    "where": [[{"dim": "age_band", "op": "in", "values": ["85+", "0-17"]}], [{"dim": "sex", "op": "in", "values": ["M"]}]],
}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (_BASE, "denial_rate_of_payer_in_window"),
        (_BASE | {"where": [[{"dim": "payer", "op": "in", "values": ["aetna", "bluecross"]}]]}, "denial_rate_of_payer_in_window"),
        (_BASE | {"time": {"date": "claim_service_date", "from": "2024-07-01", "to": "2025-07-01"}}, "denial_rate_of_payer_in_window"),
        (_TOP, "top_providers_by_paid"),
        (_TOP | {"limit": {"n": 20, "ties": True}}, "top_providers_by_paid"),
        (_MANY, "members_with_many_claims"),
        (_MANY | {"unit": {"entity": "member", "having": [{"metric": "claim_count", "op": "gt", "value": 2}]}}, "members_with_many_claims"),
        (_TWO, "billed_for_demographic"),
        ({"metrics": [{"id": "days_to_adjudicate", "stat": "median"}], "group_by": [{"dim": "payer"}]}, "median_turnaround_by_payer"),
        (
            {"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "payer"}], "order_by": [{"by": "claim_count", "desc": True}]},
            "claims_by_payer",
        ),
        ({"metrics": [{"id": "claim_count"}], "time": {"date": "claim_service_date"}}, "claims_of_all"),
    ],
)
def test_other_parameters_are_the_same_example(query: dict[str, Any], name: str) -> None:
    """Values, days and numbers differ; so do the order of conditions and defaults that are written out."""
    assert _PATTERNS.get(pattern(TypedQuery.model_validate(query), _MODEL)) == name


@pytest.mark.parametrize(
    "query",
    [
        _BASE | {"metrics": [{"id": "denied_share_of_claims"}]},
        _BASE | {"where": [[{"dim": "payer", "op": "not_in", "values": ["unitedhealth"]}]]},
        _BASE | {"where": [[{"dim": "plan_code", "op": "in", "values": ["HMO-1"]}]]},
        _BASE | {"where": [*_BASE["where"], [{"dim": "payer", "op": "in", "values": ["aetna"]}]]},
        _BASE | {"where": [*_BASE["where"], [{"dim": "sex", "op": "in", "values": ["F"]}]]},
        _BASE | {"time": {"date": "adjudicated_date", "from": "2026-01-01", "to": "2026-04-01"}},
        _BASE | {"time": {"date": "claim_service_date", "from": "2026-01-01"}},
        _BASE | {"group_by": [{"dim": "sex"}]},
        _TOP | {"limit": {"n": 5}},
        _TOP | {"order_by": [{"by": "paid_amount"}]},
        _TOP | {"limit": {"n": 0}},
        _MANY | {"unit": {"entity": "member", "having": [{"metric": "claim_count", "op": "ge", "value": 5}]}},
        {
            "metrics": [{"id": "provider_count"}],
            "unit": {"entity": "provider", "having": [{"metric": "claim_count", "op": "gt", "value": 5}]},
        },
        {"metrics": [{"id": "days_to_adjudicate", "stat": "max"}], "group_by": [{"dim": "payer"}]},
        {"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "claim_service_date", "grain": "week"}]},
        {"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "payer"}], "order_by": [{"by": "claim_count"}]},
        {"metrics": [{"id": "paid_amount", "transform": "running_total"}], "group_by": [{"dim": "claim_service_date", "grain": "month"}]},
        {"metrics": [{"id": "billed_amount"}], "where": [[one for group in _TWO["where"] for one in group]]},
    ],
)
def test_a_near_miss_earns_nothing(query: dict[str, Any]) -> None:
    """Another metric, operator, dimension, date, bound, order or grain is another question."""
    assert problems_of(TypedQuery.model_validate(query), _MODEL) == []
    assert pattern(TypedQuery.model_validate(query), _MODEL) not in _PATTERNS


def test_unequal_forms_of_one_query_are_one() -> None:
    """Sets are sorted and doubles dropped."""
    conditions = [{"dim": "payer", "op": "in", "values": ["aetna", "bluecross", "aetna"]}, {"dim": "sex", "op": "in", "values": ["F"]}]
    one = TypedQuery.model_validate({"metrics": [{"id": "claim_count"}], "where": [[one] for one in conditions]})
    conditions[0]["values"] = ["bluecross", "aetna"]
    other = TypedQuery.model_validate({"metrics": [{"id": "claim_count"}], "where": [[one] for one in reversed(conditions)] * 2})
    assert canonical(one, _MODEL) == canonical(other, _MODEL)
    assert canonical(one, _MODEL).time.date == ""


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"metrics": [{"id": "claim_cuont"}]}, "there is no metric claim_cuont"),
        ({"metrics": [{"id": "claim_count", "colour": "red"}]}, "metrics.0.colour"),
        ({"metrics": [{"id": "claim_count"}], "time": {"date": "claim_service_date"}}, "plain has the same query"),
    ],
)
def test_an_example_that_cannot_be_asked_is_a_problem(query: dict[str, Any], told: str) -> None:
    """All of them are told, with their file."""
    listed = {
        name: Example(question=name, query=one, sql="SELECT 1")
        for name, one in (("plain", {"metrics": [{"id": "claim_count"}]}), ("odd", query))
    }
    with pytest.raises(DeclarationError) as error:
        example_patterns(Examples(listed, dict.fromkeys(listed, "examples/counts.yaml")), _MODEL)
    assert error.value.problems[0].startswith("examples/counts.yaml: odd: ")
    assert told in error.value.problems[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("examples:\n  one: {question: Q, query: {}, sql: DELETE FROM t}\n", "counts.yaml:2: examples.one.sql"),
        ("examples:\n  one: {question: Q, query: {}}\n", "counts.yaml:2: examples.one.sql: is required"),
        (
            "examples:\n  one: {question: Q, query: {}, sql: SELECT 1}\n  two:\n    question: q\n    query: {}\n    sql: SELECT 1\n",
            "counts.yaml:4: one asks the same",
        ),
    ],
)
def test_a_file_that_is_no_example_names_the_line(tmp_path: Path, text: str, told: str) -> None:
    """Like every other declaration."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples/counts.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as error:
        load_examples(tmp_path)
    assert any(told in problem for problem in error.value.problems), error.value.problems


def test_days_are_days() -> None:
    """A day in an example's file is a date of its query."""
    assert _query("claims_of_payer_in_window").time.start == date(2025, 1, 1)
