"""Keeps sex codes that the payer's map lacks rare in every single file: too many in a column would reject a small file.

In: batches of one payer on their way to files. Out: the same, with some of those codes made `U`.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from medflow.generate.tables import SEX_UNKNOWN_TO_PAYER, Batch

MOST_OF_A_FILE: Final = 0.01
_UNKNOWN_TO_ALL: Final = 2


class RareSexCodes:
    """Counts of one payer's files so far. `by_version`: a record states a whole version."""

    def __init__(self, files: int, by_version: bool) -> None:
        self._cells = np.zeros(files, np.int64)
        self._odd = np.zeros(files, np.int64)
        self._by_version = by_version

    def limit(self, batch: Batch) -> Batch:
        """Keep an odd code while its files stay under the limit; claims billed twice never have one."""
        claims, versions = batch.claims, batch.versions
        cells = np.ones_like(versions.line_count) if self._by_version else versions.line_count
        np.add.at(self._cells, versions.file, cells)
        sex = claims.sex.copy()
        for claim in np.flatnonzero(sex == SEX_UNKNOWN_TO_PAYER).tolist():
            rows = np.flatnonzero(versions.claim == claim)
            odd = self._odd + np.bincount(versions.file[rows], cells[rows], len(self._odd)).astype(np.int64)
            if claims.rebilled[claim] or (odd > MOST_OF_A_FILE * self._cells).any():
                sex[claim] = _UNKNOWN_TO_ALL
            else:
                self._odd = odd
        return dataclasses.replace(batch, claims=dataclasses.replace(claims, sex=sex))
