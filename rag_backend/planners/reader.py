"""How a question of a conversation is read: by the planner that is set, and what that took. Follow-ups are proved by `Planner` alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from rag_backend.engines.base import Cancellation
from rag_backend.planners.base import Outcome, Planning


class Planner(Protocol):
    """Turns a question into a typed query or says why not; never raises, asks nobody and costs nothing."""

    @property
    def name(self) -> str: ...

    def plan(self, question: str, today: date) -> Outcome:
        """One question of at most 1,000 characters; `today` is what relative dates count from."""
        ...


class Reader(Protocol):
    """Reads a question, if need be with a model's help."""

    @property
    def name(self) -> str: ...

    def read(self, question: str, today: date, cancel: Cancellation) -> Planning:
        """The outcome, by whom, and what it took.

        Raises:
            QueryCancelled: the asker gave up.
        """
        ...


@dataclass(frozen=True)
class Alone:
    """A planner without a model."""

    planner: Planner

    @property
    def name(self) -> str:
        return self.planner.name

    def read(self, question: str, today: date, _: Cancellation) -> Planning:
        """See `Reader.read`."""
        return Planning(self.planner.plan(question, today), self.name)
