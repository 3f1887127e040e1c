"""Router: what kind of question this is. A question of meaning is told by its wording; any other the planner reads once."""

from __future__ import annotations

from dataclasses import replace

from rag_backend.agents.turn import Notice, Refusal, Services, Turn
from rag_backend.definitions.reading import Unknown, definition_asked
from rag_backend.planners.base import AdHoc, Clarify, Definition, Greeting, Refused
from rag_backend.query.problems import problems_of

# What the planner says of a question goes before "no such term" for these reasons.
_SAID_FIRST = ("unsafe", "over_limit", "off_topic", "prediction_or_advice", "not_permitted", "not_in_data")


def router(turn: Turn, services: Services) -> Turn:
    """The turn with its route."""
    if turn.kind == "sql":
        return replace(turn, route="data", lane="sql")
    if "semantic" not in services.policy.lanes:
        told = f"the role {services.policy.role} asks no questions of the data"
        return replace(turn, route="unanswerable", refusal=Refusal("not_permitted", told))
    if turn.parts:  # typed by the asker: it may name what there is not
        problems = problems_of(turn.parts[0], services.model)
        refusal = Refusal("not_understood", problems[0]) if problems else None
        return replace(turn, route="unanswerable" if problems else "data", refusal=refusal)
    asked = definition_asked(turn.question, services.catalogue)
    if isinstance(asked, Definition):
        return replace(turn, route="definition", kind="definition", outcome=asked)
    planning = services.reader.read(turn.question, turn.today, turn.cancel)
    turn = replace(turn, planning=planning, notices=(*turn.notices, *(Notice(code, text) for code, text in planning.notices)))
    outcome = planning.outcome
    if asked is not None and not (isinstance(outcome, Refused) and outcome.reason_code in _SAID_FIRST):
        outcome = _undefined(asked)
    if isinstance(outcome, Refused):
        return replace(turn, route="unanswerable", outcome=outcome, refusal=Refusal(outcome.reason_code, outcome.message, outcome.nearest))
    if isinstance(outcome, Clarify):
        return replace(turn, route="unanswerable", outcome=outcome, clarification=outcome.question, options=outcome.options)
    if isinstance(outcome, Definition):
        return replace(turn, route="definition", kind="definition", outcome=outcome)
    if isinstance(outcome, Greeting):
        return replace(turn, route="greeting", kind="greeting", outcome=outcome)
    if isinstance(outcome, AdHoc):
        return replace(turn, route="data", lane="ad_hoc", outcome=outcome, sql=outcome.sql, notices=(*turn.notices, UNVERIFIED))
    return replace(turn, route="data", outcome=outcome)


UNVERIFIED = Notice(
    "unverified", "a model wrote this query by itself: it may read what the role may, but nobody has checked what it counts"
)


def _undefined(asked: Unknown) -> Refused:
    """A question of meaning is never answered with numbers: the term is named, and the nearest ones that are declared."""
    near = f"; near it are {', '.join(asked.nearest)}" if asked.nearest else ""
    nearest = tuple(f"What does {term} mean?" for term in asked.nearest)
    return Refused("needs_definition", f"nothing declared here is called {asked.term!r}{near}", asked.term, nearest)
