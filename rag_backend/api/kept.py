"""Answers by their ids: looked at again, downloaded, rated."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from rag_backend.api.bodies import Answer, AnswerId, FeedbackBody, Rated
from rag_backend.api.desk import PROBLEMS, TheDesk, json_only, no_parameters
from rag_backend.api.downloads import csv_of, json_of, name_of
from rag_backend.api.problems import ProblemError
from rag_backend.api.viewing import recipe_of, viewed
from rag_backend.engines.base import Cancellation
from rag_backend.ratings import Rating

_FORMATS = {"csv": (csv_of, "text/csv; charset=utf-8"), "json": (json_of, "application/json")}
_FILE: dict[str, Any] = {"content": {"text/csv": {}, "application/json": {}}, "description": "the rows as a file"}

kept = APIRouter(responses=PROBLEMS)
TheId = Annotated[AnswerId, Path()]


class DownloadAsked(BaseModel):
    """The form of the file."""

    model_config = ConfigDict(extra="forbid")
    format: Literal["csv", "json"] = "csv"


@kept.get("/answers/{answer_id}", response_class=JSONResponse, response_model=Answer, dependencies=[Depends(no_parameters)])
async def answer(answer_id: TheId, request: Request, desk: TheDesk) -> JSONResponse:
    """The answer, computed anew on its release, as far as the role may read. No row of it was ever stored."""
    return await desk.asking.run(request, lambda cancel: JSONResponse(viewed(desk, answer_id, cancel)))


@kept.get("/answers/{answer_id}/download", response_class=Response, responses={200: _FILE})
async def download(answer_id: TheId, asked: Annotated[DownloadAsked, Query()], request: Request, desk: TheDesk) -> Response:
    """The rows of the answer, computed anew, as a file."""
    written, kind = _FORMATS[asked.format]

    def work(cancel: Cancellation) -> Response:
        found = viewed(desk, answer_id, cancel)
        if found["status"] != "answered" or not (found["columns"] or found["parts"]):
            told = "this answer has no rows that this role may download; GET /answers/{answer_id} says why"
            raise ProblemError(HTTPStatus.CONFLICT, "nothing-to-download", told)
        headers = {"Content-Disposition": f'attachment; filename="{name_of(found, asked.format)}"'}
        return Response(written(found), media_type=kind, headers=headers)

    return await desk.asking.run(request, work)


@kept.post("/feedback", dependencies=[Depends(no_parameters), Depends(json_only)])
async def feedback(body: FeedbackBody, request: Request, desk: TheDesk) -> Rated:
    """A rating from 1 to 5, with a reason; an answer's last one counts."""

    def work(_: Cancellation) -> Rated:
        recipe = recipe_of(desk, body.answer_id)
        desk.records.ratings.keep(Rating(recipe.answer_id, body.rating, body.reason, desk.now()))
        return Rated(answer_id=recipe.answer_id, rating=body.rating)

    return await desk.asking.run(request, work)
