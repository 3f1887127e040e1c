"""Declarations are checked all at once; every problem names its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from medflow.errors import DeclarationError, UsageError
from medflow.settings import packaged_knowledge_base
from medflow.specs.knowledge_base import load_knowledge_base
from tests.support.lake import copied_knowledge_base

_NEAR = 30  # lines between the changed text and the key that is told: a query is told by its first line


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A copy of the packaged declarations that a test may break."""
    return copied_knowledge_base(tmp_path / "kb")


def broken(base: Path, file: str, old: str, new: str) -> list[str]:
    """The problems after one replacement in one file."""
    path = base / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DeclarationError) as error:
        load_knowledge_base(base)
    return error.value.problems


def test_the_packaged_declarations_are_sound() -> None:
    """Three payers, six tables below gold, five gold tables."""
    base = load_knowledge_base(packaged_knowledge_base())
    assert sorted(base.payers) == ["aetna", "bluecross", "unitedhealth"]
    assert len(base.tables) == 6
    assert len(base.gold) == 5


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("payers/aetna.yaml", "{birth_year: int}", "{birth_yaer: int}", "birth_yaer is not a silver column"),
        ("payers/aetna.yaml", "{birth_year: int}", "{birth_year: integer}", "no parser 'integer'; allowed: "),
        ("payers/aetna.yaml", "label: Aetna", "label: Aetna\ncolour: red", "colour: unknown key"),
        ("payers/aetna.yaml", "optional: [Birth Year", "optional: [Birth Yaer", "optional names Birth Yaer, which is no declared column"),
        (
            "payers/bluecross.yaml",
            "MEMBER_ID:         {member_id: text}",
            "MEMBER_ID:         {}",
            "no column feeds member_id; it is required",
        ),
        (
            "payers/bluecross.yaml",
            "CASE WHEN claim_status = 'paid'",
            "CASE WHEN claim_statu = 'paid'",
            "claim_statu is not a column that may be used here",
        ),
        ("payers/bluecross.yaml", "payer: bluecross", "payer: bluecros", "the file is named after it"),
        ("payers/unitedhealth.yaml", 'delimiter: "|"', 'delimiter: "||"', "file.delimiter"),
        ("silver/claim_line.yaml", "fails_when: units < 1 OR units > 999", "fails_when: units < OR", "the expression does not parse"),
        (
            "silver/claim_line.yaml",
            "fails_when: units < 1 OR units > 999",
            "fails_when: unitz < 1",
            "unitz is not a column that may be used here",
        ),
        ("silver/claim_line.yaml", "fails_when: units < 1 OR units > 999", "fails_when: SUM(units) > 1", "no query, aggregate, window"),
        ("silver/claim_line.yaml", "id: units_range", "id: sex_known", "rule sex_known stands twice"),
        (
            "silver/claims_clean.yaml",
            "grain: [payer_id, claim_id, line_number]",
            "grain: [payer_id, claim, line_number]",
            "claim is not a column",
        ),
        ("silver/claims_clean.yaml", "age_band:            {type: string", "age_band:            {typ: string", "typ: unknown key"),
        ("gold/denial_reasons.sql", "claim_count > 0", "claim_cnt > 0", "claim_cnt is not a column that may be used here"),
        ("gold/denial_reasons.sql", "FROM claims_clean\n  WHERE", "FROM claims_history\n  WHERE", "the query reads claims_history"),
        ("gold/denial_reasons.sql", "  denied_amount: SUM(billed_amount)\n", "", "no tie for denied_amount; every additive column has one"),
        ("gold/denial_reasons.sql", "partition: month(service_month)", "partition: day(service_month)", "partitioned by month, not day"),
        (
            "gold/condition_costs.sql",
            "reads_codes: [conditions]",
            "reads_codes: [diseases]",
            "no code list diseases; there are: conditions",
        ),
        ("gate.yaml", "refuse_at: 0.10", "refuse_at: ten", "error_share.refuse_at"),
    ],
)
def test_a_problem_names_file_line_and_what_is_allowed(base: Path, file: str, old: str, new: str, told: str) -> None:
    """The line is that of the key in the file, and the sentence says what is wrong."""
    text = (base / file).read_text(encoding="utf-8")
    line = text[: text.index(old)].count("\n") + 1
    problems = broken(base, file, old, new)
    hits = [problem for problem in problems if told in problem]
    assert hits, problems
    assert all(problem.startswith(f"{file}:") for problem in hits)
    numbers = {int(problem.split(":")[1]) for problem in hits}
    assert any(abs(number - line) <= _NEAR for number in numbers), (problems, line)


def test_all_problems_are_reported_together(base: Path) -> None:
    """Three broken files give three problems in one error."""
    for file, old, new in (("gate.yaml", "0.05", "x"), ("payers/aetna.yaml", "label: Aetna", "lable: Aetna")):
        path = base / file
        path.write_text(path.read_text().replace(old, new, 1))
    problems = broken(base, "payers/bluecross.yaml", "{units: int}", "{units: whole}")
    assert {problem.split(":")[0] for problem in problems} == {"gate.yaml", "payers/aetna.yaml", "payers/bluecross.yaml"}


def test_a_file_that_is_not_yaml_names_the_line(base: Path) -> None:
    """The parser's own place is kept."""
    problems = broken(base, "payers/aetna.yaml", "label: Aetna", "label: [Aetna")
    assert problems[0].startswith("payers/aetna.yaml:3: not YAML")


def test_a_repeated_key_is_a_problem(base: Path) -> None:
    """YAML would let the last one win in silence."""
    problems = broken(base, "payers/aetna.yaml", "label: Aetna", "label: Aetna\nlabel: Aetna")
    assert problems == ["payers/aetna.yaml:3: label stands twice"]


def test_no_folder_is_told(tmp_path: Path) -> None:
    """The message names the setting."""
    with pytest.raises(UsageError, match="MEDFLOW_KNOWLEDGE_BASE"):
        load_knowledge_base(tmp_path)


def test_a_fingerprint_changes_with_what_the_table_is_built_from(base: Path) -> None:
    """A payer's mapping touches that payer's history alone; a gold file touches its table alone."""
    before = load_knowledge_base(base).fingerprints
    aetna = base / "payers/aetna.yaml"
    aetna.write_text(aetna.read_text().replace("label: Aetna", "label: AETNA"))
    changed = load_knowledge_base(base).fingerprints
    assert {name for name in before if before[name] != changed[name]} == {"healthcare.claims_history#aetna"}
    gold = base / "gold/condition_costs.sql"
    gold.write_text(gold.read_text().replace("claim_count > 0", "claim_count >= 1"))
    last = load_knowledge_base(base).fingerprints
    assert {name for name in changed if changed[name] != last[name]} == {"healthcare_gold.condition_costs"}
