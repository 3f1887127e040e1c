"""What a call costs, in US dollars: prices per million tokens of the models whose price could be cited. Of others it is not known.

Source: the model pages of platform.claude.com (claude-sonnet-5-5, claude-haiku-5-5, claude-opus-5-5) as of October 2026; a cache write
is one that is kept for five minutes. Reading Sonnet 5.5's cache costs 0.10 since 2026-10-07 (0.20 before), Haiku 5.5 five times as much
in all columns for prompts of more than 100,000 tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from rag_backend.model.base import Usage

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens; `above` is how many tokens of prompt the next price begins after, 0 = none."""

    input: Decimal
    output: Decimal
    cache_write: Decimal
    cache_read: Decimal
    above: int = 0
    then: Price | None = None

    def of(self, usage: Usage) -> Decimal:
        """What these tokens cost."""
        if self.then is not None and usage.prompt > self.above:
            return self.then.of(usage)
        spent = (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_write * self.cache_write
            + usage.cache_read * self.cache_read
        )
        return spent / _MILLION


def _price(input: str, output: str, cache_write: str, cache_read: str) -> Price:
    return Price(Decimal(input), Decimal(output), Decimal(cache_write), Decimal(cache_read))


_LONG_HAIKU = _price("0.50", "2.50", "0.625", "0.05")
PRICES: Mapping[str, Price] = {
    "claude-sonnet-5-5": _price("2", "10", "2.50", "0.10"),
    "claude-haiku-5-5": Price(Decimal("0.10"), Decimal("0.50"), Decimal("0.125"), Decimal("0.01"), above=100_000, then=_LONG_HAIKU),
    "claude-opus-5-5": _price("4", "20", "5", "0.20"),
}


def cost_of(model: str, usage: Usage) -> Decimal | None:
    """US dollars of a call; None = no price is declared for the model."""
    price = PRICES.get(model)
    return None if price is None else price.of(usage)
