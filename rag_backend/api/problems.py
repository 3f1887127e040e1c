"""Everything that is no answer, as problem details (RFC 9457). What is told is ours: no cell's value, no path, no stack."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from medflow.errors import CatalogError, MedflowError, UsageError
from rag_backend.app_database import RecordsUnavailable
from rag_backend.engines.base import EngineUnavailable, QueryCancelled, QueryError, QueryFailed

_LOG = logging.getLogger("rag_backend.api")
_ERRORS_SHOWN, _POINTER_SHOWN = 10, 120
_UNREADABLE = "no release can be read now; `medflow status` and the server's log say why. Once there is one, ask again"


_SAID = {
    HTTPStatus.NOT_FOUND: "there is nothing at this address; /api-docs shows what there is",
    HTTPStatus.METHOD_NOT_ALLOWED: "this address does not take this method; /api-docs shows which it takes",
    HTTPStatus.BAD_REQUEST: "the body is not JSON",
}


class ProblemError(HTTPException):
    """A request that ends without an answer; `slug` names the kind of problem, `errors` say what is wrong in a body."""

    def __init__(self, status: HTTPStatus, slug: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)
        self.slug = slug
        self.errors: list[dict[str, str]] = []


class ProblemResponse(JSONResponse):
    """A reply in the problem media type."""

    media_type = "application/problem+json"


def told_of(error: MedflowError) -> ProblemError:
    """An error of the house as its asker may hear it; its own text goes to the log, where it can help."""
    if isinstance(error, QueryFailed):
        return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "query-failed", str(error))  # of a closed list of sentences
    if isinstance(error, QueryCancelled):
        return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "cancelled", "the question was cancelled")
    _LOG.error("%s: %s", type(error).__name__, error)
    if isinstance(error, RecordsUnavailable):
        told = "the application's database does not answer, so nothing can be asked now; the server's log says more"
        return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "storage-unavailable", told)
    if isinstance(error, (CatalogError, UsageError)):
        return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "no-release", _UNREADABLE)
    if isinstance(error, (EngineUnavailable, QueryError)):
        told = "the query engine cannot be asked now; ask again, the server's log says more"
        return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "engine-unavailable", told)
    return unexpected(error)


def unexpected(error: BaseException) -> ProblemError:
    """An error that no one foresaw. Its text may hold data: only its kind and place are logged."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _LOG.error("unexpected %s in %s:%s", type(error).__name__, Path(frame.filename).name, frame.lineno)
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected", "the server has made a mistake; its log says where")


def problem_of(error: BaseException) -> HTTPException:
    """Any error as its asker may hear it."""
    if isinstance(error, HTTPException):
        return error
    return told_of(error) if isinstance(error, MedflowError) else unexpected(error)


def content_of(problem: HTTPException) -> dict[str, Any]:
    """A problem's fields."""
    title = HTTPStatus(problem.status_code).phrase
    ours = problem if isinstance(problem, ProblemError) else None
    detail = ours.detail if ours else _SAID.get(HTTPStatus(problem.status_code), "")
    slug = ours.slug if ours else title.lower().replace(" ", "-")
    content: dict[str, Any] = {"type": f"urn:medflow:problem:{slug}", "title": title, "status": problem.status_code}
    content |= {"detail": detail} if detail else {}
    return content | ({"errors": ours.errors} if ours and ours.errors else {})


def rendered(problem: HTTPException) -> ProblemResponse:
    """A problem as a reply."""
    return ProblemResponse(content_of(problem), problem.status_code, headers=problem.headers)


def invalid(found: Sequence[Any]) -> ProblemError:
    """What pydantic finds wrong in a request, each with a pointer."""
    if any(one["type"] == "json_invalid" for one in found):
        return ProblemError(HTTPStatus.BAD_REQUEST, "not-json", "the body is not JSON")
    named = any(one["loc"][-1:] == ("role",) for one in found)
    detail = "no request names a role: it is the one that the server was started with" if named else "the request is not as declared"
    problem = ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail)
    told = [{"pointer": _pointer(one["loc"]), "detail": one["msg"].removeprefix("Value error, ")} for one in found]
    problem.errors = told[:_ERRORS_SHOWN]
    return problem


def install(app: FastAPI) -> None:
    """Have every error rendered as a problem."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(MedflowError, _of_the_house)


def _http(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    return rendered(error)


def _of_the_house(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, MedflowError)
    return rendered(told_of(error))


def _invalid(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)
    return rendered(invalid(error.errors()))


def _pointer(place: tuple[str | int, ...]) -> str:
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in place if step != "body"]
    return f"#/{'/'.join(steps)}"[:_POINTER_SHOWN] if steps else "#"
