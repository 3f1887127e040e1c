"""Validator: whether the SQL may run. Every lane passes here, and only what comes out of here is executed."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from medflow.specs.policy import Policy
from rag_backend.agents.turn import Refusal, Services, Turn
from rag_backend.validator import Approved, Proof, validate
from rag_backend.validator.proof import Dialect

GROUPS = 50_000  # groups of a question before it is cut and put in order, where that is done after small cells are masked
_OWN_PARTS, _OWN_BYTES = 3_000, 30_000  # of SQL that the service writes for itself, which is longer than what a person may send


def validator(turn: Turn, services: Services) -> Turn:
    """The turn with SQL that is proved, or a refusal."""
    if turn.lane not in services.policy.lanes:
        return replace(
            turn, refusal=Refusal("not_permitted", f"the role {services.policy.role} may not send {turn.lane}; it may ask in words")
        )
    if turn.kept is not None:  # one part of several: it has its rows
        return turn
    outcome = validate(turn.sql, proof_of(services.chosen(turn), services.policy, turn.lane))
    if isinstance(outcome, Approved):
        return replace(turn, approved=outcome)
    return replace(turn, refusal=Refusal(outcome.reason_code, outcome.sentence))


def proof_of(services: Services, policy: Policy, lane: str) -> Proof:
    """What SQL under a policy is held against in this release; built once."""
    if (policy.role, lane) not in services.proofs:
        tables = services.release.tables
        types = {name: {column.name: column.type for column in table.columns} for name, table in tables.items()}
        counts = {name: table.records for name, table in tables.items()}
        pins = {name: services.engine.pin(name, tables[name].snapshot) for name in policy.tables if name in tables}
        ours = policy is not services.policy
        limit = max(services.limits.rows, GROUPS) if ours or policy.suppress_below is not None else services.limits.rows
        proof = Proof(cast("Dialect", services.engine.dialect), policy, lane, types, pins, row_limit=limit, rows=counts)
        wordier = lane == "semantic" and services.engine.dialect != "duckdb"  # the same typed query takes more parts there
        proof = replace(proof, parts=_OWN_PARTS, bytes=_OWN_BYTES) if ours or wordier else proof
        services.proofs[policy.role, lane] = proof
    return services.proofs[policy.role, lane]
