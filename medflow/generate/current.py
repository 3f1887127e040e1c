"""The current version of every claim, given which versions were accepted. In: batch and acceptance. Out: `Current`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medflow.generate.tables import BLANK, ORIGINAL, REVERSAL, Batch


@dataclass(frozen=True)
class Current:
    """One row a claim that has an accepted version.

    `version`: its last accepted one. `amounts`: [claim, AMOUNTS] cents, not determined = 0, all 0 if reversed.
    `original_unknown`, `reversal_mismatch`: warnings against the other accepted versions.
    """

    version: np.ndarray
    claim: np.ndarray
    amounts: np.ndarray
    original_unknown: np.ndarray
    reversal_mismatch: np.ndarray


def current_versions(batch: Batch, accepted: np.ndarray) -> Current:
    """Of the accepted versions, the last of each claim."""
    versions = batch.versions
    rows = np.flatnonzero(accepted)
    claim = versions.claim[rows]
    last = np.flatnonzero(np.append(claim[1:] != claim[:-1], True)[: len(claim)])
    version = rows[last]
    has_before = np.append(False, claim[1:] == claim[:-1])[: len(claim)][last]
    before = np.where(has_before, rows[last - 1], -1)
    original = np.zeros(len(batch.claims.member), bool)
    original[claim[versions.kind[rows] == ORIGINAL]] = True
    reversed_ = versions.kind[version] == REVERSAL
    return Current(
        version=version,
        claim=claim[last],
        amounts=np.where(reversed_[:, None], 0, _sums(batch)[version]),
        original_unknown=~original[claim[last]],
        reversal_mismatch=_mismatches(batch, version, np.where(reversed_, before, -1)),
    )


def _sums(batch: Batch) -> np.ndarray:
    """[version, AMOUNTS] in cents."""
    amounts = batch.lines.amounts
    if not len(amounts):
        return amounts
    sums: np.ndarray = np.add.reduceat(np.where(amounts == BLANK, 0, amounts), batch.versions.first_line)
    return sums


def _mismatches(batch: Batch, version: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Of each row: whether it has a version before it that its lines do not mirror."""
    first, count, amounts = batch.versions.first_line, batch.versions.line_count, batch.lines.amounts
    result = np.zeros(len(version), bool)
    for row in np.flatnonzero(before >= 0).tolist():
        one, other = version[row], before[row]
        mine = amounts[first[one] : first[one] + count[one]]
        theirs = amounts[first[other] : first[other] + count[other]]
        result[row] = not np.array_equal(mine, -theirs)
    return result
