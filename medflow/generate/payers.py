"""How the three payers differ in the sample: share of claims, contract, denials, speed, lines. Constants only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Payer:
    """One payer's habits. `denial_logit` is the leaning before provider, procedure and lateness; days are medians."""

    name: str
    index: int
    share: float
    contract: float
    denial_logit: float
    decision_days: float
    line_shares: tuple[float, ...]
    rejects: float
    stays_by_line: bool


PAYERS: Final = (
    Payer("bluecross", 0, 0.45, 0.58, -2.23, 11, (0.44, 0.27, 0.15, 0.08, 0.04, 0.02), 0.015, True),
    Payer("aetna", 1, 0.30, 0.52, -1.71, 16, (0.42, 0.28, 0.17, 0.13), 0.012, False),
    Payer("unitedhealth", 2, 0.25, 0.49, -1.33, 21, (0.44, 0.27, 0.15, 0.08, 0.04, 0.02), 0.0, True),
)


def split_claims(upto: int) -> tuple[int, ...]:
    """How many of the first `upto` claims belong to each payer; the parts add up and only ever grow with `upto`."""
    first, second = (round(upto * PAYERS[0].share), round(upto * (PAYERS[0].share + PAYERS[1].share)))
    return first, second - first, upto - second
