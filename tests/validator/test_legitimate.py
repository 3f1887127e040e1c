"""What analysts ask passes, quickly, and gives what it gave before it was written out."""

from __future__ import annotations

import time
from collections.abc import Iterator

import duckdb
import pytest

from rag_backend.validator import Approved, validate
from tests.validator.corpus import DIALECTS, Question, proof, questions, tables
from tests.validator.small_database import arrow_tables

_ALL = [question for dialect in DIALECTS for question in questions(dialect)]
_SECONDS = 0.020  # of processor time, for the typical query


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Every declared table with a few rows, found with and without its schema."""
    connection = duckdb.connect(config={"threads": 1})
    for name, rows in arrow_tables(tables().values()).items():
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
        connection.register("rows", rows)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
    connection.execute("SET search_path = 'healthcare,healthcare_gold'")
    yield connection
    connection.close()


def test_there_are_enough() -> None:
    """100 in each dialect."""
    assert [len(questions(dialect)) >= 100 for dialect in DIALECTS] == [True] * 3


@pytest.mark.parametrize("question", _ALL, ids=lambda question: f"{question.dialect} {question.about}")
def test_it_passes(question: Question) -> None:
    """For an analyst, and its own output passes again."""
    approved = validate(question.sql, proof(question.dialect))
    assert isinstance(approved, Approved), approved
    assert approved.output


@pytest.mark.parametrize("question", questions("duckdb"), ids=lambda question: question.about)
def test_it_gives_the_same_rows(question: Question, database: duckdb.DuckDBPyConnection) -> None:
    """What runs gives what was asked: the same rows under the promised names."""
    approved = validate(question.sql, proof())
    assert isinstance(approved, Approved), approved
    ran = database.execute(approved.sql)
    names, rows = [column[0] for column in ran.description or ()], ran.fetchall()
    assert tuple(names) == approved.output
    asked = database.execute(question.sql).fetchall()
    assert sorted(map(repr, rows[: approved.limit])) == sorted(map(repr, asked[: approved.limit]))


def test_the_proof_is_quick() -> None:
    """The median query is proved within 20 ms of processor time."""
    given = proof()
    spent = []
    for question in questions("duckdb"):
        begun = time.process_time()
        validate(question.sql, given)
        spent.append(time.process_time() - begun)
    assert sorted(spent)[len(spent) // 2] < _SECONDS
