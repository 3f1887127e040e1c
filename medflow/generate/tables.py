"""Claims, versions and lines of one drawn batch, as equally long arrays. Values only; nothing is drawn or written here.

Days are proleptic ordinals (0 = no date), money is integer cents (`BLANK` = not determined), codes are indexes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

BLANK: Final = -(2**62)
ORIGINAL, REPLACEMENT, REVERSAL = 0, 1, 2
PAID, DENIED, PENDING, REJECTED, REVERSED = 0, 1, 2, 3, 4
AMOUNTS: Final = ("billed", "allowed", "paid", "deductible", "coinsurance", "copay", "other_payer")
BILLED, ALLOWED, PAID_OUT, DEDUCTIBLE, COINSURANCE, COPAY, OTHER_PAYER = range(7)
SEX_UNKNOWN_TO_PAYER: Final = 3


@dataclass(frozen=True)
class Claims:
    """One row a claim. `service_*`: index of the claim's first service row, and how many it has."""

    number: np.ndarray
    member: np.ndarray
    birth_year: np.ndarray
    sex: np.ndarray
    plan: np.ndarray
    provider: np.ndarray
    bills: np.ndarray
    place: np.ndarray
    condition: np.ndarray
    diagnoses: np.ndarray
    principal_second: np.ndarray
    service_from: np.ndarray
    service_to: np.ndarray
    received: np.ndarray
    late: np.ndarray
    line_count: np.ndarray
    rebilled: np.ndarray


@dataclass(frozen=True)
class Services:
    """What was done: one row per line of a claim, shared by all versions of the claim."""

    claim: np.ndarray
    procedure: np.ndarray
    modifier_1: np.ndarray
    modifier_2: np.ndarray
    units: np.ndarray
    charge: np.ndarray
    first_day: np.ndarray
    last_day: np.ndarray


@dataclass(frozen=True)
class Versions:
    """One row a claim version, sorted by claim and sequence. `before`: row of the version before it that was sent, or -1."""

    claim: np.ndarray
    sequence: np.ndarray
    kind: np.ndarray
    status: np.ndarray
    denial: np.ndarray
    received: np.ndarray
    adjudicated: np.ndarray
    paid: np.ndarray
    line_count: np.ndarray
    before: np.ndarray
    note: np.ndarray
    file: np.ndarray

    @property
    def first_line(self) -> np.ndarray:
        """Row of each version's first line."""
        row: np.ndarray = np.cumsum(self.line_count) - self.line_count
        return row


@dataclass(frozen=True)
class Lines:
    """One row a line of a version; `amounts` is [line, AMOUNTS] in cents."""

    version: np.ndarray
    number: np.ndarray
    procedure: np.ndarray
    modifier_1: np.ndarray
    modifier_2: np.ndarray
    units: np.ndarray
    first_day: np.ndarray
    last_day: np.ndarray
    amounts: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Drawn claims of one payer with all their versions and lines."""

    claims: Claims
    versions: Versions
    lines: Lines

    @property
    def line_claim(self) -> np.ndarray:
        """Claim row of each line."""
        claim: np.ndarray = self.versions.claim[self.lines.version]
        return claim


Table = TypeVar("Table", Claims, Services, Versions, Lines)


def take(table: Table, rows: np.ndarray) -> Table:
    """The rows of a table, in the order given."""
    return type(table)(**{field.name: getattr(table, field.name)[rows] for field in dataclasses.fields(table)})


def counted(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of groups of these sizes laid end to end: the group of each member, and its place in the group from 0."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return group, np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def no_claims() -> Batch:
    """A batch without any row."""
    tables = [{field.name: np.zeros(0, np.int64) for field in dataclasses.fields(table)} for table in (Claims, Versions, Lines)]
    tables[0]["diagnoses"], tables[2]["amounts"] = np.zeros((0, 4), np.int64), np.zeros((0, len(AMOUNTS)), np.int64)
    return Batch(Claims(**tables[0]), Versions(**tables[1]), Lines(**tables[2]))
