"""An explanation in the model's words: cells are filled in here, and what it claims by itself is not shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_backend.planners.claude.wording import Facts, filled

FACTS = Facts(
    ("payer (group)", "paid amount (USD)"),
    ("in the order of paid amount, highest first", "several rows"),
    {(1, 1): "Aetna", (1, 2): "$12.50"},
)


def test_placeholders_are_filled_from_the_table() -> None:
    assert filled("The table shows the paid amount by payer, such as {r1c1} with {r1c2}.", FACTS) == (
        "The table shows the paid amount by payer, such as Aetna with $12.50."
    )


def test_a_comparison_that_the_facts_make_may_be_repeated() -> None:
    assert filled("The highest is {r1c1}.", FACTS) == "The highest is Aetna."


@pytest.mark.parametrize(
    "text",
    [
        "Aetna paid 12.50.",
        "{r1c1} paid twelve percent more.",
        "It rose sharply.",
        "The lowest is {r1c1}.",
        "{r1c1} paid {r1c2} because of denials.",
        "{r1c1} leads.",
        "Also {r2c1}.",
        "{r1c3} is odd.",
        "{r1c1}2",
        "See www.example.org for {r1c1}.",
        "<b>{r1c1}</b>",
        "{r1c1} {",
        "x" * 500,
        "",
    ],
)
def test_what_it_claims_by_itself_is_not_shown(text: str) -> None:
    """A digit, a number word, a comparison, a cause, a cell that is masked or not there, markup."""
    assert filled(text, FACTS) == ""


@given(st.text(max_size=80))
def test_no_digit_comes_from_the_model(text: str) -> None:
    """Whatever it says: the digits that are shown are those of cells."""
    shown = filled(f"{text} {{r1c2}}", FACTS)
    assert not any(letter.isdigit() for letter in shown.replace("$12.50", ""))
