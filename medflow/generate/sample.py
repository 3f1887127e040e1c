"""Writes a sample and the truth about it, batch by batch, so that its size costs time and disk but no memory.

In: a `SampleRequest`. Out: the files of three payers, the provider list, `truth.json`. The same request gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import numpy as np

from medflow.generate.claims import Cast
from medflow.generate.damage import DAMAGES
from medflow.generate.draft import Draft
from medflow.generate.draw import deliver, draw_batch
from medflow.generate.files import PayerFiles, write_providers, write_truth
from medflow.generate.gold import MOST_CLAIMS_WITH_MEMBERS, GoldTotals
from medflow.generate.layouts import LAYOUTS
from medflow.generate.payers import PAYERS, split_claims
from medflow.generate.quota import DefectQuota
from medflow.generate.reading import read_back
from medflow.generate.request import SampleRequest
from medflow.generate.sexes import RareSexCodes
from medflow.generate.truth import Truth
from medflow.generate.world import make_members, make_providers

BATCH_CLAIMS: Final = 20_000
_DAYS_BACK: Final = 1_200  # further back than any date of a sample
_DELIVERED_TWICE: Final = 0.003


class _PayerSample:
    """Draws, spoils, writes and counts the batches of one payer."""

    def __init__(self, request: SampleRequest, cast: Cast, truth: Truth) -> None:
        payer, as_of = cast.payer, request.as_of
        self._cast, self._truth, self._request = cast, truth, request
        self._layout = LAYOUTS[payer.index](cast.providers, cast.as_of - _DAYS_BACK, cast.as_of)
        days = [as_of - timedelta(days=back) for back in range(request.days - 1, -1, -1)]
        self.files = PayerFiles(request.out, self._layout, days)
        self._quota = DefectQuota(payer.name, request.defects, request.days)
        self._sexes = RareSexCodes(request.days, self._layout.wide)
        self._claims = 0

    def add(self, count: int, batch_number: int) -> None:
        """Write `count` more claims."""
        if not count:
            return
        key = (batch_number, self._cast.payer.index)
        rng = np.random.default_rng(np.random.SeedSequence(self._request.seed, spawn_key=key))
        batch = draw_batch(self._cast, rng, count, self._claims + 1)
        batch = deliver(batch, self._cast.as_of - self._request.days + 1, self._request.days)
        draft = Draft(self._sexes.limit(batch), self._layout)
        self._quota.place(draft, rng)
        deliver_twice(draft, rng)
        reading = read_back(draft)
        self.files.write(draft.records(), reading.record_file)
        self._truth.add(self._cast.payer.index, draft.batch, reading)
        self._claims += count

    def close(self) -> None:
        counts = self._truth.payers[self._cast.payer.index]
        self.files.close(counts.records, counts.billed)


def deliver_twice(draft: Draft, rng: np.random.Generator) -> None:
    """State a few records again, exactly; never one that is unreadable or contradicted already."""
    taken = {*draft.resized, *draft.copies}
    for record in np.flatnonzero(rng.random(draft.record_count) < _DELIVERED_TWICE).tolist():
        if record not in taken:
            draft.copy(record)


def generate(request: SampleRequest, progress: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Write the sample below `request.out` and return the truth, which is also written as `truth.json`.

    `progress` is told the number of claims written so far.

    Raises:
        UsageError: the asked damage needs a record, and the file of its payer has none.
    """
    as_of, providers = request.as_of.toordinal(), make_providers(request.claims, request.seed)
    gold = GoldTotals(as_of - _DAYS_BACK, as_of, providers.count, request.claims <= MOST_CLAIMS_WITH_MEMBERS)
    truth = Truth(request.days, gold)
    request.out.mkdir(parents=True, exist_ok=True)
    write_providers(request.out, providers)
    shares = split_claims(request.claims)
    casts = [
        Cast(payer, providers, make_members(share, request.seed, payer.index, request.as_of.year), as_of)
        for payer, share in zip(PAYERS, shares, strict=True)
    ]
    samples = [_PayerSample(request, cast, truth) for cast in casts]
    _write_batches(request.claims, samples, progress)
    paths = [sample.files.paths for sample in samples]
    told = {**_asked(request), **truth.summary(paths), "providers": providers.count, "damage": _damaged(request, paths)}
    write_truth(request.out, told)
    return told


def _write_batches(claims: int, samples: list[_PayerSample], progress: Callable[[int], None]) -> None:
    done = 0
    while done < claims:
        upto = min(claims, done + BATCH_CLAIMS)
        for sample, before, after in zip(samples, split_claims(done), split_claims(upto), strict=True):
            sample.add(after - before, done // BATCH_CLAIMS)
        done = upto
        progress(done)
    for sample in samples:
        sample.close()


def _asked(request: SampleRequest) -> dict[str, Any]:
    return {
        "claims": request.claims,
        "seed": request.seed,
        "as_of": request.as_of.isoformat(),
        "days": request.days,
        "defects": request.defects,
    }


def _damaged(request: SampleRequest, paths: list[list[str]]) -> dict[str, str] | None:
    """Damage the latest file of the payer that the kind suits; the truth stays about the files as they were before."""
    if request.damage is None:
        return None
    damage = DAMAGES[request.damage]
    index = next(payer.index for payer in PAYERS if payer.name == damage.payer)
    path = next((path for path in reversed(paths[index]) if path), "")
    file = request.out / path
    file.write_bytes(damage.apply(file.read_bytes()))
    note = "all counts are about the files before the damage"
    return {"kind": request.damage, "file": path, "outcome": damage.outcome, "about": damage.about, "note": note}
