"""Executor: the rows. It runs proved SQL and nothing else."""

from __future__ import annotations

from dataclasses import replace

from rag_backend.agents.turn import Notice, Refusal, Services, Turn
from rag_backend.engines.base import EngineUnavailable, Query, QueryTimeout, QueryTooLarge


def executor(turn: Turn, services: Services) -> Turn:
    """The turn with its table, or a refusal that says which limit was reached.

    Raises:
        QueryCancelled: the asker gave up. QueryFailed: the engine refused proved SQL.
    """
    if turn.approved is None:
        return turn
    limits = services.limits
    query = Query(turn.approved.sql, services.release.number, services.policy, turn.approved.limit, limits.seconds)
    try:
        table = services.engine.run(query, turn.cancel)
    except (QueryTimeout, QueryTooLarge) as error:
        return replace(turn, refusal=Refusal("over_limit", str(error)))
    except EngineUnavailable as error:
        return replace(turn, refusal=Refusal("engine_unavailable", str(error)))
    notices = turn.notices
    if table.truncated:
        notices = (*notices, Notice("truncated", f"only the first {len(table.rows):,} rows are shown; there are more"))
    return replace(turn, table=table, notices=notices)
