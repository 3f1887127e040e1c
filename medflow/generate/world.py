"""The fixed cast of one sample: providers with their NPIs, and members whose facts follow from their number.

In: size and seed. Out: arrays small enough to keep at any size (providers are capped, members are computed on demand).
Writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medflow.generate.diagnoses import SPECIALTIES, SPECIALTY_SHARES
from medflow.generate.names import FIRST, LAST, PLANS, STATE_SHARES, STATES

CLAIMS_PER_PROVIDER, FEWEST_PROVIDERS, MOST_PROVIDERS = 150, 30, 200_000
PROVIDERS_PER_GROUP = 6
CLAIMS_PER_MEMBER, FEWEST_MEMBERS = 4, 12
# a prime below 200 million, the count of nine-digit numbers that start with 1 or 2
_NPI_BODIES, _FIRST_BODY = 199_999_991, 100_000_000
_WORLD_KEY = 0xC0FFEE
_AGES, _AGE_SHARES = (4, 18, 35, 50, 65, 75, 85, 97), (0.17, 0.18, 0.18, 0.2, 0.15, 0.08, 0.04)
_SEXES = (0.52, 0.993, 1.0)  # F, M, U as upper ends


@dataclass(frozen=True)
class Providers:
    """Rendering providers, one index each: NPI, specialty and state by index, price and denial leaning, cumulated volume."""

    npi: np.ndarray
    group_npi: np.ndarray
    name: np.ndarray
    specialty: np.ndarray
    state: np.ndarray
    price: np.ndarray
    leaning: np.ndarray
    volume: np.ndarray

    @property
    def count(self) -> int:
        return len(self.npi)

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Indexes of `count` providers, busy ones more often."""
        return np.searchsorted(self.volume, rng.random(count), side="right")


@dataclass(frozen=True)
class Members:
    """Members of one payer by number; birth year, sex and plan are hashed from payer and number."""

    count: int
    salt: int
    newest_year: int

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Numbers of `count` members; low numbers are seen more often."""
        return (self.count * rng.random(count) ** 1.3).astype(np.int64)

    def birth_year(self, member: np.ndarray) -> np.ndarray:
        draw = _uniform(member, self.salt + 1)
        edges = np.cumsum(_AGE_SHARES)
        band = np.minimum(np.searchsorted(edges, draw, side="right"), len(_AGE_SHARES) - 1)
        low, high = np.array(_AGES)[band], np.array(_AGES)[band + 1]
        year: np.ndarray = self.newest_year - (low + ((high - low) * _uniform(member, self.salt + 2)).astype(np.int64))
        return year

    def sex(self, member: np.ndarray) -> np.ndarray:
        """0 F, 1 M, 2 U."""
        return np.searchsorted(np.array(_SEXES), _uniform(member, self.salt + 3), side="right")

    def plan(self, member: np.ndarray) -> np.ndarray:
        return (len(PLANS) * _uniform(member, self.salt + 4) ** 1.5).astype(np.int64)


def make_providers(claims: int, seed: int) -> Providers:
    """The providers of a sample of `claims` claims: about one per 150, at least 30, at most 200,000."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_WORLD_KEY,)))
    count = min(max(FEWEST_PROVIDERS, claims // CLAIMS_PER_PROVIDER), MOST_PROVIDERS)
    groups = count // PROVIDERS_PER_GROUP + 1
    npis = _npis(count + groups, rng)
    weights = rng.lognormal(0, 1.0, count)
    weights /= weights.sum()
    volume, leaning = np.cumsum(weights), rng.normal(0, 0.45, count)
    return Providers(
        npi=npis[:count],
        group_npi=npis[count:][np.arange(count) % groups],
        name=rng.integers(0, len(FIRST) * len(LAST), count),
        specialty=_specialties(count, rng),
        state=rng.choice(len(STATES), count, p=_shares(STATE_SHARES)),
        price=rng.lognormal(0, 0.18, count),
        leaning=leaning - (leaning * weights).sum(),  # so that the payers' denial rates hold in small samples too
        volume=volume / volume[-1],
    )


def make_members(claims: int, seed: int, payer: int, newest_year: int) -> Members:
    """The members of a payer that has `claims` claims: about a quarter as many."""
    salt = int(np.random.SeedSequence(seed, spawn_key=(_WORLD_KEY, payer)).generate_state(1)[0])
    return Members(max(FEWEST_MEMBERS, claims // CLAIMS_PER_MEMBER), salt, newest_year)


def provider_name(index: int) -> str:
    """An invented name from a drawn index."""
    return f"{FIRST[index % len(FIRST)]} {LAST[index // len(FIRST)]}"


def check_digit(body: np.ndarray) -> np.ndarray:
    """Luhn check digit of nine-digit NPI bodies under the prefix 80840 (CMS, NPI standard): the prefix adds 24."""
    total = np.full(len(body), 24)
    for place in range(9):
        digit = body // 10**place % 10
        doubled = digit * 2 if place % 2 == 0 else digit
        total += doubled // 10 + doubled % 10
    return -total % 10


def _npis(count: int, rng: np.random.Generator) -> np.ndarray:
    """Distinct NPIs: an affine walk over all bodies never meets one twice."""
    step, start = rng.integers(1, _NPI_BODIES, 2)
    body = _FIRST_BODY + (np.arange(count, dtype=np.int64) * int(step) + int(start)) % _NPI_BODIES
    npi: np.ndarray = body * 10 + check_digit(body)
    return npi


def _specialties(count: int, rng: np.random.Generator) -> np.ndarray:
    """Every specialty once, the rest by share."""
    drawn = rng.choice(len(SPECIALTIES), count, p=_shares(SPECIALTY_SHARES))
    drawn[: len(SPECIALTIES)] = np.arange(len(SPECIALTIES))
    return drawn


def _shares(weights: tuple[float, ...]) -> np.ndarray:
    return np.array(weights) / sum(weights)


def _uniform(number: np.ndarray, salt: int) -> np.ndarray:
    """Numbers in [0, 1) that depend on nothing but `number` and `salt` (splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt) * np.uint64(0xD1B54A32D192ED03)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed >> np.uint64(11)).astype(np.float64) / float(2**53)
