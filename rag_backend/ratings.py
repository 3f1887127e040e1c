"""What askers think of answers: one rating an answer, the last one counts. `medflow status --targets` reads their mean."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, Text, insert, update
from sqlalchemy.exc import IntegrityError

from medflow.lakehouse.database import writing
from medflow.lakehouse.ledger_tables import UtcTimestamp
from rag_backend.app_database import reached, stored

RATINGS = Table(
    "medflow_feedback",
    MetaData(),
    Column("answer_id", String(32), primary_key=True),
    Column("rating", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTimestamp, nullable=False),
)


@dataclass(frozen=True)
class Rating:
    """From 1 to 5, with the asker's reason."""

    answer_id: str
    rating: int
    reason: str
    at: datetime


class Ratings:
    """The table of ratings. Safe for several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, rating: Rating) -> None:
        """Keep a rating in the place of the answer's last one.

        Raises:
            RecordsUnavailable: the database does not answer.
        """
        values = {**asdict(rating), "reason": stored(rating.reason)}
        with reached():
            if not self._changed(values) and not self._added(values):
                self._changed(values)  # somebody else was first

    def _added(self, values: dict[str, Any]) -> bool:
        try:
            with writing(self._engine) as connection:
                connection.execute(insert(RATINGS).values(values))
        except IntegrityError:
            return False
        return True

    def _changed(self, values: dict[str, Any]) -> bool:
        with writing(self._engine) as connection:
            changed = update(RATINGS).where(RATINGS.c.answer_id == values["answer_id"]).values(values)
            return bool(connection.execute(changed).rowcount)
