"""Identifiers and names stay here, however they are written and whatever the model is told is wrong with its reply."""

from __future__ import annotations

import pytest

from rag_backend.planners.claude import tools
from rag_backend.planners.claude.placeholders import Masked, masked
from rag_backend.planners.grammar.tagging import Tagger
from rag_backend.planners.grammar.tokens import tokens_of
from tests.injections.cases import DENIALS
from tests.planners.lexicons import TODAY, claims
from tests.planners.replies import called, sql, typed
from tests.planners.test_claude import read

_NPI = "1138181817"  # of Halima Penhallow, who is in the lexicon


@pytest.fixture(autouse=True)
def _key(patch: pytest.MonkeyPatch) -> None:
    """The scripted server's key."""


def hidden(question: str) -> Masked:
    tokens = tokens_of(question)
    return masked(question, Tagger(claims(), TODAY, tokens, question).nodes(), tokens, claims())


@pytest.mark.parametrize(
    ("question", "sent"),
    [
        (f"claims of {_NPI}", "claims of [name_1]"),
        ("claims of 113 818 1817", "claims of [id_1]"),
        ("claims of 113-818-1817 and 078-05-1120", "claims of [id_1] and [id_2]"),
        ("claims of 113.818.1817.", "claims of [id_1]."),
        ("claims of (113) 818 1817", "claims of ([id_1]"),
        ("claims of 1,138,181,817", "claims of [id_1]"),
        ("claims of $1138181817", "claims of [id_1]"),
        ("claims of AB1234567-2", "claims of [id_1]"),
        ("claims of member 00042", "claims of member [id_1]"),
        ("claims of jo@example.org,", "claims of [id_1]"),
        ("claims of Halima Penhallow", "claims of [name_1]"),
        ("claims of Penhallow", "claims of [name_1]"),
        ("claims of Penhallow, Halima", "claims of [name_1], [name_2]"),
        ("claims of Halima_Penhallow@example.org", "claims of [name_1]"),
        ("claims of Dr. greenhalgh's patients", "claims of Dr. [name_1] patients"),
    ],
)
def test_what_tells_somebody_apart_is_a_placeholder(question: str, sent: str) -> None:
    """In groups, with separators, as an amount, in part, turned round; and it comes back whole."""
    found = hidden(question)
    assert found.text == sent
    assert found.restored(found.text) == question


@pytest.mark.parametrize(
    "question",
    [
        "claims over $1,500,000 by payer",
        "claims from 2026-01-01 to 2026-03-31",
        "claims from January 15 2026 to March 31 2026",
        "top 5 specialties in 2025",
        "claims with code 99213 99214 and E11.9",
        "providers with more than 1,000 claims and 12.5% denials",
        "claims of members 65 and older, or 85+, 18-34",
        "denial rate for Aetna in New York",
    ],
)
def test_what_is_asked_is_not(question: str) -> None:
    """Amounts, days, years, counts, codes and public values."""
    assert hidden(question).text == question


def test_no_objection_repeats_it() -> None:
    """The words that no part of a reading uses are told by their placeholders; so is what the validator says of SQL."""
    question = f"denial rate at the level of payer for Halima Penhallow, npi {_NPI}, member AB1234567-2"
    replies = (
        typed(DENIALS, {"metrics[0]": "denial rate", "group_by[0]": "level of payer"}),
        sql('SELECT "[name_1]", "[id_3]" FROM healthcare.claims_clean'),
        called(tools.CLARIFY, {"options": []}),
    )
    _, sent = read(question, *replies, problem="Halima Penhallow is no column")
    told = str([message for body in sent for message in body["messages"]])
    assert len(sent) == 3
    assert "[name_1]" in told
    assert not [secret for secret in ("Penhallow", _NPI, "AB1234567") if secret in told.replace("Halima Penhallow is no column", "")]
