"""What both plain ways know of files and tables: which there are, and how a payer's file is cut."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PAYERS = ("bluecross", "aetna", "unitedhealth")
GOLD = ("claims_monthly_summary", "claims_approval_funnel", "provider_performance", "denial_reasons", "condition_costs")
TABLES = ("claims_raw", "claims_history", "claims_clean", "claims_quarantined", *GOLD)


@dataclass(frozen=True)
class PayerFile:
    """The one file of a payer."""

    payer: str
    path: Path

    @property
    def delimiter(self) -> str:
        return "|" if self.payer == "unitedhealth" else ","

    @cached_property
    def file_id(self) -> str:
        """SHA-256 of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def names(self) -> list[str]:
        """The header."""
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file, delimiter=self.delimiter))


def file_of(landing: Path, payer: str) -> PayerFile:
    """The payer's file below the landing folder. Ends the program if there is not exactly one."""
    files = sorted(path for path in (landing / payer).rglob("*") if path.is_file())
    if len(files) != 1:
        raise SystemExit(f"{landing / payer} holds {len(files)} files; the plain ways take one a payer")
    return PayerFile(payer, files[0])
