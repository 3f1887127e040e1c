"""What every payer's layout offers: text columns of a batch, one record's spelling, head and tail of a file.

In: a `Batch`. Out: text. Never opens a file and knows nothing of defects beyond how to spell a wrong value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Final

import numpy as np

from medflow.generate.diagnoses import CODES
from medflow.generate.names import PLANS
from medflow.generate.services import DENIALS, MODIFIERS, PLACES, PROCEDURE_CODES
from medflow.generate.tables import AMOUNTS, BLANK, Batch, no_claims
from medflow.generate.world import Providers

Columns = dict[str, list[str]]
AMOUNT_NAMES: Final = tuple(f"{name}_amount" for name in AMOUNTS)
SEXES: Final = ("F", "M", "U", "X")


@dataclass(frozen=True)
class Words:
    """Text by index, as object arrays: what a layout looks up instead of formatting each cell. -1 is blank."""

    npi: np.ndarray
    group_npi: np.ndarray
    days: np.ndarray
    first_day: int
    codes: np.ndarray

    def day(self, ordinals: np.ndarray) -> list[str]:
        """Days as text; 0 is no day."""
        texts: list[str] = self.days[np.where(ordinals == 0, 0, ordinals - self.first_day + 1)].tolist()
        return texts


def lookup(texts: tuple[str, ...] | list[str]) -> np.ndarray:
    """An object array of the texts with a blank at the end, so that index -1 is blank."""
    return np.array([*texts, ""], dtype=object)


PLACE_WORDS: Final = lookup(PLACES)
PROCEDURE_WORDS: Final = lookup(PROCEDURE_CODES)
MODIFIER_WORDS: Final = lookup(["", *MODIFIERS])
SEX_WORDS: Final = lookup(SEXES)
PLAN_WORDS: Final = lookup(PLANS)
DENIAL_WORDS: Final = lookup([f"{group}-{code}" for group, code, _ in DENIALS])
DENIAL_GROUP_WORDS: Final = lookup([group for group, _, _ in DENIALS])
DENIAL_CODE_WORDS: Final = lookup([code for _, code, _ in DENIALS])


class Layout(ABC):
    """A payer's way to write claims; `places` names the columns of a fact, `{k}` standing for the line group."""

    payer: ClassVar[str]
    extension: ClassVar[str] = "csv"
    wide: ClassVar[bool] = False
    delimiter: ClassVar[str] = ","
    no_day: ClassVar[str] = ""
    places: ClassVar[dict[str, tuple[str, ...]]]
    bad_days: ClassVar[tuple[str, ...]]
    bad_money: ClassVar[tuple[str, ...]]

    def __init__(self, providers: Providers, first_day: int, last_day: int) -> None:
        days = [self.no_day, *(self.day(ordinal) for ordinal in range(first_day, last_day + 1))]
        self.words = Words(
            npi=lookup([self.npi(int(npi)) for npi in providers.npi]),
            group_npi=lookup([self.npi(int(npi)) for npi in providers.group_npi]),
            days=np.array(days, dtype=object),
            first_day=first_day,
            codes=lookup([self.code(code) for code in CODES]),
        )

    @abstractmethod
    def columns(self, batch: Batch) -> Columns:
        """Header name → text of every record, in file order."""

    @abstractmethod
    def day_text(self, day: date) -> str: ...

    @abstractmethod
    def money(self, cents: int) -> str: ...

    def names(self) -> list[str]:
        """The header names in file order."""
        return list(self.columns(no_claims()))

    def day(self, ordinal: int) -> str:
        """One day as this payer writes it."""
        return self.day_text(date.fromordinal(ordinal))

    def npi(self, npi: int) -> str:
        return str(npi)

    def code(self, code: str) -> str:
        """A dotted ICD-10-CM code as this payer writes it."""
        return code.replace(".", "")

    def record(self, fields: tuple[str, ...] | list[str]) -> str:
        return self.delimiter.join(fields)

    def records(self, columns: Columns) -> list[str]:
        """Every record without its line end."""
        return [self.record(fields) for fields in zip(*columns.values(), strict=True)]

    def resized(self, record: str, spare: bool) -> str:
        """The record with a field too many, or without its last two."""
        return record + self.delimiter if spare else record.rsplit(self.delimiter, 2)[0]

    def file_text(self, records: list[str]) -> str:
        return "".join(f"{record}\n" for record in records)

    def head(self, names: list[str]) -> str:
        return self.file_text([self.record(names)])

    def tail(self, records: int, billed: int) -> str:
        return ""

    def amounts(self, cents: np.ndarray) -> list[str]:
        """Money as text; `BLANK` is blank."""
        money = self.money
        return ["" if value == BLANK else money(value) for value in cents.tolist()]

    def shared(self, fact: str) -> bool:
        """Whether one cell states the fact for all lines of a version."""
        return self.wide and "{k}" not in self.places[fact][0]

    def cells(self, fact: str, number: int) -> tuple[str, ...]:
        """The columns of a fact in the record of line `number`."""
        return tuple(name.format(k=number) for name in self.places[fact])

    def spell(self, fact: str, value: str | int, number: int) -> dict[str, str]:
        """Column → text that states `value` (cents if an integer) of a fact; a denial comes as `CO-97`."""
        text = self.money(value) if isinstance(value, int) else value
        names = self.cells(fact, number)
        if fact == "denial" and len(names) > 1 and text:
            return dict(zip(names, text.split("-"), strict=True))
        return dict.fromkeys(names, self.code(text) if fact == "principal" else text)


def by_claim(batch: Batch, texts: Any) -> list[str]:
    """Texts per claim → texts per line."""
    spread: list[str] = np.asarray(texts, dtype=object)[batch.line_claim].tolist()
    return spread


def by_version(batch: Batch, texts: Any) -> list[str]:
    """Texts per version → texts per line."""
    spread: list[str] = np.asarray(texts, dtype=object)[batch.lines.version].tolist()
    return spread
