"""Lexicons that tests plan with: the shipped model with a few values, and a library that lends books."""

from __future__ import annotations

import datetime
from functools import cache
from pathlib import Path

from medflow.specs.semantic import load_semantic_model
from rag_backend.planners.grammar.lexicon import Lexicon, ValueEntry, Values
from tests.support.lake import ROOT

TODAY = datetime.date(2026, 7, 15)
_STATES = "CA:California NY:New_York FL:Florida TX:Texas OH:Ohio CO:Colorado IN:Indiana VA:Virginia GA:Georgia"
_SPECIALTIES = """Family Medicine|Internal Medicine|Pediatrics|Oncology|Psychiatry|Pulmonology|Emergency Medicine|Dermatology|Orthopedics
|Obstetrics and Gynecology|Cardiology|Endocrinology|Nephrology|Physical Therapy|Gastroenterology|Ophthalmology"""
_PROVIDERS = "1138181817:Halima Penhallow|2433760693:Halima Penhallow|2166497562:Liora Greenhalgh|1114006343:Yusuf Iverness"


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


@cache
def claims() -> Lexicon:
    """The shipped model over two years of data."""
    entries = {
        "principal_diagnosis": [ValueEntry(code) for code in ["E11.9", "E11.65", "E11.22", "I10", "J44", "J44.9", "J44.1", "M17.11"]],
        "procedure_code": [ValueEntry(code) for code in ["99213", "99214", "80053", "J9271", "G0439"]],
        "plan_code": [ValueEntry(code) for code in ["PPO-A", "PPO-B", "HMO-1", "HMO-2", "MA-100"]],
        "provider": [ValueEntry(*text.split(":")) for text in _PROVIDERS.split("|")],
        "specialty": [ValueEntry(name.strip()) for name in _SPECIALTIES.split("|")],
        "provider_state": [ValueEntry(*text.replace("_", " ").split(":")) for text in _STATES.split()],
    }
    span = {
        "claim_service_date": (_day("2024-07-01"), _day("2026-06-26")),
        "received_date": (_day("2024-07-04"), _day("2026-06-30")),
        "adjudicated_date": (_day("2024-07-12"), _day("2026-06-30")),
        "paid_date": (_day("2024-07-18"), _day("2026-06-30")),
    }
    return Lexicon.of(load_semantic_model(ROOT / "knowledge_base"), Values(entries, span))


_LIBRARY = {
    "entities": """
fact: {table: library.loans, label: loans}
entities:
  loan: {label: loans, words: [loan, checkout], key: [loan_id], dated: true, within: [reader]}
  reader: {label: readers, words: [reader, borrower], key: [reader_id]}
""",
    "dimensions": """
dimensions:
  loan_date: {label: date of loan, words: [loan date], verbs: [lent, borrowed], sql: loan_date, type: date, privacy: public}
  branch: {label: branch, words: [branch, location], sql: branch, privacy: public, values: data}
  genre:
    label: genre
    words: [genre, kind of book]
    sql: genre
    privacy: public
    labels: {crime: {label: crime, words: [crime, mystery]}, poetry: {label: poetry}, travel: {label: travel}}
""",
    "metrics": """
date: loan_date
metrics:
  loan_count: {label: loans, words: [loans, number of loans], count: loan}
  reader_count: {label: readers, words: [readers], count: reader}
  late_count: {label: late loans, words: [late loans], count: loan, where: "state = 'late'"}
  late_rate: {label: late rate, words: [late rate], ratio: [late_count, loan_count], unit: rate}
  fine_amount: {label: fines, words: [fines, fine amount], sum: fine_amount, unit: EUR}
  days_kept: {label: days kept, words: [days kept], per: loan, value: "DATEDIFF(returned, loan_date)", stat: median, unit: days}
""",
    "sources": "sources: {}\n",
}


def library(root: Path) -> Lexicon:
    """A model of another domain, written below `root`."""
    folder = root / "semantic"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _LIBRARY.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    values = Values(
        {"branch": [ValueEntry("north"), ValueEntry("harbor", "Harbor")]}, {"loan_date": (_day("2025-01-01"), _day("2026-06-30"))}
    )
    return Lexicon.of(load_semantic_model(root), values)
