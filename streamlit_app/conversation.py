"""The conversation on the page: what was asked, and how each question ended. It lives in the reader's session."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from streamlit_app.problems import Problem


@dataclass
class Step:
    """One step of the way to an answer; `milliseconds` is None while it is under way."""

    name: str
    milliseconds: float | None = None
    summary: str = ""


@dataclass
class Exchange:
    """A question as it was sent, and what came of it."""

    question: str
    body: dict[str, Any]
    steps: list[Step] = field(default_factory=list)
    answer: dict[str, Any] | None = None
    problem: Problem | None = None
    stopped: bool = False
    rating: int = 0
    reason: str = ""
    rating_problem: Problem | None = None

    @property
    def name(self) -> str:
        """The answer's id, chosen before it is asked for."""
        return str(self.body["answer_id"])

    @property
    def done(self) -> bool:
        return self.stopped or self.answer is not None or self.problem is not None

    def hear(self, message: dict[str, Any]) -> None:
        """Take in one message of the socket."""
        if message["type"] == "step_started":
            self.steps.append(Step(message["step"]))
        elif message["type"] == "step_finished" and self.steps:
            self.steps[-1] = Step(message["step"], message["ms"], message["summary"])
        elif message["type"] == "answer":
            self.answer = message["answer"]


@dataclass
class Conversation:
    """The exchanges so far, oldest first; at most the last one is under way."""

    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def pending(self) -> Exchange | None:
        """The question under way."""
        return self.exchanges[-1] if self.exchanges and not self.exchanges[-1].done else None

    def ask(self, question: str) -> None:
        """Ask in plain words. Blanks alone are no question."""
        if question.strip():
            self._add(question, question=question)

    def choose(self, option: dict[str, Any]) -> None:
        """Take one of the readings that the last answer offered."""
        self._add(option["label"], option_id=option["id"])

    def again(self, exchange: Exchange) -> None:
        """Ask the same once more."""
        kept = {name: value for name, value in exchange.body.items() if name in ("question", "option_id")}
        self._add(exchange.question, **kept)

    def stop(self) -> None:
        """Give up the question under way."""
        if self.pending:
            self.pending.stopped = True

    def _add(self, shown: str, **asked: str) -> None:
        self.stop()
        self.exchanges.append(Exchange(shown, {**asked, "conversation_id": self.name, "answer_id": uuid.uuid4().hex}))
