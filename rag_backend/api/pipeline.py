"""What the pipeline has done: releases, batches, files, quality and what was set aside. Reads, a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from medflow.lakehouse import activity
from medflow.lakehouse.quality_reads import QUALITY, QUARANTINE, FixedRead
from rag_backend.api.desk import PROBLEMS, Desk, TheDesk, no_parameters
from rag_backend.api.pipeline_bodies import (
    Batches,
    BatchesAsked,
    Files,
    FilesAsked,
    Quality,
    QualityAsked,
    Quarantine,
    Releases,
    ReleasesAsked,
)
from rag_backend.api.problems import ProblemError
from rag_backend.engines.base import Cancellation
from rag_backend.pipeline_reads import NotReadable, rows_of

_COUNTS = 1_000

pipeline = APIRouter(prefix="/pipeline", responses=PROBLEMS)


@pipeline.get("/releases")
async def releases(asked: Annotated[ReleasesAsked, Query()], request: Request, desk: TheDesk) -> Releases:
    """Releases, the newest first, each with the rows of its tables."""

    def read(_: Cancellation) -> Releases:
        total, found = activity.releases(desk.assistants.catalog(), activity.Page(asked.limit, asked.offset))
        told = [{**asdict(one), "tables": desk.release_rows.of(one, desk.assistants)} for one in found]
        return Releases.model_validate({"total": total, "releases": told})

    return await desk.asking.run(request, read)


@pipeline.get("/batches")
async def batches(asked: Annotated[BatchesAsked, Query()], request: Request, desk: TheDesk) -> Batches:
    """Batches, the newest first: what they did and how they went."""

    def read(_: Cancellation) -> Batches:
        total, found = activity.batches(desk.assistants.catalog(), activity.Page(asked.limit, asked.offset))
        return Batches.model_validate({"total": total, "batches": [asdict(one) for one in found]})

    return await desk.asking.run(request, read)


@pipeline.get("/files")
async def files(asked: Annotated[FilesAsked, Query()], request: Request, desk: TheDesk) -> Files:
    """Files and what became of them; nothing of their content."""

    def read(_: Cancellation) -> Files:
        found = activity.files(desk.assistants.catalog(), activity.Page(asked.limit, asked.offset), asked.state)
        return Files.model_validate(asdict(found))

    return await desk.asking.run(request, read)


@pipeline.get("/quality")
async def quality(asked: Annotated[QualityAsked, Query()], request: Request, desk: TheDesk) -> Quality:
    """What rules, checks and gates found, the newest first, as far as the role may read it."""
    return await desk.asking.run(request, _reading(desk, QUALITY, asked.limit, lambda n, rows: Quality(release=n, checks=rows)))


@pipeline.get("/quarantine", dependencies=[Depends(no_parameters)])
async def quarantine(request: Request, desk: TheDesk) -> Quarantine:
    """How many lines were set aside, by source, rule and status; never their text."""
    return await desk.asking.run(request, _reading(desk, QUARANTINE, _COUNTS, lambda n, rows: Quarantine(release=n, counts=rows)))


def _reading(desk: Desk, read: FixedRead, limit: int, told: Callable[[int, Any], Any]) -> Callable[[Cancellation], Any]:
    def work(cancel: Cancellation) -> Any:
        services = desk.assistants.current().services
        try:
            return told(services.release.number, rows_of(read, services, limit, cancel))
        except NotReadable as error:
            raise ProblemError(HTTPStatus.FORBIDDEN, "not-permitted", str(error)) from None

    return work
