"""Suggester: what could be asked next. Each follow-up is proved by planning it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rag_backend.agents.turn import Services, Turn
from rag_backend.planners.base import Planned

_AT_MOST = 3


def suggester(turn: Turn, services: Services) -> Turn:
    """The turn with follow-ups that the planner reads."""
    asked = (text for text in _candidates(turn, services) if isinstance(services.planner.plan(text, turn.today), Planned))
    return replace(turn, follow_ups=tuple(text for _, text in zip(range(_AT_MOST), asked, strict=False)))


def _candidates(turn: Turn, services: Services) -> Iterator[str]:
    query = turn.query
    if query is None or not query.metrics or query.form == "list":
        return
    label = services.model.metrics[query.metrics[0].id].label
    grouped = {one.dim for one in query.group_by}
    for name, dimension in services.model.dimensions.items():
        if name not in grouped and dimension.type == "string" and dimension.labels:
            yield f"{label} by {dimension.label}"
    if not grouped & {name for name, one in services.model.dimensions.items() if one.type == "date"}:
        yield f"{label} by month"
