"""An answer again: its recipe run on its own release, under the policy of who looks at it now, and without a model."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from medflow.errors import UsageError
from rag_backend.agents.flow import walk
from rag_backend.agents.router import UNVERIFIED
from rag_backend.agents.turn import Services, Turn
from rag_backend.answer import answer_of
from rag_backend.api.desk import Desk
from rag_backend.api.problems import ProblemError
from rag_backend.assistant import Assistant
from rag_backend.engines.base import Cancellation
from rag_backend.query.typed_query import TypedQuery
from rag_backend.recipes import INTERRUPTED, Recipe


def viewed(desk: Desk, answer_id: str, cancel: Cancellation) -> dict[str, Any]:
    """The answer of an id, computed anew.

    Raises:
        ProblemError: there is no such answer, or its release is no longer kept. MedflowError: it cannot be computed.
    """
    recipe = recipe_of(desk, answer_id)
    services = _assistant_of(desk, recipe).without_model().services
    return {"answer_id": recipe.answer_id, "conversation_id": recipe.conversation, **_answer(recipe, services, cancel)}


def recipe_of(desk: Desk, answer_id: str) -> Recipe:
    """How an answer came about.

    Raises:
        ProblemError: there is no such answer. RecordsUnavailable: the database does not answer.
    """
    recipe = desk.records.recipes.find(answer_id)
    if recipe is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no-such-answer", "there is no answer of this answer_id")
    return recipe


def _assistant_of(desk: Desk, recipe: Recipe) -> Assistant:
    newest = desk.assistants.current()
    if recipe.is_of(newest.services.release):
        return newest
    try:
        found = desk.assistants.of(recipe.release)
    except UsageError:
        raise _expired(recipe) from None
    if not recipe.is_of(found.services.release):
        raise _expired(recipe)
    return found


def _expired(recipe: Recipe) -> ProblemError:
    told = f"release {recipe.release}, which this answer is of, is no longer kept; ask the question again for the current one"
    return ProblemError(HTTPStatus.GONE, "release-expired", told)


def _answer(recipe: Recipe, services: Services, cancel: Cancellation) -> dict[str, Any]:
    if recipe.status == "failed":
        why = "the server ended before there was an answer" if recipe.reason_code == INTERRUPTED else "this question has no answer"
        failed = {"status": "failed", "reason_code": recipe.reason_code, "explanation": f"{why}; ask it again"}
        return {**answer_of(_begun(recipe, cancel), services), **failed}
    return answer_of(_run(recipe, services, cancel), services)


def _run(recipe: Recipe, services: Services, cancel: Cancellation) -> Turn:
    turn = _begun(recipe, cancel)
    if recipe.lane == "ad_hoc":  # what the model wrote then is run, and no model is asked
        return walk(turn, services, begin="validator")
    return walk(turn, services)


def _begun(recipe: Recipe, cancel: Cancellation) -> Turn:
    """The turn as it was when its question had been read; a question that became no query is read again."""
    if recipe.kind == "sql":
        return Turn(recipe.question, recipe.today, cancel, kind="sql", sql=recipe.sql, lane="sql")
    if recipe.lane == "ad_hoc":
        return Turn(recipe.question, recipe.today, cancel, sql=recipe.sql, lane="ad_hoc", notices=(UNVERIFIED,))
    turns = [Turn(recipe.question, recipe.today, cancel, parts=(TypedQuery.model_validate(query),)) for query in recipe.queries]
    if not turns:
        return Turn(recipe.question, recipe.today, cancel)
    return replace(turns[0], others=tuple(turns[1:]))
