"""Draws the lines of versions and shares out their money to the cent. In: claims, services, versions. Out: `Lines`.

Of a decided line: allowed = paid + deductible + coinsurance + copay + other payer. A reversal is the negative of the
version before it; a few reversals do not mirror on purpose.
"""

from __future__ import annotations

import numpy as np

from medflow.generate.claims import Cast
from medflow.generate.tables import (
    ALLOWED,
    AMOUNTS,
    BILLED,
    BLANK,
    COINSURANCE,
    COPAY,
    DEDUCTIBLE,
    DENIED,
    OTHER_PAYER,
    PAID_OUT,
    PENDING,
    REJECTED,
    REVERSAL,
    Lines,
    Services,
    Versions,
    counted,
)

_ALL_DEDUCTIBLE, _OTHER_PAYER, _MISMATCH = 0.06, 0.04, 0.06
_COPAYS = (1000, 2000, 2500, 3000, 4000)
_PERCENT = (10, 15, 20, 30)


def draw_lines(versions: Versions, services: Services, cast: Cast, rng: np.random.Generator) -> Lines:
    """The lines of every version, sorted by version and number."""
    version, place = counted(versions.line_count)
    first_service = np.flatnonzero(np.diff(services.claim, prepend=-1))
    service = first_service[versions.claim[version]] + place
    amounts = _amounts(versions, (version, place), services.charge[service], (cast, rng))
    _mirror(amounts, versions, (version, place), rng)
    return Lines(
        version=version,
        number=place + 1,
        procedure=services.procedure[service],
        modifier_1=services.modifier_1[service],
        modifier_2=services.modifier_2[service],
        units=services.units[service],
        first_day=services.first_day[service],
        last_day=services.last_day[service],
        amounts=amounts,
    )


def _amounts(
    versions: Versions, line: tuple[np.ndarray, np.ndarray], charge: np.ndarray, context: tuple[Cast, np.random.Generator]
) -> np.ndarray:
    """[line, AMOUNTS] in cents; a replacement may correct the charge, every version is priced anew."""
    cast, rng = context
    version, _ = line
    corrected = (versions.sequence > 0) & (rng.random(len(versions.claim)) < 0.3)
    percent = np.where(corrected, rng.integers(60, 131, len(corrected)), 100)
    amounts = np.zeros((len(version), len(AMOUNTS)), np.int64)
    amounts[:, BILLED] = charge * percent[version] // 100
    rate = np.clip((1000 * cast.payer.contract * rng.lognormal(0, 0.12, len(version))).astype(np.int64), 150, 980)
    amounts[:, ALLOWED] = amounts[:, BILLED] * rate // 1000
    _share_out(amounts, versions, line, rng)
    status = versions.status[version]
    amounts[status == DENIED, ALLOWED:] = 0
    amounts[(status == PENDING) | (status == REJECTED), ALLOWED:] = BLANK
    return amounts


def _share_out(amounts: np.ndarray, versions: Versions, line: tuple[np.ndarray, np.ndarray], rng: np.random.Generator) -> None:
    """Fill the payer columns from `allowed`: each part takes from what is left, paid is the rest."""
    version, place = line
    count, claims = len(version), len(versions.claim)
    all_deductible = (rng.random(claims) < _ALL_DEDUCTIBLE)[version]
    other = (rng.random(claims) < _OTHER_PAYER)[version]
    left = amounts[:, ALLOWED].copy()
    part = np.where(rng.random(count) < 0.16, rng.integers(5, 90, count), 0)
    amounts[:, DEDUCTIBLE] = np.where(all_deductible, left, left * part // 100)
    left -= amounts[:, DEDUCTIBLE]
    copay = np.where((place == 0) & (rng.random(count) < 0.5), rng.choice(_COPAYS, count), 0)
    amounts[:, COPAY] = np.minimum(copay, left)
    left -= amounts[:, COPAY]
    amounts[:, COINSURANCE] = left * np.where(rng.random(count) < 0.45, rng.choice(_PERCENT, count), 0) // 100
    left -= amounts[:, COINSURANCE]
    amounts[:, OTHER_PAYER] = np.where(other, left * rng.integers(20, 80, count) // 100, 0)
    amounts[:, PAID_OUT] = left - amounts[:, OTHER_PAYER]


def _mirror(amounts: np.ndarray, versions: Versions, line: tuple[np.ndarray, np.ndarray], rng: np.random.Generator) -> None:
    """Make the lines of reversals the negative of the version before; a mismatch stays balanced and in order."""
    version, place = line
    rows = np.flatnonzero(versions.kind[version] == REVERSAL)
    source = versions.first_line[versions.before[version[rows]]] + place[rows]
    amounts[rows] = -amounts[source]
    off = (rng.random(len(versions.claim)) < _MISMATCH) * rng.integers(100, 2000, len(versions.claim))
    for column in (BILLED, ALLOWED, PAID_OUT):
        amounts[rows, column] -= off[version[rows]]
