"""The planner of one release and role, with everything that it works with."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from medflow.settings import Settings
from rag_backend.agents.turn import Services
from rag_backend.agents.validator import proof_of
from rag_backend.cache.keys import as_kept, plan_key
from rag_backend.engines.base import Cancellation
from rag_backend.model.base import Model
from rag_backend.planners.base import Outcome
from rag_backend.planners.claude.literals import has_constant_column
from rag_backend.planners.claude.planner import ClaudePlanner
from rag_backend.planners.claude.prompt import Prompt
from rag_backend.planners.claude.tools import tools_of
from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.validator import Approved, validate


@dataclass(frozen=True)
class Asking:
    """The model, and what it is told besides the question: `context` gives what the knowledge base says near a text."""

    model: Model
    settings: Settings
    context: Callable[[str], str]


def claude_planner(services: Services, lexicon: Lexicon, asking: Asking) -> ClaudePlanner:
    """The planner that asks `asking.model`, as `settings.planner` wants it."""
    settings, policy = asking.settings, services.policy
    assert settings.planner != "grammar"

    def refused(sql: str) -> str:
        outcome = validate(sql, proof_of(services, policy, "ad_hoc"))
        if not isinstance(outcome, Approved):
            return outcome.sentence
        return "every column of the answer is read or counted; none is written into the SQL" if has_constant_column(outcome.tree) else ""

    def kept(question: str, today: datetime.date, compute: Callable[[], Outcome], cancel: Cancellation) -> Outcome:
        key = plan_key(as_kept(question), today, services.view, planner=f"{settings.planner} {settings.model}")
        return services.caches.plans.found_or_computed(key, compute, cancel)

    return ClaudePlanner(
        lexicon=lexicon,
        prompt=Prompt.of(services.model, policy, services.tables, services.engine.dialect),
        tools=tuple(tools_of(services.model, policy.lanes)),
        model=asking.model,
        model_name=settings.model,
        mode=settings.planner,
        lanes=policy.lanes,
        context=asking.context,
        check=refused,
        kept=kept,
        dialect=services.engine.dialect,
    )
