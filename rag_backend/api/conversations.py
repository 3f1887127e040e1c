"""Open clarifications, so that one of their options can be chosen: in this process alone, the latest of each conversation."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag_backend.query.typed_query import TypedQuery

_KEPT = 1_000


@dataclass(frozen=True)
class Clarification:
    """A question that was asked back, and its readings by option id."""

    question: str
    readings: Mapping[str, TypedQuery]


class Conversations:
    """The open clarification of each of the last conversations. Safe for several threads."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._open: OrderedDict[str, Clarification] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, conversation: str, answer: Mapping[str, Any]) -> None:
        """Take the options of an answer; one without options closes what was open."""
        readings = {option["id"]: TypedQuery.model_validate(option["typed_query"]) for option in answer["options"]}
        with self._lock:
            self._open.pop(conversation, None)
            if readings:
                self._open[conversation] = Clarification(answer["question"], readings)
            while len(self._open) > self._kept:
                self._open.popitem(last=False)

    def chosen(self, conversation: str, option: str) -> tuple[str, TypedQuery] | None:
        """The question and the reading that an option stands for; None where no such option is open. It stays open."""
        with self._lock:
            clarification = self._open.get(conversation)
        if clarification is None or option not in clarification.readings:
            return None
        return clarification.question, clarification.readings[option]
