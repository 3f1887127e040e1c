"""The glossary and the business rules: checked all at once, every problem with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from medflow.errors import DeclarationError
from medflow.settings import packaged_knowledge_base
from medflow.specs.glossary import Glossary, load_glossary
from medflow.specs.semantic import load_semantic_model

_MODEL = load_semantic_model(packaged_knowledge_base())
_TERM = "terms:\n  late:\n    label: late claim\n    words: [overdue claim]\n    text: Received late.\n    parts: [metric:claim_count]\n"
_RULE = "rules:\n  lateness:\n    label: lateness\n    text: Always holds.\n    about: [term:late]\n"


def _loaded(root: Path, term: str = _TERM, rule: str = _RULE) -> Glossary:
    for folder, text in (("glossary", term), ("business_rules", rule)):
        (root / folder).mkdir()
        (root / folder / "time.yaml").write_text(text, encoding="utf-8")
    return load_glossary(root, _MODEL)


def test_terms_and_rules_know_their_file(tmp_path: Path) -> None:
    """What is told can name where it stands, and a rule is found by what it is about."""
    glossary = _loaded(tmp_path)
    assert glossary.files == {"term:late": "glossary/time.yaml", "rule:lateness": "business_rules/time.yaml"}
    assert glossary.rules_about("term:late") == ("rule:lateness",)
    assert len(glossary.version) == 64


def test_folders_may_be_missing(tmp_path: Path) -> None:
    """A knowledge base without a glossary has an empty one."""
    assert load_glossary(tmp_path, _MODEL) == Glossary()


@pytest.mark.parametrize(
    ("term", "rule", "told"),
    [
        (_TERM.replace("metric:claim_count", "metric:claim_cuont"), _RULE, "glossary/time.yaml:6: metric:claim_cuont is not declared"),
        (_TERM, _RULE.replace("term:late", "term:later"), "business_rules/time.yaml:5: term:later is not declared"),
        (_TERM.replace("text:", "txt:"), _RULE, "glossary/time.yaml:5: terms.late.txt: unknown key"),
        (_TERM.split("    text")[0], _RULE, "glossary/time.yaml:2: late has neither text nor parts"),
        (_TERM, _RULE.replace("Always holds.", "''"), "business_rules/time.yaml:4: rules.lateness.text"),
        (_TERM, _RULE.replace("label: lateness", "label: Late claim"), "business_rules/time.yaml:2: 'late claim' already means term:late"),
        (_TERM.replace("  late:", "  Late-one:"), _RULE, "glossary/time.yaml:2: Late-one: an id is lower-case letters"),
        (_TERM.replace("parts: [metric:claim_count]", "parts: ['value:payer:nobody']"), _RULE, "value:payer:nobody is not declared"),
    ],
)
def test_a_problem_names_file_line_and_what(tmp_path: Path, term: str, rule: str, told: str) -> None:
    """A reader of the message can mend the file."""
    with pytest.raises(DeclarationError) as error:
        _loaded(tmp_path, term, rule)
    assert any(told in problem for problem in error.value.problems), error.value.problems
