"""The application's database as what is written down there uses it: texts that every database takes, and one error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from medflow.errors import CatalogError, MedflowError

_LONGEST = 10_000  # characters of a text; a longer question or SELECT is refused anyway


class RecordsUnavailable(MedflowError):
    """The application's database cannot be read or written now."""


@contextmanager
def reached() -> Iterator[None]:
    """Whatever the database says within the block, told as one error.

    Raises:
        RecordsUnavailable: it could not be read or written.
    """
    try:
        yield
    except (CatalogError, SQLAlchemyError) as error:
        raise RecordsUnavailable(f"the application's database (MEDFLOW_APP_DB) cannot be used: {type(error).__name__}") from error


def stored(text: str) -> str:
    """A text as every database takes it: Postgres has no NUL."""
    return text[:_LONGEST].replace("\0", "\N{REPLACEMENT CHARACTER}")
