"""What can be asked: each handler finds the release's assistant and lets it answer in a thread. An answer is of one release, whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from rag_backend.agents.flow import walk
from rag_backend.agents.turn import Services, Turn
from rag_backend.answer import answer_of
from rag_backend.api.asking import Asking
from rag_backend.api.bodies import Answer, AskBody, Health, Problem, ReadableColumn, ReadableTable, Readiness, SqlBody, Tables
from rag_backend.api.problems import ProblemError
from rag_backend.assistant import Assistant, Assistants
from rag_backend.engines.base import Cancellation
from rag_backend.graph import Graph, Work


@dataclass(frozen=True)
class Desk:
    """What the handlers share: one lake and role, the clock, the graph with its conversations, the questions under way."""

    assistants: Assistants
    today: Callable[[], date]
    graph: Graph
    asking: Asking = field(default_factory=Asking)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _no_parameters(request: Request) -> None:
    if request.url.query:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "no-parameters", "nothing is asked by the address: give all in the body")


def _json_only(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-json", "send the body as application/json")


TheDesk = Annotated[Desk, Depends(_desk)]
_PROBLEM: dict[str, Any] = {"model": Problem, "content": {"application/problem+json": {}}, "description": "a problem"}
_ASKED: dict[str, Any] = {"dependencies": [Depends(_json_only)], "response_class": JSONResponse, "response_model": Answer}

routes = APIRouter(dependencies=[Depends(_no_parameters)], responses={"4XX": _PROBLEM, "5XX": _PROBLEM})


@routes.post("/ask", **_ASKED)
async def ask(body: AskBody, request: Request, desk: TheDesk) -> JSONResponse:
    """A question in plain words, typed, or by an option of the clarification before; a refusal is an answer too."""
    today, conversation = body.today or desk.today(), body.conversation_id or uuid.uuid4().hex

    def answered(cancel: Cancellation) -> JSONResponse:
        services = desk.assistants.current().services
        work = Work(services, cancel)
        if body.option_id is not None:
            return _sent(_chosen(desk, body.option_id, work, conversation), services, conversation)
        parts = () if body.typed_query is None else (body.typed_query,)
        return _sent(desk.graph.ask(Turn(body.question or "", today, cancel, parts=parts), work, conversation), services, conversation)

    return await desk.asking.run(request, answered)


@routes.post("/sql", **_ASKED)
async def sql(body: SqlBody, request: Request, desk: TheDesk) -> JSONResponse:
    """One SELECT, as far as the role may read."""

    def answered(cancel: Cancellation) -> JSONResponse:
        services = desk.assistants.current().services
        turn = walk(Turn(body.sql, desk.today(), cancel, kind="sql", sql=body.sql, lane="sql"), services)
        return _sent(turn, services, body.conversation_id or uuid.uuid4().hex)

    return await desk.asking.run(request, answered)


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

    def checked(_: Cancellation) -> Assistant:
        assistant = desk.assistants.current()
        assistant.check()
        return assistant

    return Readiness(release=(await desk.asking.run(request, checked)).services.release.number)


def _chosen(desk: Desk, option: str, work: Work, conversation: str) -> Turn:
    turn = desk.graph.choose(option, work, conversation)
    if turn is None:
        told = "no such option is open in this conversation: options are kept until another question is asked in it"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "no-such-option", told)
    return turn


def _sent(turn: Turn, services: Services, conversation: str) -> JSONResponse:
    """The reply, written out in full here: a long one would keep the server from listening."""
    return JSONResponse({"answer_id": uuid.uuid4().hex, "conversation_id": conversation, **answer_of(turn, services)})


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
