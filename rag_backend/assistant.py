"""The assistant of one lake and one role, put together: the only place that chooses adapters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from medflow.errors import UsageError
from medflow.lakehouse.database import connect
from medflow.lakehouse.releases import read_release
from medflow.settings import Settings
from medflow.specs.policy import load_policies
from medflow.specs.semantic import load_semantic_model
from medflow.specs.tables import load_tables
from rag_backend.agents.flow import walk
from rag_backend.agents.turn import Limits, Services, Turn
from rag_backend.answer import answer_of
from rag_backend.engines.base import Cancellation
from rag_backend.engines.duckdb import DuckDBEngine
from rag_backend.planners.base import Outcome, Refused
from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.plan import plan
from rag_backend.values import values_of


@dataclass(frozen=True)
class GrammarPlanner:
    """The built-in planner: no model, no network."""

    lexicon: Lexicon
    name: str = "grammar"

    def plan(self, question: str, today: date) -> Outcome:
        return plan(question, self.lexicon, today)


@dataclass(frozen=True)
class _NoPlanner:
    """Stands where a planner will, while the values that it needs are read."""

    name: str = "none"

    def plan(self, question: str, today: date) -> Outcome:
        return Refused("not_understood", "the assistant is not ready")


@dataclass(frozen=True)
class Assistant:
    """Answers questions on one release for one role."""

    services: Services

    def ask(self, question: str, today: date, cancel: Cancellation | None = None) -> dict[str, Any]:
        """A question in plain words; the answer as ASSISTANT 7 writes it."""
        return self._answered(Turn(question, today, cancel or Cancellation()))

    def sql(self, text: str, today: date, cancel: Cancellation | None = None) -> dict[str, Any]:
        """SQL that the user typed, through the same proof and the same walls."""
        return self._answered(Turn(text, today, cancel or Cancellation(), kind="sql", sql=text, lane="sql"))

    def _answered(self, turn: Turn) -> dict[str, Any]:
        return answer_of(walk(turn, self.services), self.services)


@contextmanager
def opened(settings: Settings, role: str, release: int | None = None) -> Iterator[Assistant]:
    """The assistant of a lake for a role, on the current release or the given one; its processes end with it.

    Raises:
        UsageError: no release, or no such role. DeclarationError: the knowledge base. EngineUnavailable: the engine.
    """
    tables = load_tables(settings.knowledge_base)
    policies = load_policies(settings.knowledge_base, tables)
    if role not in policies:
        raise UsageError(f"there is no role {role!r}; allowed: {', '.join(policies)}")
    engine = DuckDBEngine(settings, memory=settings.query_memory)
    try:
        services = Services(
            release=read_release(connect(settings.catalog), release),
            policy=policies[role],
            model=load_semantic_model(settings.knowledge_base),
            tables=tables,
            planner=_NoPlanner(),
            engine=engine,
            limits=Limits(settings.row_limit, settings.query_timeout_s),
        )
        if services.policy.tables:
            values = values_of(services, settings.home / "readers")
            services = replace(services, planner=GrammarPlanner(Lexicon.of(services.model, values)))
        yield Assistant(services)
    finally:
        engine.close()
