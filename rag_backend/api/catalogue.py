"""What can be asked: questions that work, metrics and dimensions, and values that anybody may know."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from rag_backend.api.catalogue_bodies import Example, Examples, KnownDimension, KnownMetric, MetricsCatalog, Span, Values, ValuesAsked
from rag_backend.api.desk import PROBLEMS, Desk, TheDesk, no_parameters
from rag_backend.api.problems import ProblemError
from rag_backend.assistant import Assistant
from rag_backend.definitions.sentences import explained
from rag_backend.labels import label_of

_VALUES = 50

catalogue = APIRouter(responses=PROBLEMS)


@catalogue.get("/examples", dependencies=[Depends(no_parameters)])
async def examples(request: Request, desk: TheDesk) -> Examples:
    """Questions that were answered with rows on the current release, and what time it spans."""
    return await desk.asking.run(request, lambda _: _examples(desk, desk.assistants.current()))


@catalogue.get("/metrics-catalog", dependencies=[Depends(no_parameters)])
async def metrics_catalog(request: Request, desk: TheDesk) -> MetricsCatalog:
    """Metrics and dimensions by which questions are asked, as they are declared."""
    return await desk.asking.run(request, lambda _: _declared(desk.assistants.current()))


@catalogue.get("/values")
async def values(asked: Annotated[ValuesAsked, Query()], request: Request, desk: TheDesk) -> Values:
    """Values of a public dimension that begin so, at most 50."""
    return await desk.asking.run(request, lambda _: _values(desk.assistants.current(), asked))


def _examples(desk: Desk, assistant: Assistant) -> Examples:
    services = assistant.services
    answered, whole = desk.ahead.answered(assistant)
    spans = [
        Span.model_validate({"date": name, "label": services.model.dimensions[name].label, "from": first, "to": last})
        for name, (first, last) in services.spans.items()
    ]
    return Examples(
        release=services.release.number,
        created_at=services.release.created_at,
        run_date=services.release.run_date,
        role=services.policy.role,
        complete=whole,
        title=f"{spans[0].label.capitalize()} from {spans[0].first:%d %B %Y} to {spans[0].last:%d %B %Y}" if spans else "",
        spans=spans,
        examples=[Example(question=one, topic=desk.assistants.topics[one]) for one in answered],
    )


def _declared(assistant: Assistant) -> MetricsCatalog:
    services = assistant.services
    model = services.model
    said = {name: explained((f"metric:{name}",), services.catalogue) for name in model.metrics}
    metrics = [
        KnownMetric(id=name, label=one.label, unit=one.unit, about=one.about, definition=" ".join(line.text for line in said[name]))
        for name, one in model.metrics.items()
    ]
    dimensions = [
        KnownDimension(id=name, label=one.label, about=one.about, type=one.type, public=one.privacy == "public")
        for name, one in model.dimensions.items()
    ]
    return MetricsCatalog(release=services.release.number, metrics=metrics, dimensions=dimensions)


def _values(assistant: Assistant, asked: ValuesAsked) -> Values:
    declared = assistant.services.model.dimensions.get(asked.dim)
    if declared is None or declared.privacy != "public":
        told = "there is no public dimension of this name; /metrics-catalog shows those that there are"
        raise ProblemError(HTTPStatus.NOT_FOUND, "no-such-dimension", told)
    known = _known(assistant, asked.dim)
    return Values(dim=asked.dim, values=sorted({one for one in known if one.casefold().startswith(asked.prefix.casefold())})[:_VALUES])


def _known(assistant: Assistant, dim: str) -> Iterator[str]:
    """Values as people read them: those of the data, or those that are declared."""
    model, declared = assistant.services.model, assistant.services.model.dimensions[dim]
    yield from (entry.label or label_of(model, dim, entry.value) for entry in assistant.values.of.get(dim, ()))
    if dim not in assistant.values.of:
        yield from (one.label for one in declared.labels.values())
        named = declared.ranges or declared.codes
        yield from (row[named.label] for row in (model.codes[named.list].rows if named else ()) if named)
