"""The judge itself: what counts as the same rows, and how a bank is scored."""

from __future__ import annotations

from decimal import Decimal

from rag_backend.evaluation import Asked, same_rows, scores


def test_columns_may_stand_in_any_order_beside_others() -> None:
    """The expected columns are found among those that an answer has."""
    expected = [("aetna", 3), ("bluecross", 4)]
    assert same_rows([(4, "bluecross", 0.5), (3, "aetna", 0.1)], expected, ordered=False)
    assert not same_rows([(4, "bluecross"), (3, "aetna")], expected, ordered=True)
    assert not same_rows([("aetna", 3)], expected, ordered=False)
    assert not same_rows([("aetna", 3), ("bluecross", 5)], expected, ordered=False)


def test_numbers_are_numbers() -> None:
    """A decimal equals the float of its value, and nothing else does."""
    assert same_rows([(Decimal("1.50"),)], [(1.5,)], ordered=False)
    assert not same_rows([(Decimal("1.51"),)], [(1.5,)], ordered=False)
    assert not same_rows([(None,)], [(0,)], ordered=False)


def test_a_wrong_answer_costs_ten() -> None:
    """Silence costs nothing, a wrong answer ten right ones."""
    asked = [Asked(str(n), "s", "answerable", "q", mark, "", 0.1) for n, mark in enumerate(["right", "right", "silent", "wrong"])]
    total = scores(asked)["total"]
    assert (total["coverage"], total["precision"], total["wrong"]) == (0.5, round(2 / 3, 4), 1)
    assert (total["rs0"], total["rs10"]) == (50.0, -200.0)
