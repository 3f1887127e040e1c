"""Recipes and ratings on a real Postgres: as on SQLite, texts that it cannot hold included."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from medflow.targets import judged
from rag_backend.ratings import Rating
from rag_backend.recipes import Recipe
from rag_backend.records import records_of

_NOW = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)
_RECIPE = Recipe("a" * 32, "c", "data", "a \0 question", date(2026, 7, 1), 3, _NOW, "analyst", _NOW, queries=({"form": "a\0b"},))


@pytest.fixture(params=["sqlite", "postgresql"])
def app_db(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'app.db'}"
    return str(request.getfixturevalue("postgres_server").make_database(f"records{uuid.uuid4().hex[:8]}"))


def test_what_is_written_is_read(app_db: str) -> None:
    """A recipe comes back as it was, but for NULs; an id is taken once; eight may begin at once and make the tables."""

    def begin(number: int) -> bool:
        with records_of(app_db) as records:
            return records.recipes.begin(replace(_RECIPE, answer_id=f"{number % 2:032x}"))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(begin, range(8))) == [False] * 6 + [True] * 2
    with records_of(app_db) as records:
        assert records.recipes.begin(_RECIPE)
        found = records.recipes.find(_RECIPE.answer_id)
        assert found == replace(_RECIPE, question="a \ufffd question", queries=({"form": "a\ufffdb"},))
        records.recipes.end(replace(_RECIPE, question="x" * 20_000, status="answered", reason_code=""))
        ended = records.recipes.find(_RECIPE.answer_id)
        assert ended is not None
        assert (ended.status, len(ended.question)) == ("answered", 10_000)
        assert records.recipes.find("b" * 32) is None


def test_one_rating_an_answer(app_db: str) -> None:
    """Many at once for one answer are one; the targets have the mean."""

    def rate(rating: int) -> None:
        with records_of(app_db) as records:
            records.ratings.keep(Rating("a" * 32, rating, "why\0", _NOW))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(rate, [1, 2, 3, 1, 2, 3, 4, 4]))
    rate(5)
    (told,) = [one for one in judged(app_db) if one.name == "mean rating"]
    assert (told.value, told.figure) == (5.0, "5.0 of 5 (1)")
