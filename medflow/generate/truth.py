"""The truth about a sample: what a right pipeline reads, sets aside, keeps and publishes of it.

In: finished drafts with their readings, file by file. Out: one dictionary. Counts only; no claim is kept.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np

from medflow.generate.current import current_versions
from medflow.generate.defects import ERROR_RULES
from medflow.generate.gold import GoldTotals
from medflow.generate.payers import PAYERS
from medflow.generate.reading import Reading
from medflow.generate.tables import Batch
from medflow.generate.warnings import LINE_WARNINGS

MOST_RECORDS_LISTED: Final = 60_000
VERSION_WARNINGS: Final = ("key_conflict", "original_unknown", "reversal_mismatch")
_RULES: Final = (*ERROR_RULES, *LINE_WARNINGS, "claim_incomplete")


class PayerTruth:
    """Counts of one payer, by file where files matter."""

    def __init__(self, files: int) -> None:
        self.records, self.lines, self.billed = (np.zeros(files, np.int64) for _ in range(3))
        self.rules: Counter[str] = Counter()
        self.own_errors = self.quarantined = self.claims = self.clean_lines = 0
        self.warnings: Counter[str] = Counter()

    def add(self, reading: Reading) -> None:
        """Count the lines as read."""
        files = len(self.records)
        self.records += np.bincount(reading.record_file, minlength=files)
        self.lines += np.bincount(reading.file, minlength=files)
        np.add.at(self.billed, reading.file, reading.billed)
        self.rules += reading.rules
        self.own_errors += int(reading.own.sum())
        self.quarantined += int(reading.quarantined.sum())


class Truth:
    """What is true of all files written so far."""

    def __init__(self, files: int, gold: GoldTotals) -> None:
        self.payers = [PayerTruth(files) for _ in PAYERS]
        self._gold = gold
        self._quarantined: list[tuple[int, int, int, int]] | None = []

    def add(self, payer: int, batch: Batch, reading: Reading) -> None:
        """Count one draft of a payer."""
        counts = self.payers[payer]
        self._list_quarantined(payer, reading)
        counts.add(reading)
        current = current_versions(batch, reading.accepted)
        lines = batch.versions.line_count[current.version]
        counts.claims += len(current.claim)
        counts.clean_lines += int(lines.sum())
        counts.warnings["original_unknown"] += int(lines[current.original_unknown].sum())
        counts.warnings["reversal_mismatch"] += int(lines[current.reversal_mismatch].sum())
        self._gold.add(payer, batch, current)

    def summary(self, paths: list[list[str]]) -> dict[str, Any]:
        """All counts; `paths`: relative path of each payer's files, blank for one that was not written."""
        by_payer = {payer.name: counts for payer, counts in zip(PAYERS, self.payers, strict=True)}
        lines = {name: int(counts.lines.sum()) for name, counts in by_payer.items()}
        own = {name: counts.own_errors for name, counts in by_payer.items()}
        summary = {
            "files": self._files(paths),
            "lines_read": lines,
            "own_error_lines": own,
            "own_error_share": sum(own.values()) / sum(lines.values()) if sum(lines.values()) else 0.0,
            "rules": {name: {rule: counts.rules[rule] for rule in _RULES} for name, counts in by_payer.items()},
            "quarantine": {name: counts.quarantined for name, counts in by_payer.items()},
            "history_lines": {name: lines[name] - counts.quarantined for name, counts in by_payer.items()},
            "clean": {name: {"claims": counts.claims, "lines": counts.clean_lines} for name, counts in by_payer.items()},
            "version_warnings": {name: {rule: counts.warnings[rule] for rule in VERSION_WARNINGS} for name, counts in by_payer.items()},
            "gold": self._gold.rows(),
        }
        if self._quarantined is not None:
            summary["quarantined_records"] = sorted([paths[payer][file], *place] for payer, file, *place in self._quarantined)
        return summary

    def _files(self, paths: list[list[str]]) -> dict[str, dict[str, Any]]:
        return {
            path: {"payer": payer.name, **{name: int(getattr(counts, name)[file]) for name in ("records", "lines")}}
            | {"billed_cents": int(counts.billed[file])}
            for payer, counts, own in zip(PAYERS, self.payers, paths, strict=True)
            for file, path in enumerate(own)
            if path
        }

    def _list_quarantined(self, payer: int, reading: Reading) -> None:
        """Note file, record number (header = 1) and line index of what is set aside, until it is too much to list."""
        if self._quarantined is None:
            return
        rows = np.flatnonzero(reading.quarantined)
        number = _record_numbers(reading.record_file, self.payers[payer].records)[reading.record[rows]]
        listed = zip(reading.file[rows].tolist(), number.tolist(), reading.index[rows].tolist(), strict=True)
        self._quarantined += [(payer, *place) for place in listed]
        if len(self._quarantined) > MOST_RECORDS_LISTED:
            self._quarantined = None


def _record_numbers(file: np.ndarray, written: np.ndarray) -> np.ndarray:
    """Of each record: its number in its file, after the header and the records written before."""
    order = np.argsort(file, kind="stable")
    sizes = np.bincount(file, minlength=len(written))
    rank = np.empty(len(file), np.int64)
    rank[order] = np.arange(len(file)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    number: np.ndarray = 2 + written[file] + rank
    return number
