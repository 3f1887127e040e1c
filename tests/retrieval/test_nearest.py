"""Who is refused is offered what would be answered: approved questions that the role may ask, each proved; declared terms."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from medflow.settings import Settings
from rag_backend.agents.flow import walk
from rag_backend.agents.turn import Services, Turn
from rag_backend.answer import status_of
from rag_backend.assistant import opened
from rag_backend.planners.base import Outcome, Refused
from rag_backend.retrieval.documents import documents_of
from rag_backend.retrieval.retriever import open_index
from rag_backend.retrieval.set_up import load_knowledge
from tests.support.library import published

_TODAY = date(2026, 7, 1)
_REFUSED = (
    "loans by shoe size",
    "how thick are our books",
    "loans from the library of Gotham",
    "weight of books by branch",
    "loans in 1999",
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A library without vectors."""
    return published(tmp_path_factory.mktemp("library"), loans=800)


@pytest.fixture(scope="module")
def by_role(settings: Settings) -> Iterator[dict[str, Services]]:
    with ExitStack() as stack:
        yield {role: stack.enter_context(opened(settings, role)).services for role in ("business", "analyst")}


def _asked(question: str, services: Services) -> Turn:
    return walk(Turn(question, _TODAY), services)


@pytest.mark.parametrize("role", ["business", "analyst"])
@pytest.mark.parametrize("question", _REFUSED)
def test_what_is_offered_is_answered(question: str, role: str, by_role: dict[str, Services]) -> None:
    """Up to three, none twice; each gets an answer when the same role asks it."""
    refusal = _asked(question, by_role[role]).refusal
    assert refusal is not None
    assert refusal.reason_code in ("not_understood", "not_in_data", "unknown_value")
    assert (role == "analyst") <= len(refusal.nearest) == len({text.casefold() for text in refusal.nearest}) <= 3
    for text in refusal.nearest:
        answer = _asked(text, by_role[role])
        assert status_of(answer) == "answered", (text, answer.refusal)


def test_approved_questions_are_among_them(by_role: dict[str, Services]) -> None:
    """Those that the planner thinks of come first."""
    services = by_role["analyst"]
    refusal = _asked("loans by shoe size", services).refusal
    approved = {one.title for one in services.retriever.shown_to(services.policy).values() if one.subject.startswith("example:")}
    assert refusal is not None
    assert set(refusal.nearest) & approved


def test_a_word_without_a_meaning_in_a_question_of_data_is_not_defined(by_role: dict[str, Services]) -> None:
    """What the planner proposes stands; no meaning was asked for."""
    refusal = _asked("how heavy are our books", by_role["analyst"]).refusal
    assert refusal is not None
    assert refusal.reason_code == "needs_definition"
    assert not any(text.startswith("What does") for text in refusal.nearest)


def test_a_question_that_no_longer_plans_is_not_offered(by_role: dict[str, Services]) -> None:
    """Approved or not: it is proved by planning it."""

    class ReadsNothing:
        name = "grammar"

        def plan(self, question: str, today: date) -> Outcome:
            return Refused("not_understood", "nothing is read", question)

    refusal = _asked("loans by genre", replace(by_role["analyst"], planner=ReadsNothing())).refusal
    assert refusal is not None
    assert refusal.nearest == ()


@pytest.mark.parametrize(
    ("question", "reason"), [("forecast loans", "prediction_or_advice"), ("drop table loans", "unsafe"), ("loans", "")]
)
def test_nothing_is_offered_for_other_reasons(question: str, reason: str, by_role: dict[str, Services]) -> None:
    """What is unsafe is not helped along, and what is answered needs nothing."""
    turn = _asked(question, by_role["analyst"])
    assert (turn.refusal.reason_code if turn.refusal else "") == reason
    assert turn.refusal is None or turn.refusal.nearest == ()


def test_an_unknown_term_names_terms_that_are_defined(by_role: dict[str, Services]) -> None:
    """Each is answered with a definition."""
    services = by_role["analyst"]
    refusal = _asked("What does overdue penalty surcharge mean?", services).refusal
    assert refusal is not None
    assert refusal.reason_code == "needs_definition"
    assert refusal.nearest
    for text in refusal.nearest:
        assert _asked(text, services).kind == "definition", text


@pytest.fixture(scope="module")
def with_vectors(settings: Settings, model_home: Path) -> Settings:
    """The same library with vectors set up."""
    shutil.copytree(model_home, settings.home, dirs_exist_ok=True)
    open_index(settings, documents_of(load_knowledge(settings)), build=True).close()
    return settings


def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: Any, **_: Any) -> Any:
        raise AssertionError(f"the network is used: {given[1:]}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refused)


def test_asking_needs_no_network(with_vectors: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With vectors set up: answered, refused with questions near by, defined; nothing is fetched, nothing is sent."""
    _offline(monkeypatch)
    with opened(with_vectors, "analyst") as assistant:
        assert assistant.ask("loans by genre", _TODAY)["status"] == "answered"
        refused = assistant.ask("how thick are our books", _TODAY)
        assert refused["nearest"]
        assert refused["notices"] == []
        hits = assistant.services.retriever.search("books", assistant.services.policy)
        assert (hits.mode, hits.notice) == ("both", "")


def test_vectors_that_fail_are_noticed_where_they_should_have_helped(with_vectors: Settings) -> None:
    """In a refusal that words alone looked for neighbours for; an answer says nothing of it."""
    gone = with_vectors.model_copy(update={"vector_store": "chroma+http://127.0.0.1:1"})
    with opened(gone, "analyst") as assistant:
        refused, answered = assistant.ask("loans by shoe size", _TODAY), assistant.ask("loans by genre", _TODAY)
        assert [one["code"] for one in refused["notices"]] == ["vectors_unavailable"]
        assert "MEDFLOW_VECTOR_STORE" in refused["notices"][0]["text"]
        assert refused["nearest"]
        assert answered["notices"] == [] or "vectors_unavailable" not in {one["code"] for one in answered["notices"]}


def test_words_alone_are_not_noticed(by_role: dict[str, Services]) -> None:
    """Where nobody set up vectors, nothing is missing."""
    assert _asked("loans by shoe size", by_role["analyst"]).notices == ()


def test_closing_the_assistant_closes_the_store(with_vectors: Settings) -> None:
    """And the next one opens it again."""
    for _ in range(2):
        with opened(with_vectors, "analyst") as assistant, closing(assistant.services.retriever) as retriever:
            assert retriever.search("books", assistant.services.policy).mode == "both"
