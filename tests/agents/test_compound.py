"""Two questions in one: each is answered on its own way, one that cannot be answered refuses both."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from rag_backend.assistant import Assistant, opened
from rag_backend.planners.base import Compound, Refused
from rag_backend.planners.grammar.compound import pieces_of
from rag_backend.planners.grammar.plan import plan
from tests.planners.lexicons import claims
from tests.support.lake import Lake

_TODAY = date(2026, 7, 1)
_TWO = "How many claims by payer, and what is the denial rate by specialty?"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("compound") / "lake")
    lake.generate(2_000)
    lake.run()
    return lake


@pytest.fixture(scope="module")
def analyst(lake: Lake) -> Iterator[Assistant]:
    with opened(lake.settings, "analyst") as assistant:
        yield assistant


def test_each_part_is_what_it_is_alone(analyst: Assistant) -> None:
    """Rows, SQL and reading; the answer's own rows are the first part's."""
    answer = analyst.ask(_TWO, _TODAY)
    alone = [analyst.ask(text, _TODAY) for text in ("How many claims by payer", "what is the denial rate by specialty")]
    assert (answer["status"], len(answer["parts"])) == ("answered", 2)
    for part, expected in zip(answer["parts"], alone, strict=True):
        assert {name: part[name] for name in ("rows", "sql", "columns", "typed_query", "interpretation")} == {
            name: expected[name] for name in ("rows", "sql", "columns", "typed_query", "interpretation")
        }
    assert answer["rows"] == alone[0]["rows"]
    assert answer["explanation"] == "\n".join(one["explanation"] for one in alone)
    assert answer["interpretation"] == "; and ".join(one["interpretation"] for one in alone)


def test_a_part_that_is_kept_is_not_asked_again(lake: Lake) -> None:
    """One part from the cache beside one from the engine; both from it the second time."""
    with opened(lake.settings, "analyst") as fresh:
        fresh.ask("How many claims by payer", _TODAY)
        first, second = fresh.ask(_TWO, _TODAY), fresh.ask(_TWO, _TODAY)
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["parts"] == second["parts"]


def test_small_cells_of_every_part_are_masked(lake: Lake) -> None:
    """A role that sees no small numbers sees none in a further part either."""
    with opened(lake.settings, "business") as business:
        answer = business.ask("How many claims by payer, and how many denied claims by denial code?", _TODAY)
        alone = business.ask("how many denied claims by denial code", _TODAY, user="another")
    assert answer["parts"][1]["suppressed_cells"] == alone["suppressed_cells"] != []


def test_one_refused_part_refuses_the_whole(analyst: Assistant) -> None:
    """What can be answered of it is offered."""
    answer = analyst.ask("How many claims are there by payer? Which flavor is best?", _TODAY)
    assert (answer["status"], answer["rows"], answer["parts"]) == ("refused", [], [])
    assert "how many claims are there by payer" in answer["nearest"]


@pytest.mark.parametrize(
    "question",
    [
        "How many claims did Aetna have in 2025, and how many members by sex?",
        "claims by payer in 2025; denial rate by specialty",
        "how many members does each payer have and how many are women",
        "how many members are there and how much did we pay for diabetes",
        "claims by payer; their denial rate by specialty",
        "top 5 providers by claims; denial rate by specialty",
        "claims from Cigna by payer and what is the denial rate by specialty",
    ],
)
def test_what_is_said_of_one_may_be_meant_of_the_other(question: str) -> None:
    """A limit of the first question, or a word that points back: not split."""
    assert isinstance(plan(question, claims(), _TODAY), Refused)


def test_equal_limits_belong_to_each() -> None:
    assert isinstance(plan("claims by payer in 2025; denial rate by specialty in 2025", claims(), _TODAY), Compound)


def test_a_question_is_split_where_another_begins() -> None:
    assert pieces_of("a by b, and what is c by d?") == ("a by b", "what is c by d")
    assert pieces_of("a by b and c by d") == ()
    assert pieces_of("a? b? c? d? e?") == ()
