"""Planner: the parts of a question. One typed query holds all metrics that share their groups; what does not is told apart before."""

from __future__ import annotations

from dataclasses import replace

from rag_backend.agents.turn import Notice, Services, Turn
from rag_backend.planners.base import Planned


def planner(turn: Turn, _: Services) -> Turn:
    """The turn with its typed queries, and what was read into the question."""
    if not isinstance(turn.outcome, Planned):
        return turn
    notices = tuple(Notice("read_as", note) for note in turn.outcome.notes)
    return replace(turn, parts=(turn.outcome.query,), notices=(*turn.notices, *notices))
