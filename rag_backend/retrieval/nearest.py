"""What could be asked instead of a question that has no answer: approved questions and declared terms near it, each proved first."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from rag_backend.agents.generator import generator
from rag_backend.agents.turn import Notice, Services, Turn
from rag_backend.agents.validator import validator
from rag_backend.definitions.reading import Unknown, definition_asked
from rag_backend.planners.base import Definition, Planned
from rag_backend.retrieval.retriever import Hits

_FOR = ("not_understood", "not_in_data", "unknown_value")
_MOST, _TRIED = 3, 8
_TERMS = ("term", "rule", "metric", "dimension")


def with_nearest(turn: Turn, services: Services) -> Turn:
    """The turn; where a question is refused, with up to three questions that the same role would be answered.

    Those that the planner thought of come first, as far as the role may ask them. A notice where vectors were set up and failed.
    """
    refusal = turn.refusal
    if refusal is None or turn.kind == "sql":
        return turn
    if refusal.reason_code in _FOR:
        own = tuple(text for text in refusal.nearest if _is_answered(text, turn, services))
        hits = _hits(turn.question, own, services)
        found = (one.document.title for one in hits.found)
        asked = (text for text in found if _is_answered(text, turn, services))
    elif refusal.reason_code == "needs_definition" and isinstance(unknown := definition_asked(turn.question, services.catalogue), Unknown):
        own = refusal.nearest
        hits = _hits(unknown.term, own, services, _TERMS)
        found = (f"What does {one.document.title} mean?" for one in hits.found)
        asked = (text for text in found if isinstance(definition_asked(text, services.catalogue), Definition))
    else:
        return turn
    known = {text.casefold() for text in own}
    more = islice((text for text in asked if text.casefold() not in known), _MOST - len(own))
    notices = (*turn.notices, Notice("vectors_unavailable", hits.notice)) if hits.notice else turn.notices
    return replace(turn, refusal=replace(refusal, nearest=(*own, *more)), notices=notices)


def _hits(text: str, own: tuple[str, ...], services: Services, kinds: tuple[str, ...] = ("example",)) -> Hits:
    """What is near a text; nothing is looked for where three questions are known already."""
    if services.retriever is None or len(own) >= _MOST:
        return Hits()
    return services.retriever.search(text, services.policy, kinds=kinds, n=_TRIED)


def _is_answered(question: str, turn: Turn, services: Services) -> bool:
    """Whether the planner reads it, and the role may have what it reads."""
    turn.cancel.raise_if_cancelled()
    outcome = services.planner.plan(question, turn.today)
    if not isinstance(outcome, Planned):
        return False
    written = generator(Turn(question, turn.today, turn.cancel, outcome=outcome, parts=(outcome.query,)), services)
    return written.refusal is None and validator(written, services).refusal is None
