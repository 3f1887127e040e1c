"""A batch on its way to a file: its text cells, and what was done to them. In: a `Batch` and its layout. Out: records.

A line is named by its row in the batch, a record by its place among the batch's records. Copies stand after all others.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from medflow.generate.layouts import Layout
from medflow.generate.tables import BILLED, Batch


class Draft:
    """Text columns with the errors put into them.

    `errors`: line row → rules that it fails. `untold`: version rows whose claim is known but whose version is not.
    `resized`: records of a wrong width, with whether a field is spare. `copies`: records that stand in the file again.
    `billed`: what can be read of each line's charge, in cents.
    """

    def __init__(self, batch: Batch, layout: Layout) -> None:
        self.batch = batch
        self.layout = layout
        self.columns = layout.columns(batch)
        self.errors: dict[int, tuple[str, ...]] = {}
        self.untold: set[int] = set()
        self.resized: dict[int, bool] = {}
        self.copies: list[int] = []
        self.billed = batch.lines.amounts[:, BILLED].copy()
        self._first_line: list[int] = batch.versions.first_line.tolist()
        self._line_count: list[int] = batch.versions.line_count.tolist()
        self._line_version: list[int] = batch.lines.version.tolist()

    @property
    def record_count(self) -> int:
        """Records without copies."""
        return len(self.batch.versions.claim) if self.layout.wide else len(self.batch.lines.version)

    @property
    def record_version(self) -> np.ndarray:
        """Version of each record, copies left out."""
        return np.arange(self.record_count) if self.layout.wide else self.batch.lines.version

    def lines_of(self, version: int) -> range:
        """Line rows of a version."""
        first = self._first_line[version]
        return range(first, first + self._line_count[version])

    def number_of(self, line: int) -> int:
        """The payer's line number."""
        return line - self._first_line[self._line_version[line]] + 1

    def record_of(self, line: int) -> int:
        return self._line_version[line] if self.layout.wide else line

    def lines_in(self, record: int) -> range:
        """Line rows that a record states."""
        return self.lines_of(record) if self.layout.wide else range(record, record + 1)

    def put(self, line: int, edits: dict[str, str | int], record: int | None = None) -> None:
        """State other values of facts (cents if integers) on a line, or on the copy `record` of its record."""
        record = self.record_of(line) if record is None else record
        for fact, value in edits.items():
            for column, text in self.layout.spell(fact, value, self.number_of(line)).items():
                self.columns[column][record] = text
        if "billed_amount" in edits:
            value = edits["billed_amount"]
            self.billed[line] = value if isinstance(value, int) else 0

    def copy(self, record: int) -> int:
        """State a record once more; returns the place of the copy."""
        for texts in self.columns.values():
            texts.append(texts[record])
        self.copies.append(record)
        return self.record_count + len(self.copies) - 1

    def resize(self, record: int, spare: bool) -> None:
        """Give a record the wrong number of fields: nothing but its claim can be read then."""
        self.resized[record] = spare
        self.billed[list(self.lines_in(record))] = 0
        self.untold.add(self._line_version[self.lines_in(record)[0]])

    def fail(self, lines: Iterable[int], rules: tuple[str, ...]) -> None:
        self.errors.update(dict.fromkeys(lines, rules))

    def records(self) -> list[str]:
        """All records without line ends, copies last."""
        records = self.layout.records(self.columns)
        for record, spare in self.resized.items():
            records[record] = self.layout.resized(records[record], spare)
        return records
