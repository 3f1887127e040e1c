"""Which questions ask what a word means, and which do not: cases, the bank, and any text."""

from __future__ import annotations

import json
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from medflow.settings import packaged_knowledge_base
from medflow.specs.glossary import load_glossary
from medflow.specs.policy import load_policies
from medflow.specs.semantic import load_semantic_model
from medflow.specs.tables import load_tables
from rag_backend.definitions.catalogue import Catalogue
from rag_backend.definitions.reading import Unknown, definition_asked
from rag_backend.definitions.sentences import explained
from rag_backend.planners.base import Definition
from tests.support.lake import ROOT

_DATA = ROOT / "tests/data"
_CASES = yaml.safe_load((_DATA / "definitions.yaml").read_text(encoding="utf-8"))
_BANK = [json.loads(line) for line in (_DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
_WORDINGS = [(one, text) for one in _BANK for text in (one["question"], *one["paraphrases"])]
_FOLDERS = {"": packaged_knowledge_base(), "library": _DATA / "library"}


@cache
def catalogue(of: str = "") -> Catalogue:
    """All definitions of a knowledge base, as the role analyst may read them."""
    root: Path = _FOLDERS[of]
    model, tables = load_semantic_model(root), load_tables(root)
    return Catalogue(model, load_glossary(root, model), tables, load_policies(root, tables)["analyst"].tables)


@pytest.mark.parametrize("case", _CASES, ids=[case["question"] for case in _CASES])
def test_case(case: dict[str, Any]) -> None:
    """A question of meaning names its terms; a question of data is left to the planner."""
    found = definition_asked(case["question"], catalogue(case.get("of", "")))
    if "terms" in case:
        assert isinstance(found, Definition)
        assert set(case["terms"]) <= set(found.terms)
    elif "unknown" in case:
        assert isinstance(found, Unknown)
        assert found.term == case["unknown"]
    else:
        assert found is None


@pytest.mark.parametrize(("entry", "text"), [(one, text) for one, text in _WORDINGS if one["kind"] == "definition"])
def test_definitions_of_the_bank(entry: dict[str, Any], text: str) -> None:
    """The text holds every word that the bank expects of it."""
    found = definition_asked(text, catalogue())
    assert isinstance(found, Definition)
    told = " ".join(one.sentence for one in explained(found.terms, catalogue())).lower()
    assert all(any(way.lower() in told for way in word.split("|")) for word in entry["expects"]), told


def test_no_other_question_of_the_bank_is_a_definition() -> None:
    """Numbers, refusals, attempts on the rules: none is taken for a question of meaning."""
    others = [text for one, text in _WORDINGS if one["kind"] != "definition"]
    assert len(others) > 800
    assert [text for text in others if definition_asked(text, catalogue()) is not None] == []


def test_an_unknown_term_is_told_beside_the_nearest() -> None:
    """A misspelt word leads to what was meant, and each proposal is itself defined."""
    found = definition_asked("what does denail rate mean?", catalogue())
    assert isinstance(found, Unknown)
    assert found.nearest[0] == "denial rate"
    for term in found.nearest:
        assert isinstance(definition_asked(f"What does {term} mean?", catalogue()), Definition)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=200), st.lists(st.sampled_from(sorted({w for _, t in _WORDINGS for w in t.split()})), max_size=40).map(" ".join)
    )
)
def test_any_text_has_an_outcome(text: str) -> None:
    """Never an error."""
    definition_asked(text, catalogue())


@pytest.mark.parametrize(
    "text", ["what is a and b and c of d in e " * 9, "explain how we count as " * 12, "define paid and " * 30, "what does " * 99]
)
def test_no_text_takes_long(text: str) -> None:
    """Repeated joiners and prepositions do not multiply."""
    catalogue()
    begun = time.process_time()
    definition_asked(text, catalogue())
    assert time.process_time() - begun < 0.5
