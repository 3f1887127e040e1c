"""Reads the three payers' sample files with the csv module alone; shares nothing with generator or pipeline.

In: a sample folder. Out: `Line`s with plain values (None = blank, `BAD` = filled but unreadable).
"""

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

BAD = "unreadable"
DATES = {"bluecross": "%Y-%m-%d", "aetna": "%m/%d/%Y", "unitedhealth": "%Y%m%d"}
STATUSES = {
    "bluecross": {"PAID": "paid", "DENIED": "denied", "PENDED": "pending", "REJECTED": "rejected"},
    "aetna": {"P": "paid", "D": "denied", "S": "pending", "R": "rejected"},
    "unitedhealth": {"1": "paid", "2": "paid", "3": "paid", "4": "denied", "22": "reversed", "0": "pending"},
}
KINDS = {"1": "original", "7": "replacement", "8": "reversal"}
MONEY = ("billed", "allowed", "paid", "deductible", "coinsurance", "copay", "other_payer")
_BLUECROSS = """
CLAIM_ID LINE_NO ADJ_SEQ MEMBER_ID BIRTH_YEAR SEX PLAN_CODE BILLING_NPI RENDERING_NPI POS DX_1 DX_2 DX_3 DX_4 PROC_CODE
MOD_1 MOD_2 UNITS SERVICE_FROM SERVICE_TO RECEIVED_DATE ADJUDICATED_DATE PAID_DATE BILLED_AMT ALLOWED_AMT PAID_AMT
DEDUCTIBLE_AMT COINSURANCE_AMT COPAY_AMT OTHER_PAYER_AMT STATUS DENIAL_CODE
"""
_AETNA = """
Claim Number,Member ID,Birth Year,Gender,Plan,Provider NPI,Provider Tax ID,Place of Service,Diagnosis Codes,Service From
Service To,Received Date,Decision Date,Payment Date,Claim Status,Denial Group,Denial Code,Notes
"""
_AETNA_GROUP = "Proc,Modifiers,Units,Charge,Allowed,Paid,Deductible,Coinsurance,Copay,Other Payer"
_UNITEDHEALTH = """
clm_no clm_line freq_cd orig_clm_no mbr_id birth_yr sex_cd plan_cd bill_npi rend_npi pos_cd diag_1 diag_qual_1 diag_2
diag_qual_2 diag_3 diag_qual_3 diag_4 diag_qual_4 proc_cd mod_1 mod_2 units svc_from_dt svc_to_dt recv_dt adjud_dt paid_dt
billed_amt allowed_amt paid_amt ded_amt coins_amt copay_amt cob_amt status_cd denial_grp denial_cd
"""
COLUMNS = {
    "bluecross": _BLUECROSS.split(),
    "aetna": [
        *_AETNA.strip().replace("\n", ",").split(","),
        *(f"{name} {k}" for k in (1, 2, 3, 4) for name in _AETNA_GROUP.split(",")),
    ],
    "unitedhealth": _UNITEDHEALTH.split(),
}
MONEY_COLUMNS = {
    "bluecross": [name for name in COLUMNS["bluecross"] if name.endswith("_AMT")],
    "aetna": ["Charge", "Allowed", "Paid", "Deductible", "Coinsurance", "Copay", "Other Payer"],
    "unitedhealth": [name for name in COLUMNS["unitedhealth"] if name.endswith("_amt")],
}


@dataclass(frozen=True)
class Line:
    """One service line as a careful reader sees it."""

    payer: str
    file: str
    record: int
    claim: str
    version: tuple
    kind: str
    number: int
    status: str
    member: str
    rendering: str
    billing: str | None
    sex: str
    place: str
    diagnoses: tuple
    procedure: str | None
    units: int
    service_from: date
    service_to: date
    received: date
    adjudicated: date | None
    paid: date | None
    denial: tuple | None
    cents: dict = field(compare=False)
    rest: tuple = ()

    @property
    def header(self):
        return (
            self.status,
            self.denial,
            self.rendering,
            self.billing,
            self.member,
            self.diagnoses,
            self.received,
            self.adjudicated,
            self.paid,
        )

    @property
    def content(self):
        own = (self.units, self.place, self.sex, self.procedure, self.service_from, self.service_to)
        return (self.payer, *self.header, *own, *self.cents.values(), self.rest)


def payer_files(folder: Path):
    """(payer, relative path) of every claim file below a sample folder."""
    for path in sorted(folder.rglob("*_claims_*")):
        yield path.parent.name, path.relative_to(folder).as_posix()


def rows(folder: Path, payer: str, name: str):
    """(record number, {column: text}) of a file, rows of a wrong width included as lists; and the trailer, if any."""
    text = (folder / name).read_bytes().decode("utf-8-sig" if payer == "aetna" else "utf-8")
    quoting = csv.QUOTE_NONE if payer == "unitedhealth" else csv.QUOTE_MINIMAL
    delimiter = "|" if payer == "unitedhealth" else ","
    header, *records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting))
    trailer = records.pop() if payer == "unitedhealth" else None
    assert header == COLUMNS[payer]
    return [
        (number, dict(zip(header, record, strict=True)) if len(record) == len(header) else record)
        for number, record in enumerate(records, 2)
    ], trailer


