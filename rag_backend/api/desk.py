"""What the handlers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.requests import HTTPConnection

from rag_backend.api.asking import Asking
from rag_backend.api.bodies import Problem
from rag_backend.api.problems import ProblemError
from rag_backend.api.under_way import UnderWay
from rag_backend.assistant import Assistants
from rag_backend.graph import Graph
from rag_backend.pipeline_reads import ReleaseRows
from rag_backend.ready import Ahead
from rag_backend.records import Records


@dataclass(frozen=True)
class Desk:
    """One lake and role, the clock, the graph with its conversations, what is written down, and the questions under way."""

    assistants: Assistants
    now: Callable[[], datetime]
    graph: Graph
    records: Records
    asking: Asking = field(default_factory=Asking)
    under_way: UnderWay = field(default_factory=UnderWay)
    ahead: Ahead = field(default_factory=Ahead)
    release_rows: ReleaseRows = field(default_factory=ReleaseRows)

    def today(self) -> date:
        """The day in UTC."""
        return self.now().date()


def _desk(connection: HTTPConnection) -> Desk:
    desk: Desk = connection.app.state.desk
    return desk


def no_parameters(request: Request) -> None:
    """Refuses what is asked by the address: a role there is refused, not passed over."""
    if request.url.query:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "no-parameters", "nothing is asked by the address: give all in the body")


def json_only(request: Request) -> None:
    """Refuses what a page of another site can send without asking first."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-json", "send the body as application/json")


TheDesk = Annotated[Desk, Depends(_desk)]
_PROBLEM: dict[str, Any] = {"model": Problem, "content": {"application/problem+json": {}}, "description": "a problem"}
PROBLEMS: dict[int | str, dict[str, Any]] = {"4XX": _PROBLEM, "5XX": _PROBLEM}
