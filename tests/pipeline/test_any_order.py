"""Chains of original, denial, resubmission, reversal and replacement, in any split and order of arrival: one result."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from tests.support.claims import WRITERS, Line, Version
from tests.support.counts import counted
from tests.support.lake import Lake

_CLAIMS = 14


def chain(random: Random, claim: str) -> list[Version]:
    """One claim's versions: an original, perhaps denied, then resubmissions, reversals and replacements."""
    lines = tuple(
        Line(n, Decimal(random.choice([120, 240, 360])), Decimal(80), Decimal(random.choice([0, 60, 80])))
        for n in range(1, random.choice([1, 1, 2]) + 1)
    )
    service = date(2026, random.randint(1, 4), random.randint(1, 28))
    first = Version(
        claim,
        lines=lines,
        member=f"M{random.randint(0, 5)}",
        service=service,
        received=service + timedelta(9),
        adjudicated=service + timedelta(12),
        paid_on=service + timedelta(13),
    )
    versions = [random.choice([first, first, first.denied(), first.pending()])]
    for sequence in range(1, random.choice([1, 2, 3, 4])):
        when = service + timedelta(10 * sequence + 9)
        dated = replace(first, sequence=sequence, received=when, adjudicated=when + timedelta(1), paid_on=when + timedelta(2))
        moved = replace(dated, service=service + timedelta(random.choice([0, -35])))
        before = versions[-1]
        undo = replace(dated, status="reversed", lines=before.lines)
        versions.append(random.choice([moved, dated.denied(), undo]) if before.status == "paid" else moved)
    return versions if random.random() > 0.1 else versions[1:] or versions


def deliveries(random: Random) -> list[tuple[str, str, bytes]]:
    """Files: each version goes whole into one of four; now and then a second file brings it again, the same or not."""
    files = []
    for payer, writer in WRITERS.items():
        boxes: list[list[Version]] = [[], [], [], []]
        for number in range(_CLAIMS):
            for version in chain(random, f"C{number}"):
                boxes[random.randrange(4)].append(version)
                if random.random() < 0.15:
                    again = (
                        version
                        if random.random() < 0.5
                        else replace(version, lines=tuple(replace(line, procedure="99214") for line in version.lines))
                    )
                    boxes[random.randrange(4)].append(again)
        files += [(payer, f"{n}.txt", writer(unique(box))) for n, box in enumerate(boxes) if box]
    return files


def unique(versions: list[Version]) -> list[Version]:
    """One delivery of a version a file: two that differ would be an error in it."""
    return list({(version.claim, version.sequence): version for version in versions}.values())


def run_in(random: Random, files: list[tuple[str, str, bytes]], lake: Lake, runs: int) -> None:
    """Land the files in a random order, spread over some runs."""
    order = random.sample(files, len(files))
    for start in range(runs):
        for file in order[start::runs]:
            lake.put(*file)
        lake.run()


@pytest.mark.parametrize("seed", range(counted(3, 40)))
def test_order_and_split_of_arrival_never_matter(seed: int) -> None:
    """All files at once, or in another order over three runs: every table is the same."""
    random = Random(seed)
    files = deliveries(random)
    with tempfile.TemporaryDirectory() as folder:
        once, spread = Lake(Path(folder) / "once"), Lake(Path(folder) / "spread")
        run_in(random, files, once, 1)
        run_in(random, files, spread, 3)
        expected = once.content()
        assert len(expected["healthcare.claims_clean"]) > _CLAIMS
        assert spread.content() == expected
