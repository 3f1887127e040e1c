"""What the service writes down in the application's database: recipes of answers and ratings. No row of data is ever among it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from medflow.lakehouse.database import APPLICATION, connect, make_tables
from rag_backend.ratings import RATINGS, Ratings
from rag_backend.recipes import RECIPES, Recipes


@dataclass(frozen=True)
class Records:
    """The tables of one application's database."""

    recipes: Recipes
    ratings: Ratings


@contextmanager
def records_of(app_db: str) -> Iterator[Records]:
    """The tables in the database at a URL, made if they are missing.

    Raises:
        UsageError: the URL cannot be read. CatalogError: the database cannot be used. MissingExtraError: its driver.
    """
    engine = connect(app_db, named=APPLICATION)
    try:
        make_tables(engine, RECIPES.metadata)
        make_tables(engine, RATINGS.metadata)
        yield Records(Recipes(engine), Ratings(engine))
    finally:
        engine.dispose()
