"""The whole assistant on another trade: a library that lends books. No line of code is changed for it, only the knowledge base."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from medflow.specs.examples import load_examples
from medflow.specs.policy import ROLES
from medflow.specs.semantic import load_semantic_model
from medflow.specs.tables import load_tables
from medflow.sql.compile import compile_sql
from rag_backend.agents.flow import walk
from rag_backend.agents.turn import Services, Turn
from rag_backend.answer import status_of
from rag_backend.assistant import opened
from rag_backend.evaluation import Bank, ask_all, same_rows, scores
from rag_backend.examples import example_patterns
from rag_backend.query.compile import compile_query
from rag_backend.query.sources import admissible
from rag_backend.query.typed_query import TypedQuery
from tests.support.library import KNOWLEDGE_BASE, published

_BANK = KNOWLEDGE_BASE / "questions.jsonl"


@pytest.fixture(scope="module")
def by_role(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Services]]:
    """The assistant of every role, on 6,000 loans."""
    settings = published(tmp_path_factory.mktemp("library"))
    with ExitStack() as stack:
        yield {role: stack.enter_context(opened(settings, role)).services for role in ROLES}


@pytest.fixture(scope="module")
def bank(by_role: dict[str, Services]) -> Bank:
    """The questions, with a connection for the SQL that a person wrote."""
    return Bank.of(_BANK, by_role["analyst"].release)


@pytest.fixture(scope="module")
def result(by_role: dict[str, Services], bank: Bank) -> dict[str, Any]:
    """The scores of all wordings."""
    return scores(list(ask_all(bank, by_role)))


def test_the_bank_is_whole(bank: Bank) -> None:
    """30 questions in three wordings; what is answerable has rows, in as many columns as it says."""
    assert len(bank.questions) == 30
    assert all(len(entry["paraphrases"]) == 2 for entry in bank.questions)
    assert Counter(entry["kind"] for entry in bank.questions)["answerable"] >= 20
    for entry in bank.questions:
        for sql in [entry["sql"], *(other["sql"] for other in entry["alternatives"])] if entry["kind"] == "answerable" else []:
            rows = bank.expected(sql)
            assert rows, entry["id"]
            assert {len(row) for row in rows} == {len(entry["columns"])}, entry["id"]


def test_the_assistant_answers(result: dict[str, Any]) -> None:
    """Every wording is asked and scored; the figures are printed as `medflow eval` has them."""
    total = result["total"]
    print(json.dumps({"total": total, "not right": result["failures"]}, indent=2))
    assert total["asked"] == 90
    assert total["wrong"] == 0
    assert total["coverage"] >= 0.7


def test_questions_of_meaning_are_answered_from_the_declarations(result: dict[str, Any]) -> None:
    """Definitions need no word of the trade in the code."""
    assert result["slices"]["definition"]["coverage"] == 1.0


def test_what_has_no_answer_is_held_back(result: dict[str, Any]) -> None:
    """No number for what is not there, unknown, forbidden, in the future or open to several readings."""
    assert result["total"]["held_back"] == 1.0


def test_examples_give_the_rows_of_their_sql(bank: Bank) -> None:
    """The library's own approved questions."""
    model, tables = load_semantic_model(KNOWLEDGE_BASE), load_tables(KNOWLEDGE_BASE)
    examples = load_examples(KNOWLEDGE_BASE)
    assert len(example_patterns(examples, model)) == len(examples.by_id)
    for example in examples.by_id.values():
        query = TypedQuery.model_validate(example.query)
        compiled = compile_query(query, admissible(query, model, tables)[0], tables)
        assert same_rows(bank.expected(compile_sql(compiled.sql, "duckdb")), bank.expected(example.sql), ordered=False)


def test_data_are_the_same_every_time(tmp_path: Path) -> None:
    """Seeded: the same rows, to the byte of the file."""
    one, other = (published(tmp_path / name, loans=200).home / "data/loans.parquet" for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_a_role_without_a_column_is_answered_as_far_as_it_may_read(by_role: dict[str, Services]) -> None:
    """A closed column closes its dimension, not the assistant."""
    services = by_role["business"]
    assert status_of(walk(Turn("loans by branch", date(2026, 7, 1)), services)) == "answered"
    assert status_of(walk(Turn("loans by ISBN", date(2026, 7, 1)), services)) == "refused"
    assert status_of(walk(Turn("late rate by branch", date(2026, 7, 1)), services)) == "refused"
