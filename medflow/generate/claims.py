"""Draws claims: who was treated by whom, for what, when, and what was done. In: payer, providers, members, a random
stream. Out: `Claims` and their `Services`. Knows nothing of versions, files or defects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medflow.generate.diagnoses import (
    FIRST_HEADING,
    FIRST_SECONDARY,
    LISTED_CONDITIONS,
    PREGNANCY,
    SAME_CODE,
    SECONDARY,
    age_weights,
    leaf_ranges,
    season_weights,
    specialty_weights,
)
from medflow.generate.payers import Payer
from medflow.generate.services import INPATIENT, MODIFIERS, PLACE_SHARES, PROCEDURE_CODES, PROCEDURES, VISITS, extra_ranges
from medflow.generate.tables import SEX_UNKNOWN_TO_PAYER, Claims, Services, counted, take
from medflow.generate.world import Members, Providers

SERVICE_DAYS, RE_DATED_DAYS = 730, 364  # 52 weeks: a claim not received yet keeps season and weekday
LATE_AFTER_DAYS, LONGEST_LAG = 90, 330
_AGE_EDGES = (18, 35, 50, 65)
_HEADING, _SEX_UNKNOWN, _PROCEDURE_BLANK, _NOT_BILLED = 0.003, 0.002, 0.003, 0.03
_MONTH_FACTORS = (1.1, 1.0, 1.08, 1.0, 1.0, 0.95, 0.9, 0.95, 1.0, 1.08, 1.0, 0.94)
_WEEKDAY_FACTORS = (1.15, 1.1, 1.08, 1.05, 1.0, 0.3, 0.2)


@dataclass(frozen=True)
class Cast:
    """Who may appear in a payer's claims, and the day they are seen from (an ordinal)."""

    payer: Payer
    providers: Providers
    members: Members
    as_of: int


def draw_claims(cast: Cast, rng: np.random.Generator, count: int) -> Claims:
    """`count` claims received by the as-of day; `number` is left 0."""
    member, provider = cast.members.draw(rng, count), cast.providers.draw(rng, count)
    place = rng.choice(len(PLACE_SHARES), count, p=np.array(PLACE_SHARES) / sum(PLACE_SHARES))
    first, last, received = _dates(cast.as_of, place == INPATIENT, rng)
    birth_year, sex = cast.members.birth_year(member), cast.members.sex(member)
    condition = _conditions(cast.providers.specialty[provider], first, (birth_year, sex), rng)
    lines = 1 + rng.choice(len(cast.payer.line_shares), count, p=np.array(cast.payer.line_shares))
    return Claims(
        number=np.zeros(count, np.int64),
        member=member,
        birth_year=birth_year,
        sex=np.where(rng.random(count) < _SEX_UNKNOWN, SEX_UNKNOWN_TO_PAYER, sex),
        plan=cast.members.plan(member),
        provider=provider,
        bills=rng.random(count) >= _NOT_BILLED,
        place=place,
        condition=condition,
        diagnoses=_diagnoses(condition, rng),
        principal_second=rng.random(count) < 0.03,
        service_from=first,
        service_to=last,
        received=received,
        late=received - last > LATE_AFTER_DAYS,
        line_count=lines,
        rebilled=np.zeros(count, bool),
    )


def draw_services(claims: Claims, cast: Cast, rng: np.random.Generator) -> Services:
    """The lines' services: a visit first, then what the condition calls for, each with its charge in cents."""
    claim, place = counted(claims.line_count)
    count = len(claim)
    first, size, flat = extra_ranges()
    condition = claims.condition[claim]
    extra = flat[first[condition] + rng.integers(0, 2**31, count) % size[condition]]
    visits = np.array([PROCEDURE_CODES.index(code) for code in VISITS])
    visit = visits[(len(VISITS) * rng.random(count) ** 2.2).astype(np.int64)]
    procedure = np.where((place == 0) & (rng.random(count) < 0.8), visit, extra)
    charges, units_most = np.array([(dollars * 100, most) for dollars, _, most in PROCEDURES.values()]).T
    units = 1 + (rng.random(count) ** 3 * units_most[procedure]).astype(np.int64)
    spread = rng.lognormal(0, 0.4, count) * cast.providers.price[claims.provider[claim]]
    first_modifier = np.where(rng.random(count) < 0.17, rng.integers(2, len(MODIFIERS) + 1, count), 0)
    from_day, to_day = _line_days(take(claims, claim), place, rng) if cast.payer.stays_by_line else _claim_days(claims, claim)
    return Services(
        claim=claim,
        procedure=np.where(rng.random(count) < _PROCEDURE_BLANK, -1, procedure),
        modifier_1=first_modifier,
        modifier_2=np.where((first_modifier > 0) & (rng.random(count) < 0.12), 1, 0),
        units=units,
        charge=np.clip((charges[procedure] * units * spread).astype(np.int64), 500, 50_000_000),
        first_day=from_day,
        last_day=to_day,
    )


