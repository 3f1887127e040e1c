"""Executor: the rows, kept ones or the engine's. Only proved SQL runs; of a role that may not see small cells these are masked, always."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from medflow.specs.policy import Policy
from medflow.sql.compile import Dialect, compile_sql
from rag_backend.agents.generator import turned_to_spare, written
from rag_backend.agents.turn import Notice, Refusal, Services, Turn
from rag_backend.agents.validator import proof_of, validator
from rag_backend.cache.keys import counts_key
from rag_backend.cache.results import Result
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
    if turn.approved is None and turn.kept is None:
        return turn
    if turn.on_spare and services.spare is not None:
        return executor(turn, services.on_spare)
    try:
        turn, table = _measured(turn, services)
        if services.policy.suppress_below is not None and turn.query is not None and (turn.query.metrics or turn.query.having):
            return _masked(turn, services, table)
    except _NotCounted as error:
        return replace(turn, refusal=error.refusal)
    except (QueryTimeout, QueryTooLarge) as error:
        return replace(turn, refusal=Refusal("over_limit", str(error)))
    except EngineUnavailable as error:
        if services.spare is not None and turn.compiled is not None and turn.lane == "semantic":
            return _asked_of_spare(turn, services)
        return replace(turn, refusal=Refusal("engine_unavailable", str(error)))
    return replace(turn, table=table, notices=(*turn.notices, *_cut(table)))


def _asked_of_spare(turn: Turn, services: Services) -> Turn:
    """The same typed query by the spare engine. SQL that somebody wrote is not asked again: its dialect would be another."""
    turn = turned_to_spare(turn, services, "could not be asked")
    if turn.kept is None:
        turn = validator(written(turn, services), services)
    return turn if turn.refusal else executor(turn, services)


def _measured(turn: Turn, services: Services) -> tuple[Turn, Table]:
    """The table of the turn: the kept one, or what the approved SQL gives, which from now on is kept. Typed SQL never is."""
    if turn.kept is not None:
        return turn, turn.kept.table
    approved, compiled = turn.approved, turn.compiled
    assert approved is not None
    if compiled is None or not turn.key:
        return turn, _rows(turn, services, services.policy, approved)

    def computed() -> Result:
        return Result(approved.sql, compiled.columns, compiled.base.name, _rows(turn, services, services.policy, approved))

    result, others = services.caches.results.once(turn.key, computed, turn.cancel)
    return replace(turn, kept=result if others else None), result.table


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
    """Rows of a count that no one is shown, under the service's own grant and the same proof; kept as tables are.

    Raises:
        _NotCounted: the grant does not suffice, or there is too much to count.
    """
    policy = services.policy.counting
    if policy is None:
        raise _NotCounted(Refusal("not_permitted", f"nothing is granted to count what stands behind numbers of {services.policy.role}"))
    key = counts_key(sql, services.counting_view, engine=services.engine_key, rows=services.limits.rows)
    table = services.caches.counts.found_or_computed(key, lambda: _count(sql, turn, services, policy), turn.cancel).table
    if table.truncated:
        raise _NotCounted(
            Refusal("over_limit", "these are too many groups to count what stands behind each; name fewer groups or a filter")
        )
    return table.rows


def _count(sql: str, turn: Turn, services: Services, policy: Policy) -> Result:
    outcome = validate(compile_sql(sql, cast("Dialect", services.engine.dialect)), proof_of(services, policy, "semantic"))
    if not isinstance(outcome, Approved):
        raise _NotCounted(
            Refusal(outcome.reason_code, "what stands behind these numbers cannot be counted, so they are not shown; ask for less at once")
        )
    return Result(outcome.sql, (), "", _rows(turn, services, policy, outcome))


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
