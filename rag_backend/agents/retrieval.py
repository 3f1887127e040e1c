"""Retrieval: what the knowledge base says of the terms that a question names, whether the query is an approved one, and its table if
that is kept.
"""

from __future__ import annotations

from dataclasses import replace

from rag_backend.agents.turn import Services, Turn
from rag_backend.cache.keys import result_key
from rag_backend.definitions.sentences import explained
from rag_backend.examples import pattern
from rag_backend.planners.base import Definition
from rag_backend.query.compile import Compiled
from rag_backend.query.expressions import Base
from rag_backend.query.problems import problems_of
from rag_backend.query.typed_query import TypedQuery


def retrieval(turn: Turn, services: Services) -> Turn:
    """The turn with the definitions of its terms: those that are asked about, or the metrics of its query, and the examples that it is."""
    if isinstance(turn.outcome, Definition):
        return replace(turn, definitions=explained(turn.outcome.terms, services.catalogue))
    metrics = sorted({f"metric:{use.id}" for query in turn.parts for use in query.metrics})
    turn = replace(turn, definitions=explained(tuple(metrics), services.catalogue), examples=certified(turn.parts, services))
    return recalled(turn, services)


def recalled(turn: Turn, services: Services) -> Turn:
    """The turn with the table of its query as it was measured before, and what its columns mean. Only of typed queries, and only where
    the role may ask them; masks, order and limit of a role that may not see small cells come after it, as after the engine.
    """
    if turn.query is None or turn.lane != "semantic" or turn.lane not in services.policy.lanes:
        return turn
    key = result_key(turn.query, services.view, engine=services.engine_key, rows=services.limits.rows)
    kept = services.caches.results.find(key)
    if kept is None:
        return replace(turn, key=key)
    return replace(turn, key=key, kept=kept, compiled=Compiled("", kept.columns, Base(services.model, kept.source)))


def certified(parts: tuple[TypedQuery, ...], services: Services) -> tuple[str, ...]:
    """The approved example of each part; none if a part is of none: the badge is the whole answer's."""
    found = tuple(services.examples.get(pattern(query, services.model), "") for query in parts if not problems_of(query, services.model))
    return found if len(found) == len(parts) and all(found) else ()
