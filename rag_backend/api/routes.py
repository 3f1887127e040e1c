"""What can be asked: each handler finds the release's assistant and lets it answer in a thread. An answer is of one release, whole."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse

from rag_backend.api.bodies import (
    Answer,
    AnswerId,
    AskBody,
    Cancelled,
    Health,
    ReadableColumn,
    ReadableTable,
    Readiness,
    SqlBody,
    Tables,
)
from rag_backend.api.desk import PROBLEMS, Desk, TheDesk, json_only, no_parameters
from rag_backend.api.problems import ProblemError
from rag_backend.api.questions import Work, asked, new_id, sent
from rag_backend.assistant import Assistant
from rag_backend.engines.base import Cancellation

_ASKED: dict[str, Any] = {"dependencies": [Depends(json_only)], "response_class": JSONResponse, "response_model": Answer}

routes = APIRouter(dependencies=[Depends(no_parameters)], responses=PROBLEMS)


@routes.post("/ask", **_ASKED)
async def ask(body: AskBody, request: Request, desk: TheDesk) -> JSONResponse:
    """A question in plain words, typed, or by an option of the clarification before; a refusal is an answer too."""
    answer_id = body.answer_id or new_id()
    return await _replied(request, desk, answer_id, asked(desk, body, answer_id))


@routes.post("/sql", **_ASKED)
async def sql(body: SqlBody, request: Request, desk: TheDesk) -> JSONResponse:
    """One SELECT, as far as the role may read."""
    answer_id = body.answer_id or new_id()
    return await _replied(request, desk, answer_id, sent(desk, body, answer_id))


@routes.post("/ask/{answer_id}/cancel")
async def cancel(answer_id: Annotated[AnswerId, Path()], desk: TheDesk) -> Cancelled:
    """Stop the question whose answer has this id; whoever asked it is told so."""
    if not desk.under_way.cancel(answer_id):
        told = "no question of this answer_id is under way: it has ended, or there was none"
        raise ProblemError(HTTPStatus.NOT_FOUND, "not-under-way", told)
    return Cancelled(answer_id=answer_id)


@routes.get("/tables")
async def tables(request: Request, desk: TheDesk) -> Tables:
    """The tables and columns of the current release that the role may read."""
    return _readable(await desk.asking.run(request, lambda _: desk.assistants.current()))


@routes.get("/health")
async def health() -> Health:
    """Whether the process is up."""
    return Health()


@routes.get("/ready")
async def ready(request: Request, desk: TheDesk) -> Readiness:
    """Whether questions can be answered: there is a release, its planner is loaded, and the role's file of it opens."""

    def checked(_: Cancellation) -> Readiness:
        assistant = desk.assistants.current()
        told, services = assistant.check(), assistant.services
        return Readiness(release=services.release.number, engine=services.engine.name, notice=told)

    return await desk.asking.run(request, checked)


async def _replied(request: Request, desk: Desk, answer_id: str, work: Work) -> JSONResponse:
    """The reply, written out in full in the thread: a long one would keep the server from listening."""
    switch = Cancellation()
    with desk.under_way.entered(answer_id, switch):
        return await desk.asking.run(request, lambda cancel: JSONResponse(work(cancel)), switch)


def _readable(assistant: Assistant) -> Tables:
    services, found = assistant.services, []
    for name, granted in services.policy.tables.items():
        spec, released = services.tables[name], services.release.tables.get(name)
        if released is None:
            continue
        about = {column.name: column.about for column in spec.columns}
        columns = [ReadableColumn(name=c.name, type=c.type, about=about[c.name]) for c in released.columns if c.name in granted]
        found.append(ReadableTable(name=name, about=spec.about, grain=[c for c in spec.grain if c in granted], columns=columns))
    return Tables(role=services.policy.role, release=services.release.number, tables=found)
