"""Small claims written in each payer's layout, by hand: what tests put into a landing folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from medflow.settings import packaged_knowledge_base
from medflow.specs.knowledge_base import load_knowledge_base

GOOD_NPI, OTHER_NPI = "1234567893", "1245319599"
ZERO = Decimal("0.00")
_STATUS = {
    "bluecross": {"paid": "PAID", "denied": "DENIED", "pending": "PENDED", "rejected": "REJECTED", "reversed": "PAID"},
    "aetna": {"paid": "P", "denied": "D", "pending": "S", "rejected": "R", "reversed": "P"},
    "unitedhealth": {"paid": "1", "denied": "4", "pending": "0", "reversed": "22"},
}
_LAYOUTS = load_knowledge_base(packaged_knowledge_base()).payers


@dataclass(frozen=True)
class Line:
    """One service line; amounts positive, the writer signs a reversal."""

    number: int = 1
    billed: Decimal = Decimal("200.00")
    allowed: Decimal = Decimal("120.00")
    paid: Decimal = Decimal("100.00")
    procedure: str = "99213"
    units: int = 1


@dataclass(frozen=True)
class Version:
    """One version of a claim. `sequence` 0 is the original."""

    claim: str = "C1"
    sequence: int = 0
    status: str = "paid"
    lines: tuple[Line, ...] = field(default_factory=lambda: (Line(),))
    member: str = "M1"
    birth_year: str = "1970"
    npi: str = GOOD_NPI
    diagnoses: tuple[str, ...] = ("E11.9",)
    service: date = date(2026, 1, 10)
    received: date = date(2026, 1, 20)
    adjudicated: date | None = date(2026, 2, 1)
    paid_on: date | None = date(2026, 2, 5)
    denial: tuple[str, str] = ("CO", "97")

    def denied(self) -> Version:
        return replace(self, status="denied", paid_on=None, lines=tuple(replace(ln, allowed=ZERO, paid=ZERO) for ln in self.lines))

    def pending(self) -> Version:
        return replace(self, status="pending", adjudicated=None, paid_on=None)


def bluecross(versions: Iterable[Version]) -> bytes:
    """A BlueCross file: one record a line."""
    rows = [row for version in versions for row in _bluecross_rows(version)]
    return _delimited(_LAYOUTS["bluecross"].header_names, rows, ",", "\n")


def unitedhealth(versions: Iterable[Version]) -> bytes:
    """A UnitedHealth file with its trailer."""
    versions = tuple(versions)
    rows = [row for version in versions for row in _unitedhealth_rows(version)]
    billed = sum(_sign(version) * line.billed for version in versions for line in version.lines)
    body = _delimited(_LAYOUTS["unitedhealth"].header_names, rows, "|", "\n")
    return body + f"TRL|{len(rows)}|{_cents(Decimal(billed))}\n".encode()


def aetna(versions: Iterable[Version]) -> bytes:
    """An Aetna file: one record a version, every field quoted."""
    names = _LAYOUTS["aetna"].header_names
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(names)
    for version in versions:
        record = _aetna_record(version)
        writer.writerow([record.get(name, "") for name in names])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


WRITERS = {"bluecross": bluecross, "aetna": aetna, "unitedhealth": unitedhealth}


def put(folder: Path, payer: str, name: str, content: bytes) -> Path:
    """Write a file below `folder/<payer>/`."""
    path = folder / payer / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _sign(version: Version) -> int:
    return -1 if version.status == "reversed" else 1


def _amounts(version: Version, line: Line) -> dict[str, Decimal | None]:
    """Billed, then what the payer decided; the member owes the rest of the allowed amount as a deductible."""
    sign = _sign(version)
    decided = version.status not in ("pending", "rejected")
    payer = {
        "allowed": line.allowed,
        "paid": line.paid,
        "deductible": line.allowed - line.paid,
        "coinsurance": ZERO,
        "copay": ZERO,
        "other": ZERO,
    }
    return {"billed": sign * line.billed, **{name: sign * value if decided else None for name, value in payer.items()}}


def _bluecross_rows(version: Version) -> Iterable[list[str]]:
    for line in version.lines:
        codes = [*version.diagnoses, "", "", "", ""][:4]
        amounts = ["" if value is None else f"{value:.2f}" for value in _amounts(version, line).values()]
        dates = [_iso(version.service), _iso(version.service), _iso(version.received), _iso(version.adjudicated), _iso(version.paid_on)]
        head = [
            version.claim,
            str(line.number),
            str(version.sequence),
            version.member,
            version.birth_year,
            "F",
            "PPO",
            version.npi,
            version.npi,
            "11",
        ]
        denial = "-".join(version.denial) if version.status == "denied" else ""
        yield [*head, *codes, line.procedure, "", "", str(line.units), *dates, *amounts, _STATUS["bluecross"][version.status], denial]


def _unitedhealth_rows(version: Version) -> Iterable[list[str]]:
    own = version.claim if version.sequence == 0 else f"{version.claim}V{version.sequence}"
    kind = "8" if version.status == "reversed" else "1" if version.sequence == 0 else "7"
    for line in version.lines:
        pairs = [cell for code in [*version.diagnoses, "", "", ""][:4] for cell in (code.replace(".", ""), "ABF" if code else "")]
        pairs[1] = "ABK"
        amounts = ["" if value is None else _cents(value) for value in _amounts(version, line).values()]
        dates = [_compact(day) for day in (version.service, version.service, version.received, version.adjudicated, version.paid_on)]
        head = [own, str(line.number), kind, version.claim, version.member, version.birth_year, "F", "HMO"]
        npi = version.npi.zfill(12)
        denial = list(version.denial) if version.status == "denied" else ["", ""]
        yield [
            *head,
            npi,
            npi,
            "11",
            *pairs,
            line.procedure,
            "",
            "",
            str(line.units),
            *dates,
            *amounts,
            _STATUS["unitedhealth"][version.status],
            *denial,
        ]


def _aetna_record(version: Version) -> dict[str, str]:
    denial = version.denial if version.status == "denied" else ("", "")
    record = {
        "Claim Number": version.claim + (f"-A{version.sequence}" if version.sequence else ""),
        "Member ID": version.member,
        "Birth Year": version.birth_year,
        "Gender": "F",
        "Plan": "POS",
        "Provider NPI": version.npi,
        "Provider Tax ID": "99-1234567",
        "Place of Service": "11",
        "Diagnosis Codes": ";".join(code.replace(".", "") for code in version.diagnoses),
        "Service From": _us(version.service),
        "Service To": _us(version.service),
        "Received Date": _us(version.received),
        "Decision Date": _us(version.adjudicated),
        "Payment Date": _us(version.paid_on),
        "Claim Status": _STATUS["aetna"][version.status],
        "Denial Group": denial[0],
        "Denial Code": denial[1],
        "Notes": 'called, "twice"\nno answer',
    }
    labels = ("Charge", "Allowed", "Paid", "Deductible", "Coinsurance", "Copay", "Other Payer")
    for line in version.lines:
        record |= {f"Proc {line.number}": line.procedure, f"Units {line.number}": str(line.units)}
        values = zip(labels, _amounts(version, line).values(), strict=True)
        record |= {f"{label} {line.number}": "" if value is None else _dollars(value) for label, value in values}
    return record


def _delimited(header: Iterable[str], rows: Iterable[list[str]], delimiter: str, end: str) -> bytes:
    return "".join(delimiter.join(row) + end for row in [list(header), *rows]).encode()


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""


def _us(day: date | None) -> str:
    return day.strftime("%m/%d/%Y") if day else ""


def _compact(day: date | None) -> str:
    return day.strftime("%Y%m%d") if day else "00000000"


def _cents(value: Decimal) -> str:
    return f"{abs(int(value * 100))}{'-' if value < 0 else ''}"


def _dollars(value: Decimal) -> str:
    return f"({abs(value):,.2f})" if value < 0 else f"${abs(value):,.2f}"
