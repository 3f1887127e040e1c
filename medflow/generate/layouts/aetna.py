"""Aetna: every field quoted, BOM and CRLF, one record a claim version with up to four line groups, US dates and dollars;
a later version is the root's number with -A1, -A2.
"""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

import numpy as np

from medflow.generate.layouts import base
from medflow.generate.layouts.base import AMOUNT_NAMES, Columns, Layout, lookup
from medflow.generate.names import NOTES
from medflow.generate.tables import Batch

_STATUSES = lookup(["P", "D", "S", "R", "P"])
_NOTES = lookup([note.replace('"', '""') for note in NOTES])
_AMOUNTS = ("Charge", "Allowed", "Paid", "Deductible", "Coinsurance", "Copay", "Other Payer")
_GROUPS = (1, 2, 3, 4)


class AetnaLayout(Layout):
    """A reversal is a paid version with amounts in parentheses."""

    payer = "aetna"
    wide = True
    places: ClassVar[dict[str, tuple[str, ...]]] = {
        "member_id": ("Member ID",),
        "birth_year": ("Birth Year",),
        "plan_code": ("Plan",),
        "rendering_npi": ("Provider NPI",),
        "place_of_service": ("Place of Service",),
        "principal": ("Diagnosis Codes",),
        "diagnoses": ("Diagnosis Codes",),
        "procedure_code": ("Proc {k}",),
        "units": ("Units {k}",),
        "service_from": ("Service From",),
        "service_to": ("Service To",),
        "received_date": ("Received Date",),
        "adjudicated_date": ("Decision Date",),
        "paid_date": ("Payment Date",),
        "claim_status": ("Claim Status",),
        "denial": ("Denial Group", "Denial Code"),
        **{name: (f"{column} {{k}}",) for name, column in zip(AMOUNT_NAMES, _AMOUNTS, strict=True)},
    }
    bad_days = ("2026-03-14", "02/30/2026", "31/12/2025")
    bad_money = ("$12.5O", "12 dollars", "$1.234.50")

    def day_text(self, day: date) -> str:
        return f"{day:%m/%d/%Y}"

    def money(self, cents: int) -> str:
        return f"${cents // 100:,}.{cents % 100:02d}" if cents >= 0 else f"({-cents // 100:,}.{-cents % 100:02d})"

    def record(self, fields: tuple[str, ...] | list[str]) -> str:
        return '"' + '","'.join(fields) + '"'

    def resized(self, record: str, spare: bool) -> str:
        return f'{record},""' if spare else record.rsplit('","', 2)[0] + '"'

    def file_text(self, records: list[str]) -> str:
        return "".join(f"{record}\r\n" for record in records)

    def head(self, names: list[str]) -> str:
        return "\ufeff" + super().head(names)

    def columns(self, batch: Batch) -> Columns:
        return {**self._who(batch), **self._decision(batch), **self._groups(batch)}

    def _who(self, batch: Batch) -> Columns:
        claims, claim = batch.claims, batch.versions.claim
        tax_ids = [f"00-{1000000 + index:07d}" for index in claims.provider.tolist()]
        codes = [";".join(filter(None, row)) for row in self.words.codes[claims.diagnoses].tolist()]
        return {
            "Claim Number": _claim_numbers(batch),
            "Member ID": _spread([f"M{member:08d}" for member in claims.member.tolist()], claim),
            "Birth Year": _spread(list(map(str, claims.birth_year.tolist())), claim),
            "Gender": _spread(base.SEX_WORDS[claims.sex], claim),
            "Plan": _spread(base.PLAN_WORDS[claims.plan], claim),
            "Provider NPI": _spread(self.words.npi[claims.provider], claim),
            "Provider Tax ID": _spread(tax_ids, claim),
            "Place of Service": _spread(base.PLACE_WORDS[claims.place], claim),
            "Diagnosis Codes": _spread(codes, claim),
            "Service From": self.words.day(claims.service_from[claim]),
            "Service To": self.words.day(claims.service_to[claim]),
        }

    def _decision(self, batch: Batch) -> Columns:
        versions = batch.versions
        return {
            "Received Date": self.words.day(versions.received),
            "Decision Date": self.words.day(versions.adjudicated),
            "Payment Date": self.words.day(versions.paid),
            "Claim Status": _STATUSES[versions.status].tolist(),
            "Denial Group": base.DENIAL_GROUP_WORDS[versions.denial].tolist(),
            "Denial Code": base.DENIAL_CODE_WORDS[versions.denial].tolist(),
            "Notes": _NOTES[versions.note].tolist(),
        }

    def _groups(self, batch: Batch) -> Columns:
        """The lines laid side by side; groups that a version does not fill are blank."""
        lines, versions = batch.lines, batch.versions
        modifiers = [
            ";".join(filter(None, pair)) for pair in base.MODIFIER_WORDS[np.column_stack([lines.modifier_1, lines.modifier_2])].tolist()
        ]
        texts = {
            "Proc": lookup(base.PROCEDURE_WORDS[lines.procedure].tolist()),
            "Modifiers": lookup(modifiers),
            "Units": lookup(list(map(str, lines.units.tolist()))),
            **{name: lookup(self.amounts(lines.amounts[:, k])) for k, name in enumerate(_AMOUNTS)},
        }
        rows = {k: np.where(versions.line_count >= k, versions.first_line + k - 1, -1) for k in _GROUPS}
        return {f"{name} {k}": column[rows[k]].tolist() for k in _GROUPS for name, column in texts.items()}


def _spread(texts: Any, claim: np.ndarray) -> list[str]:
    """Texts per claim → texts per version."""
    spread: list[str] = np.asarray(texts, dtype=object)[claim].tolist()
    return spread


def _claim_numbers(batch: Batch) -> list[str]:
    numbers = batch.claims.number[batch.versions.claim].tolist()
    pairs = zip(numbers, batch.versions.sequence.tolist(), strict=True)
    return [f"C{number:09d}-A{sequence}" if sequence else f"C{number:09d}" for number, sequence in pairs]
