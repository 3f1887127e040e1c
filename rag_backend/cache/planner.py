"""A planner whose outcomes are kept: the same text on the same day, release and role is read once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from rag_backend.cache.kept import Kept
from rag_backend.cache.keys import View, as_kept, plan_key
from rag_backend.engines.base import Cancellation
from rag_backend.planners.base import Outcome
from rag_backend.planners.reader import Planner


@dataclass(frozen=True)
class CachedPlanner:
    """Any planner, asked for what is not kept. `model` names what it asks in its turn; another one reads otherwise.

    What raises is never kept, nor what `outcomes.lasts` leaves out. A planner that stands in for another when that fails therefore stands
    around this one, not within.
    """

    planner: Planner
    plans: Kept[Outcome]
    view: View
    model: str = ""

    @property
    def name(self) -> str:
        return self.planner.name

    def plan(self, question: str, today: date) -> Outcome:
        text = as_kept(question)
        key = plan_key(text, today, self.view, planner=f"{self.name} {self.model}")
        return self.plans.found_or_computed(key, lambda: self.planner.plan(text, today), Cancellation())
