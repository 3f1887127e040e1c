"""What a model is told beside a question is near it, bounded, always the same, and nothing that the role may not read."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from rag_backend.retrieval.documents import Knowledge
from rag_backend.retrieval.retriever import Retriever

_QUESTIONS = ("What share of Aetna's denied amount came from CO-97 in 2025?", "denial rate by payer", "members by age band", "x", "")


@pytest.fixture(scope="module")
def retriever(knowledge: Knowledge) -> Retriever:
    return Retriever(knowledge)


def test_it_holds_what_the_question_is_about(retriever: Retriever, knowledge: Knowledge) -> None:
    """Sections of lines; metrics and dimensions by their ids, approved questions with their typed queries, tables with columns."""
    told = retriever.context_of(_QUESTIONS[0], knowledge.policies["analyst"])
    for part in (
        "- denied_amount: denied amount",
        "- denial_group: ",
        "- healthcare.claims_clean: ",
        "- denied_money: ",
        "- denial_base: ",
    ):
        assert part in told
    assert '"id":"denied_amount"' in told
    assert [line for line in told.splitlines() if line.startswith("## ")] == [
        "## Metrics",
        "## Dimensions",
        "## Terms",
        "## Rules",
        "## Approved questions and their typed queries",
        "## Tables",
    ]


@pytest.mark.parametrize("question", _QUESTIONS)
def test_it_is_bounded_and_the_same_each_time(question: str, retriever: Retriever, knowledge: Knowledge) -> None:
    """8,000 characters, one document a line."""
    policy = knowledge.policies["analyst"]
    told = retriever.context_of(question, policy)
    assert told == Retriever(knowledge).context_of(question, policy)
    assert len(told) <= 8_200
    assert all(line.startswith(("- ", "## ")) for line in told.splitlines() if line)


def test_a_role_is_told_of_what_it_may_read(retriever: Retriever, knowledge: Knowledge) -> None:
    """No table, column or metric that is closed to it."""
    business = knowledge.policies["business"]
    for question in _QUESTIONS:
        told = retriever.context_of(question, business)
        assert not {name for name in knowledge.tables if name not in business.tables} & set(re.findall(r"[a-z_]+\.[a-z_]+", told))
        assert "member_key" not in told
        assert "days_to_adjudicate:" not in told
    assert retriever.context_of("claims", knowledge.policies["admin"]) == ""


def test_values_of_what_is_not_public_are_left_out(knowledge: Knowledge) -> None:
    """Neither in the dimension's line nor in an approved question with such a value, whose wording holds it too."""
    payer = knowledge.model.dimensions["payer"].model_copy(update={"privacy": "restricted"})
    model = replace(knowledge.model, dimensions={**knowledge.model.dimensions, "payer": payer})
    told = Retriever(replace(knowledge, model=model)).context_of(
        "How many claims did the payer have in 2025?", knowledge.policies["analyst"]
    )
    assert "- payer:" in told
    assert not re.search("aetna|bluecross", told, re.I)