def cents(payer: str, text: str):
    """Money as cents, None if blank, BAD if not of the payer's shape."""
    if text == "":
        return None
    if payer == "bluecross":
        return int(text.replace(".", "")) if re.fullmatch(r"-?\d+\.\d\d", text) else BAD
    if payer == "unitedhealth":
        return (int(text.rstrip("-")) * (-1 if text.endswith("-") else 1)) if re.fullmatch(r"\d+-?", text) else BAD
    if not re.fullmatch(r"\$\d{1,3}(,\d{3})*\.\d\d|\(\d{1,3}(,\d{3})*\.\d\d\)", text):
        return BAD
    return int(re.sub(r"\D", "", text)) * (-1 if text.startswith("(") else 1)


def day(payer: str, text: str):
    """A date, None if there is none, BAD if not of the payer's shape."""
    if text in ("", "00000000"):
        return None
    try:
        found = datetime.strptime(text, DATES[payer]).date()
    except ValueError:
        return BAD
    return found if found.strftime(DATES[payer]) == text else BAD


def dotted(code: str) -> str:
    return code if "." in code or len(code) < 4 else f"{code[:3]}.{code[3:]}"


def lines(folder: Path) -> list[Line]:
    """Every line of a sample whose records can all be read."""
    found = []
    for payer, name in payer_files(folder):
        records, _ = rows(folder, payer, name)
        for number, row in records:
            found += {"bluecross": _bluecross, "aetna": _aetna, "unitedhealth": _unitedhealth}[payer](name, number, row)
    return found


def _money(payer, row, names):
    return dict(zip(MONEY, (cents(payer, row[name]) for name in names), strict=True))


def _bluecross(name, record, row):
    money = _money("bluecross", row, MONEY_COLUMNS["bluecross"])
    status = STATUSES["bluecross"][row["STATUS"]]
    status = "reversed" if status == "paid" and money["billed"] < 0 else status
    kind = "reversal" if status == "reversed" else "original" if row["ADJ_SEQ"] == "0" else "replacement"
    dates = [day("bluecross", row[f"{which}_DATE"]) for which in ("RECEIVED", "ADJUDICATED", "PAID")]
    return [
        Line(
            *("bluecross", name, record, row["CLAIM_ID"], (int(row["ADJ_SEQ"]),), kind, int(row["LINE_NO"]), status),
            *(row["MEMBER_ID"], row["RENDERING_NPI"], row["BILLING_NPI"] or None, row["SEX"], row["POS"]),
            tuple(row[f"DX_{k}"] for k in (1, 2, 3, 4) if row[f"DX_{k}"]),
            *(row["PROC_CODE"] or None, int(row["UNITS"])),
            *(day("bluecross", row["SERVICE_FROM"]), day("bluecross", row["SERVICE_TO"]), *dates),
            tuple(row["DENIAL_CODE"].split("-")) if row["DENIAL_CODE"] else None,
            money,
            (row["PLAN_CODE"], row["BIRTH_YEAR"], row["MOD_1"], row["MOD_2"]),
        )
    ]


def _unitedhealth(name, record, row):
    money = _money("unitedhealth", row, MONEY_COLUMNS["unitedhealth"])
    pairs = sorted((row[f"diag_qual_{k}"] != "ABK", k) for k in (1, 2, 3, 4) if row[f"diag_{k}"])
    dates = [day("unitedhealth", row[which]) for which in ("recv_dt", "adjud_dt", "paid_dt")]
    assert row["rend_npi"].startswith("00") and len(row["rend_npi"]) == 12
    return [
        Line(
            *("unitedhealth", name, record, row["orig_clm_no"], (dates[0], row["clm_no"]), KINDS[row["freq_cd"]]),
            *(int(row["clm_line"]), STATUSES["unitedhealth"][row["status_cd"]], row["mbr_id"], row["rend_npi"][2:]),
            *(row["bill_npi"][2:] or None, row["sex_cd"], row["pos_cd"]),
            tuple(dotted(row[f"diag_{k}"]) for _, k in pairs),
            *(row["proc_cd"] or None, int(row["units"])),
            *(day("unitedhealth", row["svc_from_dt"]), day("unitedhealth", row["svc_to_dt"]), *dates),
            (row["denial_grp"], row["denial_cd"]) if row["denial_cd"] else None,
            money,
            (row["plan_cd"], row["birth_yr"], row["mod_1"], row["mod_2"]),
        )
    ]


def _aetna(name, record, row):
    root, _, suffix = row["Claim Number"].partition("-A")
    found = []
    for k in (1, 2, 3, 4):
        group = {column: text for column, text in row.items() if column.endswith(f" {k}")}
        if not any(group.values()):
            continue
        money = _money("aetna", row, [f"{column} {k}" for column in MONEY_COLUMNS["aetna"]])
        status = STATUSES["aetna"][row["Claim Status"]]
        status = "reversed" if status == "paid" and money["billed"] < 0 else status
        kind = "reversal" if status == "reversed" else "replacement" if suffix else "original"
        dates = [day("aetna", row[f"{which} Date"]) for which in ("Received", "Decision", "Payment")]
        found.append(
            Line(
                *("aetna", name, record, root, (int(suffix or 0),), kind, k, status, row["Member ID"], row["Provider NPI"], None),
                *(row["Gender"], row["Place of Service"], tuple(map(dotted, row["Diagnosis Codes"].split(";")))),
                *(row[f"Proc {k}"] or None, int(row[f"Units {k}"])),
                *(day("aetna", row["Service From"]), day("aetna", row["Service To"]), *dates),
                (row["Denial Group"], row["Denial Code"]) if row["Denial Code"] else None,
                money,
                (row["Plan"], row["Birth Year"], row[f"Modifiers {k}"]),
            )
        )
    return found