def _dates(as_of: int, stays: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last day of service and day of receipt; claims still on their way are dated 52 weeks earlier."""
    count = len(stays)
    first = as_of - SERVICE_DAYS + 1 + np.searchsorted(_day_volume(as_of), rng.random(count), side="right")
    last = first + np.where(stays, rng.integers(1, 8, count), 0)
    lag = 1 + rng.lognormal(1.9, 0.85, count).astype(np.int64)
    slow = rng.random(count) < 0.025
    received = last + np.minimum(np.where(slow, rng.integers(50, 240, count), lag), LONGEST_LAG)
    shift = np.where(received > as_of, RE_DATED_DAYS, 0)
    return first - shift, last - shift, received - shift


def _day_volume(as_of: int) -> np.ndarray:
    """Cumulated share of the services of the last 730 days by day."""
    days = np.arange(as_of - SERVICE_DAYS + 1, as_of + 1)
    weights = np.array(_MONTH_FACTORS)[month_of(days) % 12] * np.array(_WEEKDAY_FACTORS)[(days + 6) % 7]
    growth = np.linspace(0.9, 1.1, SERVICE_DAYS)
    volume: np.ndarray = np.cumsum(weights * growth)
    volume /= volume[-1]
    return volume


def month_of(days: np.ndarray) -> np.ndarray:
    """Months since 1970 of ordinals; month % 12 is 0 in January."""
    return (days - 719_163).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _conditions(specialty: np.ndarray, day: np.ndarray, person: tuple[np.ndarray, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """One condition a claim, by specialty, age, month and sex."""
    birth_year, sex = person
    month = month_of(day)
    age = 1970 + month // 12 - birth_year
    weights = specialty_weights()[specialty] * age_weights()[np.searchsorted(_AGE_EDGES, age, side="right")] * season_weights()[month % 12]
    weights[:, PREGNANCY] *= sex == 0
    volume = np.cumsum(weights, axis=1)
    drawn = rng.random(len(day)) * volume[:, -1]
    condition: np.ndarray = np.count_nonzero(volume < drawn[:, None], axis=1)
    return condition


def _diagnoses(condition: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[claim, 4] indexes into CODES, principal first, -1 = none; a few principals are headings."""
    count = len(condition)
    first, size = leaf_ranges()
    leaf = first[condition] + (size[condition] * rng.random(count) ** 1.4).astype(np.int64)
    heading = (rng.random(count) < _HEADING) & (condition < LISTED_CONDITIONS)
    further = (rng.random(count) ** 1.8 * 4).astype(np.int64)
    start, step = rng.integers(0, len(SECONDARY), count), rng.integers(1, 5, count)
    others = FIRST_SECONDARY + (start[:, None] + step[:, None] * np.arange(3)) % len(SECONDARY)
    repeats = (np.array(SAME_CODE)[others] == np.array(SAME_CODE)[leaf][:, None]).any(axis=1)
    others = np.where((np.arange(3) < further[:, None]) & ~repeats[:, None], others, -1)
    return np.column_stack([np.where(heading, FIRST_HEADING + condition, leaf), others])


def _line_days(claims: Claims, place: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Days within the stay; the first line starts with it, so that every version starts on the same day."""
    stay = claims.service_to - claims.service_from
    offset = np.where(place == 0, 0, (rng.random(len(place)) * (stay + 1)).astype(np.int64))
    length = (rng.random(len(place)) * (stay - offset + 1)).astype(np.int64)
    return claims.service_from + offset, claims.service_from + offset + length


def _claim_days(claims: Claims, claim: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return claims.service_from[claim], claims.service_to[claim]
