"""Executor: the rows. It runs proved SQL and nothing else; of a role that may not see small cells it masks them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from medflow.specs.policy import Policy
from medflow.sql.compile import Dialect, compile_sql
from rag_backend.agents.turn import Notice, Refusal, Services, Turn
from rag_backend.agents.validator import proof_of
from rag_backend.engines.base import Cell, EngineUnavailable, Query, QueryTimeout, QueryTooLarge, Table
from rag_backend.small_cells.suppressed import Measured, Suppressed, suppressed
from rag_backend.validator import Approved, validate


class _NotCounted(Exception):
    """What stands behind a number cannot be counted: it is not shown."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def executor(turn: Turn, services: Services) -> Turn:
    """The turn with its table, or a refusal that says which limit was reached.

    Raises:
        QueryCancelled: the asker gave up. QueryFailed: the engine refused proved SQL.
    """
    if turn.approved is None:
        return turn
    try:
        table = _rows(turn, services, services.policy, turn.approved)
        if services.policy.suppress_below is not None and turn.query is not None and (turn.query.metrics or turn.query.having):
            return _masked(turn, services, table)
    except _NotCounted as error:
        return replace(turn, refusal=error.refusal)
    except (QueryTimeout, QueryTooLarge) as error:
        return replace(turn, refusal=Refusal("over_limit", str(error)))
    except EngineUnavailable as error:
        return replace(turn, refusal=Refusal("engine_unavailable", str(error)))
    return replace(turn, table=table, notices=(*turn.notices, *_cut(table)))


def _rows(turn: Turn, services: Services, policy: Policy, approved: Approved) -> Table:
    query = Query(approved.sql, services.release.number, policy, approved.limit, services.limits.seconds)
    return services.engine.run(query, turn.cancel)


def _masked(turn: Turn, services: Services, table: Table) -> Turn:
    query, compiled, below = turn.query, turn.compiled, services.policy.suppress_below
    assert query is not None and compiled is not None and below is not None
    if table.truncated:
        told = f"this has more than {len(table.rows):,} groups, too many to mask small cells in; name fewer groups or a filter"
        return replace(turn, refusal=Refusal("over_limit", told))
    measured = Measured(query, services.model, compiled.columns, table, below)
    with services.shown.opened(turn.user, services.release.number) as log:
        shown = suppressed(measured, lambda sql: _counted(sql, turn, services), log, services.limits.rows)
    notices = (*turn.notices, *_told(shown, below, services), *_cut(shown.table))
    return replace(turn, table=shown.table, suppressed=shown.cells, notices=notices)


def _counted(sql: str, turn: Turn, services: Services) -> list[tuple[Cell, ...]]:
    """Rows of a count that no one is shown, under the service's own grant and the same proof.

    Raises:
        _NotCounted: the grant does not suffice, or there is too much to count.
    """
    policy = services.policy.counting
    if policy is None:
        raise _NotCounted(Refusal("not_permitted", f"nothing is granted to count what stands behind numbers of {services.policy.role}"))
    outcome = validate(compile_sql(sql, cast("Dialect", services.engine.dialect)), proof_of(services, policy, "semantic"))
    if not isinstance(outcome, Approved):
        raise _NotCounted(
            Refusal(outcome.reason_code, "what stands behind these numbers cannot be counted, so they are not shown; ask for less at once")
        )
    table = _rows(turn, services, policy, outcome)
    if table.truncated:
        raise _NotCounted(
            Refusal("over_limit", "these are too many groups to count what stands behind each; name fewer groups or a filter")
        )
    return table.rows


def _told(shown: Suppressed, below: int, services: Services) -> list[Notice]:
    """How many groups are masked and left out; never which are small of themselves."""
    labels = " or ".join(entity.label for entity in services.model.entities.values() if entity.protected)
    masked = len({row for row, _, _ in shown.cells})
    parts = [f"numbers of {masked:,} groups are masked"] if masked else []
    parts += [f"{shown.left_out:,} groups are left out of a comparison"] if shown.left_out else []
    why = f"a number with 1 to {below - 1} {labels} behind it, or one that would give it away, is not shown"
    return [Notice("suppressed", f"{' and '.join(parts)}: {why}")] if parts else []


def _cut(table: Table) -> list[Notice]:
    return [Notice("truncated", f"only the first {len(table.rows):,} rows are shown; there are more")] if table.truncated else []
