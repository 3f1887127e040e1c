"""Generator: a typed query as SQL for the engine, over the coarsest table that the role may read and that answers exactly."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

from sqlglot.errors import UnsupportedError

from medflow.sql.compile import Dialect, compile_sql
from rag_backend.agents.turn import Notice, Refusal, Services, Turn
from rag_backend.cache.keys import result_key
from rag_backend.query.compile import compile_query, compile_unshaped
from rag_backend.query.problems import problems_of
from rag_backend.query.sources import admissible, tables_of
from rag_backend.query.typed_query import TypedQuery


def generator(turn: Turn, services: Services) -> Turn:
    """The turn with its SQL, or a refusal that names the finer detail that the role may not read."""
    query = turn.query
    if query is None or turn.kept is not None:
        return turn
    if problems := problems_of(query, services.model):
        return replace(turn, refusal=Refusal("not_understood", problems[0]))
    query = _open_at_the_end(query, services)
    bases = admissible(query, services.model, services.tables)
    if not bases:
        kept = ", ".join(services.model.dimensions[dim].label for dim in query.dimensions if services.model.dimensions[dim].overlapping)
        return replace(turn, refusal=Refusal("not_in_data", f"{kept} is kept only in totals, and not with all that is asked for beside it"))
    readable = set(services.policy.tables)
    open_to_role = [base for base in bases if tables_of(query, base) <= readable]
    if not open_to_role:
        closed = ", ".join(sorted(tables_of(query, bases[-1]) - readable))
        told = f"this needs {closed}, which the role {services.policy.role} may not read; coarser totals are open to it"
        return replace(turn, refusal=Refusal("not_permitted", told))
    masked = services.policy.suppress_below is not None and bool(query.metrics or query.having)
    apart = query.unit.entity or any(services.model.dimensions[dim].overlapping for dim in query.dimensions)
    if masked and (query.form == "list" or apart):
        told = f"the role {services.policy.role} sees no small counts, and what stands behind these numbers cannot be counted; ask by group"
        return replace(turn, refusal=Refusal("not_permitted", told))
    # Where small cells are masked, that comes first: order and thresholds would tell what is behind them.
    compiled = (compile_unshaped if masked else compile_query)(query, open_to_role[0], services.tables)
    return written(replace(turn, compiled=compiled), services)


def written(turn: Turn, services: Services) -> Turn:
    """The turn with the SQL of its compiled query for the engine that it is asked of; the spare one, where the first has no such SQL."""
    assert turn.compiled is not None
    try:
        return replace(turn, sql=compile_sql(turn.compiled.sql, cast("Dialect", services.chosen(turn).engine.dialect)))
    except UnsupportedError:
        if services.spare is None or turn.on_spare:
            raise
        return written(turned_to_spare(turn, services, "has no exact form of this question"), services)


def turned_to_spare(turn: Turn, services: Services, why: str) -> Turn:
    """The turn as it is asked of the spare engine, which is said; its table is kept under that engine's name."""
    spare = services.on_spare
    told = Notice("engine_fallback", f"the query engine {services.engine.name} {why}: {spare.engine.name} has answered instead")
    key = turn.key
    if key and turn.query is not None:
        key = result_key(turn.query, services.view, engine=spare.engine_key, rows=services.limits.rows)
    return replace(turn, on_spare=True, key=key, approved=None, notices=(*turn.notices, told))


def _open_at_the_end(query: TypedQuery, services: Services) -> TypedQuery:
    """The query without the end of a window that reaches beyond the last day there is: coarser tables can answer it, and equally."""
    last = services.spans.get(query.time.date)
    until = query.time.until
    if last is None or until is None or until <= last[1] + timedelta(days=1):
        return query
    return query.model_copy(update={"time": query.time.model_copy(update={"until": None})})
