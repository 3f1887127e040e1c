"""Tokens of a day (UTC), counted in the application's database: one budget for all processes, and no restart forgets it.

A call reserves what it may take before it begins, and puts back what it did not take. A process that dies in between has spent its
reservation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import BigInteger, Column, Date, Engine, MetaData, Table, select, update
from sqlalchemy.dialects import postgresql, sqlite

from medflow.lakehouse.database import make_tables, writing

_METADATA = MetaData()
_TOKENS = Table(
    "medflow_model_tokens",
    _METADATA,
    Column("day", Date, primary_key=True),
    Column("spent", BigInteger, nullable=False),
)


@dataclass(frozen=True)
class Reservation:
    """Tokens of a day that a call under way may take. Settle it once."""

    day: date
    tokens: int


class TokenBudget:
    """At most `per_day` tokens a day, over all processes that share the database behind `engine`."""

    def __init__(self, engine: Engine, per_day: int) -> None:
        self.per_day = per_day
        self._engine = engine
        make_tables(engine, _METADATA)

    def left(self, day: date) -> int:
        """Tokens that may still be reserved; never negative."""
        with self._engine.connect() as connection:
            spent = connection.execute(select(_TOKENS.c.spent).where(_TOKENS.c.day == day)).scalar()
        return max(self.per_day - (spent or 0), 0)

    def reserve(self, tokens: int, day: date) -> Reservation | None:
        """Take tokens before they are spent; None = there are not so many left, and nothing is taken."""
        return Reservation(day, tokens) if self._add(tokens, day, most=self.per_day) else None

    def settle(self, reservation: Reservation, used: int) -> None:
        """Say what was taken in the end: more or less than reserved, on the day that it was reserved for."""
        self._add(used - reservation.tokens, reservation.day)

    def spend(self, tokens: int, day: date) -> None:
        """Count tokens that are spent already, whatever is left."""
        self._add(tokens, day)

    def _add(self, tokens: int, day: date, most: int | None = None) -> bool:
        """One statement decides and counts, so that two processes cannot both take the last tokens."""
        changed = update(_TOKENS).where(_TOKENS.c.day == day).values(spent=_TOKENS.c.spent + tokens)
        if most is not None:
            changed = changed.where(_TOKENS.c.spent + tokens <= most)
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        first = insert(_TOKENS).values(day=day, spent=0).on_conflict_do_nothing()
        with writing(self._engine) as connection:
            connection.execute(first)
            return connection.execute(changed).rowcount == 1
