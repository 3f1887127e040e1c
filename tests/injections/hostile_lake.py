"""A published lake in which every text that others may write is hostile: names, plans, notes, names of files, and the declarations."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.claims import GOOD_NPI, Line, Version, aetna, bluecross
from tests.support.lake import ROOT, Lake, copied_knowledge_base

CLAIMS = 1_000
_EACH = 12  # claims of each plan and member that are planted


@cache
def plants() -> dict[str, Any]:
    """What is planted, as data."""
    return yaml.safe_load((ROOT / "tests/data/injections/plants.yaml").read_text(encoding="utf-8"))


def hostile_lake(folder: Path) -> Lake:
    """Sample claims with everything planted, as one release."""
    lake = Lake(folder / "lake", knowledge_base=hostile_knowledge(folder / "knowledge_base"))
    lake.generate(CLAIMS)
    _plant_providers(lake.landing / "reference/providers.csv")
    _plant_plans(next((lake.landing / "aetna").iterdir()))
    files = plants()["files"]
    lake.put("bluecross", files["bluecross"], bluecross((*_versions(), *_broken())))
    lake.put("aetna", files["aetna"], _aetna())
    lake.run()
    return lake


def hostile_knowledge(folder: Path) -> Path:
    """A copy of the knowledge base with hostile texts in each kind of declaration that a model may be told."""
    said = plants()["knowledge"]
    copied = copied_knowledge_base(folder)
    _insert(copied / "glossary/claims.yaml", "terms:", {"trap": {"label": "trap", "words": ["trap", "snare"], "text": said["term"]}})
    rule = {"label": "rule of the trap", "words": ["trap rule"], "text": said["rule"], "about": ["metric:claim_count"]}
    _insert(copied / "business_rules/claims.yaml", "rules:", {"trap_rule": rule})
    example = {
        "question": said["example"],
        "query": {"metrics": [{"id": "line_count"}]},
        "sql": "SELECT COUNT(*) FROM healthcare.claims_clean",
    }
    _insert(copied / "examples/counts.yaml", "examples:", {"trap_example": example})
    _replace(copied / "semantic/metrics.yaml", "  claim_count:\n", f"  claim_count:\n    about: {_quoted(said['metric'])}\n")
    _replace(copied / "silver/claims_clean.yaml", 'in the year of claim_service_date"', f'in the year{said["column"]}"')
    _replace(copied / "codes/denial_codes.yaml", "Sent too late", _quoted(said["label"]))
    return copied


def _insert(file: Path, after: str, entry: dict[str, Any]) -> None:
    written = yaml.safe_dump(entry, width=1_000, sort_keys=False)
    _replace(file, f"{after}\n", f"{after}\n" + "".join(f"  {line}\n" for line in written.splitlines()))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file.name} has changed: there is no {old!r}"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def _plant_providers(file: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    for row, planted in zip(rows, plants()["providers"], strict=False):
        row.update(planted)
    rows.append({"npi": GOOD_NPI, "name": "CANARYNAMEFOUR Ashgrove", "specialty": "Cardiology", "state": "VA"})
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["npi", "name", "specialty", "state"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _plant_plans(file: Path) -> None:
    text = file.read_bytes().decode()
    for plan in plants()["plans"]:
        text = text.replace('"MA-100"', f'"{plan}"', _EACH)
    file.write_bytes(text.encode())


def _versions() -> list[Version]:
    pairs = zip(plants()["members"], plants()["claims"], strict=True)
    return [Version(claim=f"{claim}-{number}", member=member) for member, claim in pairs for number in range(_EACH)]


def _broken() -> list[Version]:
    """A line that breaks a rule: its cells are kept in the quarantine."""
    return [Version(claim=plants()["quarantined"], member=plants()["members"][0], lines=(Line(procedure=plants()["quarantined"]),))]


def _aetna() -> bytes:
    versions = [replace(one, claim=f"{one.claim}X") for one in _versions()[:_EACH]]
    text = aetna(versions).decode()
    return text.replace('called, ""twice""\nno answer', plants()["notes"]).replace("99-1234567", plants()["tax_id"]).encode()
