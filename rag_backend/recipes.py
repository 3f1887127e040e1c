"""How each answer came about, so that it can be computed again: the question, how it was read, and its release. Never a row of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Column, Date, Engine, Integer, MetaData, String, Table, Text, insert, select, update
from sqlalchemy.exc import IntegrityError

from medflow.lakehouse.database import writing
from medflow.lakehouse.ledger_tables import UtcTimestamp
from medflow.lakehouse.releases import Release
from rag_backend.agents.turn import Turn
from rag_backend.answer import lane_of, status_of
from rag_backend.app_database import reached, stored

INTERRUPTED = "interrupted"

RECIPES = Table(
    "medflow_answers",
    MetaData(),
    Column("answer_id", String(32), primary_key=True),
    Column("conversation", String(64), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("question", Text, nullable=False),
    Column("queries", JSON, nullable=False),
    Column("sql", Text, nullable=False),
    Column("today", Date, nullable=False),
    Column("release", Integer, nullable=False),
    Column("released_at", UtcTimestamp, nullable=False),
    Column("role", String(64), nullable=False),
    Column("lane", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason_code", String(64), nullable=False),
    Column("created_at", UtcTimestamp, nullable=False, index=True),
)


@dataclass(frozen=True)
class Recipe:
    """One answer's: `queries` are its typed queries as plain data, `sql` what somebody wrote, where no typed query is behind it."""

    answer_id: str
    conversation: str
    kind: str
    question: str
    today: date
    release: int
    released_at: datetime
    role: str
    created_at: datetime
    lane: str = ""
    queries: tuple[Mapping[str, Any], ...] = ()
    sql: str = ""
    status: str = "failed"
    reason_code: str = INTERRUPTED

    def is_of(self, release: Release) -> bool:
        """Whether that is its release, and not one of the same number in another lake."""
        return (self.release, self.released_at) == (release.number, release.created_at)

    def ended(self, turn: Turn) -> Recipe:
        """The recipe when the turn is over."""
        reason = turn.refusal.reason_code if turn.refusal else "ambiguous" if turn.clarification else ""
        queries = tuple(part.query.model_dump(mode="json") for part in (turn, *turn.others) if part.query is not None)
        return replace(
            self,
            kind=turn.kind,
            question=turn.question,
            today=turn.today,
            lane=lane_of(turn),
            queries=queries,
            sql="" if queries else turn.sql,
            status=status_of(turn),
            reason_code=reason,
        )


class Recipes:
    """The table of recipes. Safe for several threads; each method raises RecordsUnavailable where the database does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, recipe: Recipe) -> bool:
        """Write a recipe before its question is read, as interrupted: what a crash leaves. False: its id is taken."""
        with reached():
            try:
                with writing(self._engine) as connection:
                    connection.execute(insert(RECIPES).values(_row(recipe)))
            except IntegrityError:
                return False
        return True

    def end(self, recipe: Recipe) -> None:
        """Write how it went."""
        with reached(), writing(self._engine) as connection:
            connection.execute(update(RECIPES).where(RECIPES.c.answer_id == recipe.answer_id).values(_row(recipe)))

    def find(self, answer_id: str) -> Recipe | None:
        """The recipe of an answer, if there is one."""
        with reached(), self._engine.connect() as connection:
            row = connection.execute(select(RECIPES).where(RECIPES.c.answer_id == answer_id)).one_or_none()
        return Recipe(**{**row._asdict(), "queries": tuple(row.queries)}) if row else None


def _row(recipe: Recipe) -> dict[str, Any]:
    queries = json.loads(json.dumps(recipe.queries).replace("\\u0000", "\\ufffd"))
    return {**asdict(recipe), "queries": queries, "question": stored(recipe.question), "sql": stored(recipe.sql)}
