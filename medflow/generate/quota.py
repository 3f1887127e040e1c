"""Spreads defects over a payer's lines so that their share comes out as asked and no column fails too often.

In: drafts, one after another. Out: the same drafts with defects in them. Keeps counts only, so it runs at any size.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

import numpy as np

from medflow.generate.defects import DEFECTS, Defect, Target
from medflow.generate.draft import Draft
from medflow.generate.tables import Batch
from medflow.generate.warnings import warned_versions

MOST_OF_A_COLUMN: Final = 0.0195  # of the non-empty values: under the 2 % that a sample may hold, far under what rejects a file
_PATIENCE: Final = 200


class DefectQuota:
    """Places the defects of one payer. `share` of all lines get an error of their own."""

    def __init__(self, payer: str, share: float, files: int) -> None:
        self.defects = [defect for defect in DEFECTS if payer in defect.payers]
        self.share = share
        self.lines = 0
        self.failed = 0
        self._failed_by = Counter[Defect]()
        self._filled: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(files, np.int64))
        self._spoiled: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(files, np.int64))

    def place(self, draft: Draft, rng: np.random.Generator) -> None:
        """Spoil as many lines of the draft as the share asks for, counting all drafts so far."""
        self.lines += len(draft.batch.lines.version)
        if not self.share:
            return
        self._count_cells(draft)
        candidates = _Candidates(draft, rng)
        target = self.lines * self.share
        rare_first = sorted(self.defects, key=candidates.number)
        for defect in rare_first:
            self._spoil(candidates, defect, int(target / len(rare_first) - self._failed_by[defect]))
        self._fill_up(candidates, target)

    def _fill_up(self, candidates: _Candidates, target: float) -> None:
        """Hand what is missing to the defects that have been used least, until nothing fits any more."""
        open_ = list(self.defects)
        while open_ and round(target) > self.failed:
            open_.sort(key=lambda defect: self._failed_by[defect])
            wanted = max(1, int((target - self.failed) / len(open_)))
            stuck = [defect for defect in open_ if round(target) > self.failed and not self._spoil(candidates, defect, wanted)]
            open_ = [defect for defect in open_ if defect not in stuck]

    def _spoil(self, candidates: _Candidates, defect: Defect, wanted: int) -> int:
        """Put up to `wanted` lines' worth of a defect in; returns how many lines fail now."""
        failed = misses = 0
        rows = candidates.rows(defect) if wanted > 0 else np.zeros(0, np.int64)
        for version in rows.tolist():
            if failed >= wanted or misses > _PATIENCE or self._failed_by[defect] >= max(1, MOST_OF_A_COLUMN * self.lines):
                break
            target = candidates.target(version)
            if not self._has_room(defect, target):
                misses += 1
                continue
            failed += self._apply(defect, target)
            candidates.used(version)
        return failed

    def _apply(self, defect: Defect, target: Target) -> int:
        draft = target.draft
        copies = len(draft.copies)
        lines = len(defect.apply(target))
        failed = lines * (1 + len(draft.copies) - copies)
        self.failed += failed
        self._failed_by[defect] += failed
        for column, cells in _cells(defect, target):
            self._spoiled[column][_file(target)] += cells
        return failed

    def _has_room(self, defect: Defect, target: Target) -> bool:
        """Whether the columns can take it: what does not parse counts by file, the rest over all files."""
        file = _file(target)
        for column, cells in _cells(defect, target):
            spoiled, filled = self._spoiled[column], self._filled[column]
            if spoiled[file] + cells > MOST_OF_A_COLUMN * filled[file] and defect.unread:
                return False
            if spoiled.sum() + cells > max(1, MOST_OF_A_COLUMN * filled.sum()):
                return False
        return True

    def _count_cells(self, draft: Draft) -> None:
        files = draft.batch.versions.file[draft.record_version]
        for column, texts in draft.columns.items():
            filled = self._filled[column]
            if len(filled) == 1:
                filled[0] += len(texts) - texts.count("") - (texts.count(draft.layout.no_day) if draft.layout.no_day else 0)
            else:
                some = np.array([text not in ("", draft.layout.no_day) for text in texts], bool)
                filled += np.bincount(files[some], minlength=len(filled))


class _Candidates:
    """The versions of a draft in drawn order; a claim is spoiled once at most."""

    def __init__(self, draft: Draft, rng: np.random.Generator) -> None:
        self.draft = draft
        batch = draft.batch
        count = len(batch.versions.claim)
        self._order = rng.permutation(count)
        self._draws = rng.integers(0, 2**31, count).tolist()
        self._free = ~batch.claims.rebilled
        self._warned = warned_versions(batch)

    def rows(self, defect: Defect) -> np.ndarray:
        """Version rows that can take the defect, in drawn order."""
        batch: Batch = self.draft.batch
        fits = defect.eligible(batch) & self._free[batch.versions.claim]
        fits &= ~self._warned | defect.tolerant
        order: np.ndarray = self._order[fits[self._order]]
        return order

    def number(self, defect: Defect) -> int:
        return int(defect.eligible(self.draft.batch).sum())

    def target(self, version: int) -> Target:
        lines, draw = self.draft.lines_of(version), self._draws[version]
        return Target(self.draft, version, lines[draw % len(lines)], draw)

    def used(self, version: int) -> None:
        self._free[self.draft.batch.versions.claim[version]] = False


def _file(target: Target) -> int:
    return int(target.draft.batch.versions.file[target.version])


def _cells(defect: Defect, target: Target) -> list[tuple[str, int]]:
    """The columns that a defect fills with something wrong, each with the number of cells."""
    if defect.blanks or defect.fact == "record":
        return []
    layout = target.draft.layout
    times = len(target.draft.lines_of(target.version)) if defect.whole and not layout.wide else 1
    return [(column, times) for column in layout.cells(defect.fact, target.draft.number_of(target.line))]
