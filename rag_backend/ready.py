"""Readiness ahead of the asker: each new release is opened, and the approved questions are answered, before somebody asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from medflow.errors import MedflowError
from medflow.settings import Settings
from medflow.specs.policy import load_policies
from medflow.specs.tables import load_tables
from rag_backend.assistant import Assistant, Assistants
from rag_backend.engines.base import Cancellation, QueryCancelled
from rag_backend.retrieval.set_up import state_of

LOOK_EVERY_S = 5.0
_NOBODY = "\0ahead"  # small cells are kept by user: what nobody saw limits no later answer


@dataclass(frozen=True)
class RoleReady:
    """A role whose reader of the release opens; of the questions `asked` ahead, as many were `answered` (0 where nothing is kept)."""

    role: str
    asked: int
    answered: int


@dataclass(frozen=True)
class Refreshed:
    """What stands ready: the release, how questions are searched for (`bm25` or `both`), and the roles."""

    release: int
    retrieval: str
    notice: str
    roles: tuple[RoleReady, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def refresh(settings: Settings, today: date, report: Callable[[str], None]) -> Refreshed:
    """Bring the assistant to the current release: the index of declarations, each role's reader, and the cache where others share it.

    Raises:
        CatalogError: no release. QueryError: a reader cannot be made. DeclarationError: the knowledge base.
    """
    report("indexing the declarations")
    index = state_of(settings)
    policies = load_policies(settings.knowledge_base, load_tables(settings.knowledge_base))
    ready, release = [], 0
    for role in (name for name, policy in policies.items() if policy.tables):
        report(f"opening the release for {role}")
        with closing(Assistants(settings, role)) as assistants:
            newest = assistants.current()
            newest.check()
            release = newest.services.release.number
            questions = assistants.approved_questions if _is_shared(settings) else ()
            ready.append(RoleReady(role, len(questions), answered_ahead(newest, questions, today, Cancellation())))
    return Refreshed(release, index["mode"], index["notice"], tuple(ready))


class Ahead:
    """The approved questions that have an answer with rows, of the release that was looked at last. Safe for several threads."""

    def __init__(self) -> None:
        self._of: tuple[Assistant | None, tuple[str, ...], bool] = (None, (), False)

    def begin(self, assistant: Assistant) -> None:
        """Another release: none of its questions has been answered yet."""
        self._of = (assistant, (), False)

    def add(self, question: str) -> None:
        """A question has been answered."""
        assistant, answered, _ = self._of
        self._of = (assistant, (*answered, question), False)

    def end(self) -> None:
        """All have been asked."""
        self._of = (*self._of[:2], True)

    def answered(self, assistant: Assistant) -> tuple[tuple[str, ...], bool]:
        """The questions that were answered by this assistant, and whether all have been asked."""
        looked_at, answered, whole = self._of
        return (answered, whole) if looked_at is assistant else ((), False)


def keep_ready(assistants: Assistants, today: Callable[[], date], ahead: Ahead, stopped: Cancellation, *, over: threading.Event) -> None:
    """Look for a new release every few seconds until `over`; a lake that cannot be read now is looked at again. Every approved question
    is asked, also where nothing is kept: `ahead` hears of those that have an answer.
    """
    ready: Assistant | None = None
    while not over.is_set():
        with suppress(MedflowError):
            newest = assistants.current()
            if newest is not ready:
                newest.check()
                ahead.begin(newest)
                _asked(newest, assistants.approved_questions, today(), stopped, tell=ahead.add, rest=over.wait)
                ahead.end()
                ready = newest
        over.wait(LOOK_EVERY_S)


def answered_ahead(assistant: Assistant, questions: tuple[str, ...], today: date, cancel: Cancellation) -> int:
    """Answer questions one after the other, for the caches alone and without a model; how many were answered.

    Raises:
        QueryCancelled: the switch was thrown.
    """
    return _asked(assistant, questions, today, cancel) if assistant.services.caches.keeps else 0


def _asked(
    assistant: Assistant,
    questions: tuple[str, ...],
    today: date,
    cancel: Cancellation,
    *,
    tell: Callable[[str], None] = lambda _: None,
    rest: Callable[[float], object] = lambda _: None,
) -> int:
    """Ask questions without a model, one after the other; how many were answered. `tell` hears of those whose answer has rows; `rest` is
    called between two with the seconds that the last one took, so that whoever asks meanwhile has at least half of the machine.
    """
    alone, answered = assistant.without_model(), 0
    for question in questions:
        begun = time.perf_counter()
        try:
            answer = alone.ask(question, today, cancel, user=_NOBODY)
        except QueryCancelled:
            raise
        except MedflowError:  # of one question; the others are answered all the same, and whoever asks this one is told
            continue
        answered += answer["status"] == "answered"
        if answer["status"] == "answered" and answer["row_count"]:
            tell(question)
        rest(time.perf_counter() - begun)
    return answered


def _is_shared(settings: Settings) -> bool:
    """Whether what is kept outlives this process."""
    return not settings.cache.startswith(("memory:", "none:"))
