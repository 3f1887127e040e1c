"""From a request to an answer, in a thread: one way for a reply and for a socket. The recipe is written before the question is read."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from rag_backend.agents.flow import walk
from rag_backend.agents.turn import Services, Turn
from rag_backend.answer import answer_of
from rag_backend.api.bodies import AskBody, SqlBody
from rag_backend.api.desk import Desk
from rag_backend.api.problems import ProblemError
from rag_backend.api.under_way import taken
from rag_backend.engines.base import Cancellation, QueryCancelled, QueryFailed
from rag_backend.graph import Work as Run
from rag_backend.recipes import Recipe
from rag_backend.steps import Tell, untold

Work = Callable[[Cancellation], dict[str, Any]]


def new_id() -> str:
    """An id that nobody has."""
    return uuid.uuid4().hex


def asked(desk: Desk, body: AskBody, answer_id: str, tell: Tell = untold) -> Work:
    """The work of a question in plain words, typed, or by an option.

    Raises (the work):
        ProblemError: no such option, or the answer's id is taken. MedflowError: there is no answer.
    """

    def work(cancel: Cancellation) -> dict[str, Any]:
        services = desk.assistants.current().services
        recipe = _begun(desk, body, answer_id, services)
        recipe = replace(recipe, question=body.question or "", today=body.today or recipe.today)
        return _recorded(desk, recipe, services, lambda: _turn(desk, body, recipe, Run(services, cancel, tell=tell)))

    return work


def sent(desk: Desk, body: SqlBody, answer_id: str) -> Work:
    """The work of SQL that the user typed.

    Raises (the work):
        as `asked`.
    """

    def work(cancel: Cancellation) -> dict[str, Any]:
        services = desk.assistants.current().services
        recipe = replace(_begun(desk, body, answer_id, services), kind="sql", question=body.sql, sql=body.sql, lane="sql")
        turn = Turn(body.sql, recipe.today, cancel, kind="sql", sql=body.sql, lane="sql")
        return _recorded(desk, recipe, services, lambda: walk(turn, services))

    return work


def _begun(desk: Desk, body: AskBody | SqlBody, answer_id: str, services: Services) -> Recipe:
    now, release = desk.now(), services.release
    return Recipe(
        answer_id=answer_id,
        conversation=body.conversation_id or new_id(),
        kind="data",
        question="",
        today=now.date(),
        release=release.number,
        released_at=release.created_at,
        role=services.policy.role,
        created_at=now,
    )


def _turn(desk: Desk, body: AskBody, recipe: Recipe, run: Run) -> Turn:
    if body.option_id is None:
        parts = () if body.typed_query is None else (body.typed_query,)
        return desk.graph.ask(Turn(recipe.question, recipe.today, run.cancel, parts=parts), run, recipe.conversation)
    turn = desk.graph.choose(body.option_id, run, recipe.conversation)
    if turn is None:
        told = "no such option is open in this conversation: options are kept until another question is asked in it"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "no-such-option", told)
    return turn


def _recorded(desk: Desk, recipe: Recipe, services: Services, run: Callable[[], Turn]) -> dict[str, Any]:
    """The answer; how it came about is written down, also where there is none."""
    recipes = desk.records.recipes
    if not recipes.begin(recipe):
        raise taken()
    try:
        turn = run()
        answer = answer_of(turn, services)
    except Exception as error:
        recipes.end(replace(recipe, reason_code=_reason(error)))
        raise
    recipes.end(recipe.ended(turn))
    return {"answer_id": recipe.answer_id, "conversation_id": recipe.conversation, **answer}


def _reason(error: Exception) -> str:
    """The kind of problem that an error is."""
    if isinstance(error, ProblemError):
        return error.slug
    return {QueryCancelled: "cancelled", QueryFailed: "query-failed"}.get(type(error), "no-answer")
