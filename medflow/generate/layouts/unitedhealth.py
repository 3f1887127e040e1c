"""UnitedHealth: pipes, LF, one record a line, undotted codes with qualifiers, cents with a trailing sign, a trailer that
counts. A later version has a number of its own and names the root.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

import numpy as np

from medflow.generate.layouts import base
from medflow.generate.layouts.base import AMOUNT_NAMES, Columns, Layout, by_claim, by_version, lookup
from medflow.generate.tables import PAID, Batch, Claims, Versions

_STATUSES = lookup(["1", "4", "0", "", "22", "2", "3"])  # from 5 on: the other two ways to say paid
_FREQUENCIES = lookup(["1", "7", "8"])
_AMOUNTS = ("billed_amt", "allowed_amt", "paid_amt", "ded_amt", "coins_amt", "copay_amt", "cob_amt")


class UnitedhealthLayout(Layout):
    """A reversal has status 22 and frequency 8; versions are ordered by received date."""

    payer = "unitedhealth"
    extension = "txt"
    delimiter = "|"
    no_day = "00000000"
    places: ClassVar[dict[str, tuple[str, ...]]] = {
        "line_number": ("clm_line",),
        "version": ("clm_no",),
        "version_kind": ("freq_cd",),
        "member_id": ("mbr_id",),
        "birth_year": ("birth_yr",),
        "plan_code": ("plan_cd",),
        "billing_npi": ("bill_npi",),
        "rendering_npi": ("rend_npi",),
        "place_of_service": ("pos_cd",),
        "principal": ("diag_1",),
        "qualifier": ("diag_qual_1",),
        "diagnoses": tuple(name for k in range(1, 5) for name in (f"diag_{k}", f"diag_qual_{k}")),
        "procedure_code": ("proc_cd",),
        "units": ("units",),
        "service_from": ("svc_from_dt",),
        "service_to": ("svc_to_dt",),
        "received_date": ("recv_dt",),
        "adjudicated_date": ("adjud_dt",),
        "paid_date": ("paid_dt",),
        "claim_status": ("status_cd",),
        "denial": ("denial_grp", "denial_cd"),
        **{name: (column,) for name, column in zip(AMOUNT_NAMES, _AMOUNTS, strict=True)},
    }
    bad_days = ("2026-03-14", "20260230", "031426")
    bad_money = ("1234.50", "12-50", "USD1250")

    def day_text(self, day: date) -> str:
        return f"{day:%Y%m%d}"

    def money(self, cents: int) -> str:
        return str(cents) if cents >= 0 else f"{-cents}-"

    def npi(self, npi: int) -> str:
        return f"{npi:012d}"

    def tail(self, records: int, billed: int) -> str:
        return f"TRL|{records}|{self.money(billed)}\n"

    def columns(self, batch: Batch) -> Columns:
        return {**self._who(batch), **_diagnoses(batch, self.words.codes), **self._what(batch), **self._decision(batch)}

    def _who(self, batch: Batch) -> Columns:
        claims, versions, words = batch.claims, batch.versions, self.words
        roots = [f"C{number:09d}" for number in claims.number.tolist()]
        billing = np.where(claims.bills, words.group_npi[claims.provider], "")
        return {
            "clm_no": by_version(batch, _claim_numbers(roots, versions)),
            "clm_line": list(map(str, batch.lines.number.tolist())),
            "freq_cd": by_version(batch, _FREQUENCIES[versions.kind]),
            "orig_clm_no": by_claim(batch, roots),
            "mbr_id": by_claim(batch, [f"M{member:08d}" for member in claims.member.tolist()]),
            "birth_yr": by_claim(batch, list(map(str, claims.birth_year.tolist()))),
            "sex_cd": by_claim(batch, base.SEX_WORDS[claims.sex]),
            "plan_cd": by_claim(batch, base.PLAN_WORDS[claims.plan]),
            "bill_npi": by_claim(batch, billing),
            "rend_npi": by_claim(batch, words.npi[claims.provider]),
            "pos_cd": by_claim(batch, base.PLACE_WORDS[claims.place]),
        }

    def _what(self, batch: Batch) -> Columns:
        lines = batch.lines
        return {
            "proc_cd": base.PROCEDURE_WORDS[lines.procedure].tolist(),
            "mod_1": base.MODIFIER_WORDS[lines.modifier_1].tolist(),
            "mod_2": base.MODIFIER_WORDS[lines.modifier_2].tolist(),
            "units": list(map(str, lines.units.tolist())),
            "svc_from_dt": self.words.day(lines.first_day),
            "svc_to_dt": self.words.day(lines.last_day),
        }

    def _decision(self, batch: Batch) -> Columns:
        versions = batch.versions
        return {
            "recv_dt": by_version(batch, self.words.day(versions.received)),
            "adjud_dt": by_version(batch, self.words.day(versions.adjudicated)),
            "paid_dt": by_version(batch, self.words.day(versions.paid)),
            **{name: self.amounts(batch.lines.amounts[:, k]) for k, name in enumerate(_AMOUNTS)},
            "status_cd": by_version(batch, _STATUSES[_status(batch.claims, versions)]),
            "denial_grp": by_version(batch, base.DENIAL_GROUP_WORDS[versions.denial]),
            "denial_cd": by_version(batch, base.DENIAL_CODE_WORDS[versions.denial]),
        }


def _claim_numbers(roots: list[str], versions: Versions) -> list[str]:
    """The original carries the root's number; later versions have one of their own in another series."""
    pairs = zip(versions.claim.tolist(), versions.sequence.tolist(), strict=True)
    return [f"A{roots[claim][1:]}{sequence}" if sequence else roots[claim] for claim, sequence in pairs]


def _status(claims: Claims, versions: Versions) -> np.ndarray:
    variant = claims.member[versions.claim] % 9
    return np.where((versions.status == PAID) & (variant < 2), 5 + variant, versions.status)


def _diagnoses(batch: Batch, codes: np.ndarray) -> Columns:
    """Code and qualifier columns; on a few claims the principal stands second."""
    diagnoses = batch.claims.diagnoses.copy()
    swapped = batch.claims.principal_second & (diagnoses[:, 1] >= 0)
    diagnoses[swapped, :2] = diagnoses[swapped, 1::-1]
    columns: Columns = {}
    for k in range(4):
        principal = swapped if k == 1 else ~swapped if k == 0 else np.zeros(len(swapped), bool)
        qualifier = np.where(diagnoses[:, k] < 0, "", np.where(principal, "ABK", "ABF"))
        columns[f"diag_{k + 1}"] = by_claim(batch, codes[diagnoses[:, k]])
        columns[f"diag_qual_{k + 1}"] = by_claim(batch, qualifier)
    return columns
