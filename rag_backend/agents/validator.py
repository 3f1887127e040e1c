"""Validator: whether the SQL may run. Every lane passes here, and only what comes out of here is executed."""

from __future__ import annotations

from dataclasses import replace

from rag_backend.agents.turn import Refusal, Services, Turn
from rag_backend.validator import Approved, Proof, validate


def validator(turn: Turn, services: Services) -> Turn:
    """The turn with SQL that is proved, or a refusal."""
    if turn.lane not in services.policy.lanes:
        return replace(
            turn, refusal=Refusal("not_permitted", f"the role {services.policy.role} may not send {turn.lane}; it may ask in words")
        )
    if services.policy.suppress_below is not None:
        # Small cells are not masked yet: a role that may not see them sees no numbers.
        told = f"the role {services.policy.role} sees no small counts, and masking them is not built yet; an analyst can ask this"
        return replace(turn, refusal=Refusal("not_permitted", told))
    tables = services.release.tables
    types = {name: {column.name: column.type for column in table.columns} for name, table in tables.items()}
    counts = {name: table.records for name, table in tables.items()}
    pins = {name: name for name in services.policy.tables}
    proof = Proof("duckdb", services.policy, turn.lane, types, pins, row_limit=services.limits.rows, rows=counts)
    outcome = validate(turn.sql, proof)
    if isinstance(outcome, Approved):
        return replace(turn, approved=outcome)
    return replace(turn, refusal=Refusal(outcome.reason_code, outcome.sentence))
