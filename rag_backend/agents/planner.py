"""Planner: the parts of a question. One typed query holds all metrics that share their groups; what does not is a part of its own."""

from __future__ import annotations

from dataclasses import replace

from rag_backend.agents.turn import Notice, Services, Turn
from rag_backend.planners.base import Compound, Planned


def planner(turn: Turn, _: Services) -> Turn:
    """The turn with its typed query, and what was read into the question; with a turn for each further part."""
    outcome = turn.outcome
    if isinstance(outcome, Planned):
        return _planned(turn, outcome)
    if isinstance(outcome, Compound):
        first, *others = (_planned(turn, part) for part in outcome.parts)
        return replace(first, others=tuple(others))
    return turn


def _planned(turn: Turn, outcome: Planned) -> Turn:
    notices = tuple(Notice("read_as", note) for note in outcome.notes)
    return replace(turn, parts=(outcome.query,), notices=(*turn.notices, *notices))
