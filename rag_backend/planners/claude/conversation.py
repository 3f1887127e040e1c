"""One question's conversation with the model: what was sent and said so far, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rag_backend.model.base import ModelReply, ModelRequest, result_message, user_message
from rag_backend.planners.base import Spent


class Unusable(Exception):
    """The model answered, and nothing can be made of it; the text says of what kind that is."""


@dataclass
class Conversation:
    """Messages as the API takes them, from the question on; tools and system are the same for every question of a role."""

    model: str
    system: tuple[str, ...]
    tools: tuple[Mapping[str, Any], ...]
    messages: list[Mapping[str, Any]] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)

    @property
    def request(self) -> ModelRequest:
        """What is sent next."""
        return ModelRequest(self.model, self.system, tuple(self.messages), self.tools)

    def asks(self, text: str) -> None:
        """Say something to the model."""
        self.messages.append(user_message(text))

    def took(self, reply: ModelReply, cost: Decimal | None) -> None:
        """Count a reply."""
        self.spent = self.spent.and_then(Spent(reply.usage.total, reply.usage.cache_read, cost))

    def objects(self, reply: ModelReply, problem: str) -> None:
        """Hand a reply back with what is wrong with it."""
        text = f"This cannot be used: {problem}. Call one tool again, corrected; refuse if the question cannot be read in full."
        if reply.blocks:
            self.messages.append(reply.message)
            self.messages.append(result_message(reply.calls, text) if reply.calls else user_message(text))
