"""Router: what kind of question this is. The planner reads it once; what it found decides the route."""

from __future__ import annotations

from dataclasses import replace

from rag_backend.agents.turn import Refusal, Services, Turn
from rag_backend.planners.base import Clarify, Definition, Greeting, Refused


def router(turn: Turn, services: Services) -> Turn:
    """The turn with its route."""
    if turn.kind == "sql":
        return replace(turn, route="data", lane="sql")
    if "semantic" not in services.policy.lanes:
        told = f"the role {services.policy.role} asks no questions of the data"
        return replace(turn, route="unanswerable", refusal=Refusal("not_permitted", told))
    outcome = services.planner.plan(turn.question, turn.today)
    if isinstance(outcome, Refused):
        return replace(turn, route="unanswerable", outcome=outcome, refusal=Refusal(outcome.reason_code, outcome.message, outcome.nearest))
    if isinstance(outcome, Clarify):
        return replace(turn, route="unanswerable", outcome=outcome, clarification=outcome.question, options=outcome.options)
    if isinstance(outcome, Definition):
        return replace(turn, route="definition", kind="definition", outcome=outcome)
    if isinstance(outcome, Greeting):
        return replace(turn, route="greeting", kind="greeting", outcome=outcome)
    return replace(turn, route="data", outcome=outcome)
