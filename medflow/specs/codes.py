"""Code lists and the gate as declared."""

from __future__ import annotations

from pydantic import Field

from medflow.specs.declarations import Declarations
from medflow.specs.table import Declared


class CodeList(Declared):
    """A small code list; each row maps the list's columns to text."""

    codes: str
    rows: tuple[dict[str, str], ...] = Field(min_length=1)
    groups: tuple[dict[str, str], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.rows[0])

    def values(self, column: str) -> tuple[str, ...]:
        return tuple(row[column] for row in self.rows)


def code_lists(files: Declarations) -> dict[str, CodeList]:
    """Every code list of the folder `codes`, by its name."""
    return {listed.codes: listed for _, listed in files.each("codes", CodeList)}


class ErrorShare(Declared):
    """Share of a payer's lines read, or of all, that have an error of their own."""

    refuse_at: float = Field(gt=0, le=1)
    warn_at: float = Field(gt=0, le=1)
    warn_only_under_lines: int = Field(ge=0)


class Drift(Declared):
    """A figure against the payer's last batches: outside [low, high] times their median."""

    outside: tuple[float, float]
    of: str
    from_batch: int = Field(ge=2)
    outcome: str = Field(pattern="^(warn|refuse)$")


class ParserFailures(Declared):
    """Share of a column's filled values that fail their parser above which the file is rejected whole."""

    reject_file_above: float = Field(gt=0, le=1)


class Gate(Declared):
    """The quality gate."""

    error_share: ErrorShare
    line_volume: Drift
    median_billed: Drift
    parser_failures: ParserFailures
