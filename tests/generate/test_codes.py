"""The generator's own pools of codes against the shipped code lists."""

import csv
import gzip
import re
from pathlib import Path

import pytest
import yaml

from medflow.generate import diagnoses, names, services

KNOWLEDGE_BASE = Path(__file__).parents[2] / "knowledge_base"


@pytest.fixture(scope="module")
def icd10():
    with gzip.open(KNOWLEDGE_BASE / "codes/icd10cm.csv.gz", "rt") as stream:
        return {row["code"]: row["leaf"] for row in csv.DictReader(stream)}


def _codes(name):
    return yaml.safe_load((KNOWLEDGE_BASE / f"codes/{name}.yaml").read_text())


def test_leaves_are_leaves(icd10):
    """Every code meant to be right is a known code with none below it."""
    used = {code for codes in diagnoses.LEAVES.values() for code in codes} | set(diagnoses.SECONDARY)
    assert {code for code in used if icd10.get(code) != "1"} == set()


def test_headings_are_known_and_no_leaves(icd10):
    """Every code meant to be warned of is known and has codes below it."""
    assert {code for code in diagnoses.HEADINGS.values() if icd10.get(code) != "0"} == set()


def test_unknown_codes_are_unknown(icd10):
    """Codes meant to be wrong have the right shape and are in no list."""
    assert not set(diagnoses.UNKNOWN) & set(icd10)
    assert all(re.fullmatch(r"[A-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}", code) for code in diagnoses.UNKNOWN)


def test_conditions_are_those_declared():
    """The first conditions are the declared ones in order, and each code's category lies in its condition alone."""
    declared = _codes("conditions")["rows"]
    assert list(diagnoses.CONDITIONS[: diagnoses.LISTED_CONDITIONS]) == [row["condition"] for row in declared]
    for name, codes in diagnoses.LEAVES.items():
        for code in (*codes, *filter(None, [diagnoses.HEADINGS.get(name)])):
            found = [row["condition"] for row in declared if row["first"] <= code[:3] <= row["last"]]
            assert found == ([name] if name in diagnoses.HEADINGS else []), code


def test_headings_stand_in_the_order_of_the_conditions():
    """A heading is found by its condition's index."""
    assert list(diagnoses.HEADINGS) == list(diagnoses.CONDITIONS[: diagnoses.LISTED_CONDITIONS])


def test_places_and_denials_are_listed():
    """Places and denials come from the shipped lists; places meant to be wrong do not."""
    places = {row["code"] for row in _codes("place_of_service")["rows"]}
    assert set(services.PLACES) <= places
    assert not set(services.UNKNOWN_PLACES) & places
    denials = _codes("denial_codes")
    assert {code for _, code, _ in services.DENIALS} <= {row["code"] for row in denials["rows"]}
    assert {group for group, _, _ in services.DENIALS} <= {row["group"] for row in denials["groups"]}


def test_procedures_have_the_shape_of_cpt_or_hcpcs():
    """Codes only, five characters, no text."""
    assert all(re.fullmatch(r"\d{4}[0-9FTU]|[A-Z]\d{4}", code) for code in services.PROCEDURES)
    assert {code for codes in services.EXTRAS.values() for code in codes} | set(services.VISITS) <= set(services.PROCEDURES)


def test_shares_fit_their_lists():
    """Every list that is drawn from by share has one share an entry."""
    pairs = [
        (names.STATES, names.STATE_SHARES),
        (names.NOTES, names.NOTE_SHARES),
        (services.PLACES, services.PLACE_SHARES),
        (diagnoses.SPECIALTIES, diagnoses.SPECIALTY_SHARES),
    ]
    assert all(len(entries) == len(shares) for entries, shares in pairs)
