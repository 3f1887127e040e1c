"""An agent over the parts of a compound question: side by side, and one part that is refused refuses the whole."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rag_backend.agents.turn import Refusal, Services, Turn

_Agent = Callable[[Turn, Services], Turn]


def for_each_part(agent: _Agent) -> _Agent:
    """The agent on the first part and on all others. Where small cells are masked they follow each other: what one part has shown
    decides what the next may show.
    """

    def each(turn: Turn, services: Services) -> Turn:
        if not turn.others:
            return agent(turn, services)
        parts = (replace(turn, others=()), *turn.others)
        if services.policy.suppress_below is not None:
            return _together([agent(part, services) for part in parts])
        with ThreadPoolExecutor(len(parts)) as pool:
            return _together(list(pool.map(lambda part: agent(part, services), parts)))

    return each


def _together(parts: list[Turn]) -> Turn:
    first, *others = parts
    refused = next((part.refusal for part in parts if part.refusal), None)
    if refused is not None:
        told = f"one of {len(parts)} questions: {refused.message}" if not refused.message.startswith("one of ") else refused.message
        first = replace(first, refusal=Refusal(refused.reason_code, told, refused.nearest))
    return replace(first, others=tuple(others))
