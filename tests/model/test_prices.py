"""What a call costs: the declared price of each kind of token, and nothing invented for other models."""

from __future__ import annotations

from decimal import Decimal

import pytest

from medflow.settings import Settings
from rag_backend.model.base import Usage
from rag_backend.model.prices import PRICES, cost_of

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (Usage(input=MILLION), "2"),
        (Usage(output=MILLION), "10"),
        (Usage(cache_write=MILLION), "2.5"),
        (Usage(cache_read=MILLION), "0.1"),
        (Usage(), "0"),
    ],
)
def test_each_kind_of_token_has_its_price(usage: Usage, dollars: str) -> None:
    """A million of each."""
    assert cost_of("claude-sonnet-5-5", usage) == Decimal(dollars)


def test_a_small_call_is_exact() -> None:
    """No rounding: sums of many calls are sums."""
    assert cost_of("claude-sonnet-5-5", Usage(1, 1, 1, 1)) == Decimal("0.0000146")


def test_a_long_prompt_of_haiku_costs_five_times_as_much() -> None:
    """Above 100,000 tokens of prompt, those from the cache counted, every token of the call."""
    short, long = Usage(input=50_000, output=100, cache_read=50_000), Usage(input=50_001, output=100, cache_read=50_000)
    assert cost_of("claude-haiku-5-5", short) == Decimal("0.00555")
    assert cost_of("claude-haiku-5-5", long) == Decimal("0.0277505")


def test_a_model_without_a_declared_price_costs_nobody_knows_what() -> None:
    """None, not zero."""
    assert cost_of("claude-sonnet-9", Usage(1, 1)) is None


def test_the_models_of_the_settings_have_a_price() -> None:
    """Both defaults."""
    assert {Settings.model_fields["model"].default, Settings.model_fields["model_light"].default} <= set(PRICES)


def test_reading_the_cache_is_cheaper_than_writing_it() -> None:
    """And writing dearer than sending, for every model: a column in the wrong place would show."""
    for price in PRICES.values():
        assert price.cache_read < price.input < price.cache_write < price.output
