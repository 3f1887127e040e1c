"""Draws one batch: claims of one payer with versions and lines, numbered and dated to their files.

In: the cast, a random stream, how many claims. Out: a `Batch`. A few claims are billed a second time under another number.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from medflow.generate.claims import Cast, draw_claims, draw_services
from medflow.generate.money import draw_lines
from medflow.generate.tables import Batch, take
from medflow.generate.versions import draw_versions

_REBILLED = 0.002


def draw_batch(cast: Cast, rng: np.random.Generator, count: int, first_number: int) -> Batch:
    """`count` distinct claims, numbered from `first_number`."""
    again = min(int(rng.binomial(count, _REBILLED)), count // 2)
    claims = draw_claims(cast, rng, count - again)
    services = draw_services(claims, cast, rng)
    versions = draw_versions(claims, services, cast, rng)
    batch = _billed_again(Batch(claims, versions, draw_lines(versions, services, cast, rng)), again, rng)
    number = first_number + np.arange(len(batch.claims.member))
    return dataclasses.replace(batch, claims=dataclasses.replace(batch.claims, number=number))


def deliver(batch: Batch, first_day: int, days: int) -> Batch:
    """Put every version into the daily file of the latest date that it carries; older ones go to the first."""
    versions = batch.versions
    latest = np.maximum(np.maximum(versions.received, versions.adjudicated), versions.paid)
    file = np.clip(latest - first_day, 0, days - 1)
    return dataclasses.replace(batch, versions=dataclasses.replace(versions, file=file))


def _billed_again(batch: Batch, again: int, rng: np.random.Generator) -> Batch:
    """Append copies of `again` claims that have one original version; fewer if there are too few such claims."""
    claims, versions, lines = batch.claims, batch.versions, batch.lines
    per_claim = np.bincount(versions.claim, minlength=len(claims.member))
    single = np.flatnonzero((per_claim[versions.claim] == 1) & (versions.sequence == 0))
    source = np.sort(rng.choice(single, again, replace=False))
    copied = np.flatnonzero(np.isin(lines.version, source))
    flags = np.zeros(len(claims.member), bool)
    flags[versions.claim[source]] = True
    claims = dataclasses.replace(claims, rebilled=flags)
    new_claim = len(claims.member) + np.arange(again)
    new_version = np.repeat(len(versions.claim) + np.arange(again), versions.line_count[source])
    return Batch(
        take(claims, np.append(np.arange(len(flags)), versions.claim[source])),
        dataclasses.replace(take(versions, np.append(np.arange(len(versions.claim)), source)), claim=np.append(versions.claim, new_claim)),
        dataclasses.replace(take(lines, np.append(np.arange(len(lines.version)), copied)), version=np.append(lines.version, new_version)),
    )
