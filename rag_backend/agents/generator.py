"""Generator: a typed query as SQL for the engine, over the coarsest table that the role may read and that answers exactly."""

from __future__ import annotations

from dataclasses import replace

from medflow.sql.compile import compile_sql
from rag_backend.agents.turn import Refusal, Services, Turn
from rag_backend.query.compile import compile_query
from rag_backend.query.problems import problems_of
from rag_backend.query.sources import admissible, tables_of


def generator(turn: Turn, services: Services) -> Turn:
    """The turn with its SQL, or a refusal that names the finer detail that the role may not read."""
    query = turn.query
    if query is None:
        return turn
    if problems := problems_of(query, services.model):
        return replace(turn, refusal=Refusal("not_understood", problems[0]))
    bases = admissible(query, services.model, services.tables)
    readable = set(services.policy.tables)
    open_to_role = [base for base in bases if tables_of(query, base) <= readable]
    if not open_to_role:
        closed = ", ".join(sorted(tables_of(query, bases[-1]) - readable))
        told = f"this needs {closed}, which the role {services.policy.role} may not read; coarser totals are open to it"
        return replace(turn, refusal=Refusal("not_permitted", told))
    compiled = compile_query(query, open_to_role[0], services.tables)
    return replace(turn, compiled=compiled, sql=compile_sql(compiled.sql, "duckdb"))
