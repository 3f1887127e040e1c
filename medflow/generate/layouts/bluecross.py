"""BlueCross: comma, LF, one record a line, dotted codes, dollars with a point; a later version has the next ADJ_SEQ."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

import numpy as np

from medflow.generate.layouts import base
from medflow.generate.layouts.base import AMOUNT_NAMES, Columns, Layout, by_claim, by_version, lookup
from medflow.generate.tables import Batch

_STATUSES = lookup(["PAID", "DENIED", "PENDED", "REJECTED", "PAID"])
_AMOUNTS = ("BILLED_AMT", "ALLOWED_AMT", "PAID_AMT", "DEDUCTIBLE_AMT", "COINSURANCE_AMT", "COPAY_AMT", "OTHER_PAYER_AMT")


class BluecrossLayout(Layout):
    """A reversal is a PAID version with negative amounts."""

    payer = "bluecross"
    places: ClassVar[dict[str, tuple[str, ...]]] = {
        "line_number": ("LINE_NO",),
        "version": ("ADJ_SEQ",),
        "member_id": ("MEMBER_ID",),
        "birth_year": ("BIRTH_YEAR",),
        "plan_code": ("PLAN_CODE",),
        "billing_npi": ("BILLING_NPI",),
        "rendering_npi": ("RENDERING_NPI",),
        "place_of_service": ("POS",),
        "principal": ("DX_1",),
        "diagnoses": ("DX_1", "DX_2", "DX_3", "DX_4"),
        "procedure_code": ("PROC_CODE",),
        "units": ("UNITS",),
        "service_from": ("SERVICE_FROM",),
        "service_to": ("SERVICE_TO",),
        "received_date": ("RECEIVED_DATE",),
        "adjudicated_date": ("ADJUDICATED_DATE",),
        "paid_date": ("PAID_DATE",),
        "claim_status": ("STATUS",),
        "denial": ("DENIAL_CODE",),
        **{name: (column,) for name, column in zip(AMOUNT_NAMES, _AMOUNTS, strict=True)},
    }
    bad_days = ("20260314", "2026-02-30", "14.03.2026")
    bad_money = ("USD 12.50", "12.5O", "1.234.50")

    def day_text(self, day: date) -> str:
        return day.isoformat()

    def money(self, cents: int) -> str:
        return f"{cents // 100}.{cents % 100:02d}" if cents >= 0 else f"-{-cents // 100}.{-cents % 100:02d}"

    def code(self, code: str) -> str:
        return code

    def columns(self, batch: Batch) -> Columns:
        return {**self._who(batch), **self._what(batch), **self._decision(batch)}

    def _who(self, batch: Batch) -> Columns:
        claims, words = batch.claims, self.words
        billing = np.where(claims.bills, words.group_npi[claims.provider], "")
        return {
            "CLAIM_ID": by_claim(batch, [f"C{number:09d}" for number in claims.number.tolist()]),
            "LINE_NO": list(map(str, batch.lines.number.tolist())),
            "ADJ_SEQ": by_version(batch, list(map(str, batch.versions.sequence.tolist()))),
            "MEMBER_ID": by_claim(batch, [f"M{member:08d}" for member in claims.member.tolist()]),
            "BIRTH_YEAR": by_claim(batch, list(map(str, claims.birth_year.tolist()))),
            "SEX": by_claim(batch, base.SEX_WORDS[claims.sex]),
            "PLAN_CODE": by_claim(batch, base.PLAN_WORDS[claims.plan]),
            "BILLING_NPI": by_claim(batch, billing),
            "RENDERING_NPI": by_claim(batch, words.npi[claims.provider]),
        }

    def _what(self, batch: Batch) -> Columns:
        claims, lines = batch.claims, batch.lines
        return {
            "POS": by_claim(batch, base.PLACE_WORDS[claims.place]),
            **{f"DX_{k + 1}": by_claim(batch, self.words.codes[claims.diagnoses[:, k]]) for k in range(4)},
            "PROC_CODE": base.PROCEDURE_WORDS[lines.procedure].tolist(),
            "MOD_1": base.MODIFIER_WORDS[lines.modifier_1].tolist(),
            "MOD_2": base.MODIFIER_WORDS[lines.modifier_2].tolist(),
            "UNITS": list(map(str, lines.units.tolist())),
            "SERVICE_FROM": self.words.day(lines.first_day),
            "SERVICE_TO": self.words.day(lines.last_day),
        }

    def _decision(self, batch: Batch) -> Columns:
        versions = batch.versions
        return {
            "RECEIVED_DATE": by_version(batch, self.words.day(versions.received)),
            "ADJUDICATED_DATE": by_version(batch, self.words.day(versions.adjudicated)),
            "PAID_DATE": by_version(batch, self.words.day(versions.paid)),
            **{name: self.amounts(batch.lines.amounts[:, k]) for k, name in enumerate(_AMOUNTS)},
            "STATUS": by_version(batch, _STATUSES[versions.status]),
            "DENIAL_CODE": by_version(batch, base.DENIAL_WORDS[versions.denial]),
        }
