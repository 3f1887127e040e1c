"""Typed queries on both engines: one text, compiled for each, gives the same rows in the same order; and Trino's text is one that it reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from sqlglot import exp

from medflow.generate import SampleRequest, generate
from medflow.settings import packaged_knowledge_base
from medflow.specs.semantic import load_semantic_model
from medflow.specs.tables import load_tables
from rag_backend.query.compile import compile_query
from rag_backend.query.problems import problems_of
from rag_backend.query.sources import admissible
from rag_backend.query.typed_query import TypedQuery
from spark_jobs.engines.base import BuildEngine
from spark_jobs.pipeline import Engines
from tests.support.lake import Lake

_ROOT = packaged_knowledge_base()
_MODEL, _TABLES = load_semantic_model(_ROOT), load_tables(_ROOT)
_CASES = yaml.safe_load((Path(__file__).parents[1] / "data/typed_queries.yaml").read_text(encoding="utf-8"))
_NAMES = [case["name"] for case in _CASES]
_CLAIMS = 400  # few enough that some providers have none


@pytest.fixture(scope="module")
def both(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Both engines with the tables of one published lake, each under its short name."""
    lake = Lake(tmp_path_factory.mktemp("queries") / "lake")
    generate(SampleRequest(claims=_CLAIMS, seed=7, out=lake.landing))
    lake.run()
    released = {name: table for name, table in lake.release().tables.items() if name in _TABLES}
    for engine in (engines.build, engines.verifier):
        for name, table in released.items():
            engine.files(name.split(".")[1], table.files, _TABLES[name])
    yield engines
    for engine in (engines.build, engines.verifier):
        engine.drop(*(name.split(".")[1] for name in released))


def texts(case: dict[str, Any]) -> list[str]:
    """The Spark SQL of a case, one for each table that may answer it."""
    query = TypedQuery.model_validate(case["query"])
    assert problems_of(query, _MODEL) == []
    return [compile_query(query, base, _TABLES).sql for base in admissible(query, _MODEL, _TABLES)]


def unqualified(text: str) -> str:
    """The same over the short names of tables."""
    tree = sqlglot.parse_one(text, read="spark")
    for table in list(tree.find_all(exp.Table)):
        table.set("db", None)
    return tree.sql("spark")


def rows(engine: BuildEngine, sql: str) -> list[list[Any]]:
    """Rows in their order; a decimal is a decimal whatever its scale."""
    return [[cell.normalize() if isinstance(cell, Decimal) else cell for cell in row.values()] for row in engine.fetch(sql)]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    return one == other and isinstance(one, type(other))


@pytest.mark.parametrize("case", _CASES, ids=_NAMES)
def test_both_engines_give_the_same_rows(case: dict[str, Any], both: Engines) -> None:
    """From every table that may answer, in the same order, with the same types."""
    for text in texts(case):
        sql = unqualified(text)
        expected, found = rows(both.verifier, sql), rows(both.build, sql)
        assert expected
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert all(map(same, one, other)), (sql, one, other)


@pytest.mark.parametrize("case", _CASES, ids=_NAMES)
def test_the_text_for_trino_is_settled(case: dict[str, Any]) -> None:
    """Written, read and written again it is the same text, over the same tables."""
    for text in texts(case):
        tree = sqlglot.parse_one(text, read="spark")
        written = tree.sql("trino")
        read = sqlglot.parse_one(written, read="trino")
        assert read.sql("trino") == written
        assert {table.sql() for table in read.find_all(exp.Table)} == {table.sql() for table in tree.find_all(exp.Table)}
