"""What the service reads to count is declared, is granted to nobody, and is no more than the counts need."""

from __future__ import annotations

from pathlib import Path

import pytest

from medflow.errors import DeclarationError
from medflow.settings import packaged_knowledge_base
from medflow.specs.policy import POLICY_FILE, load_policies
from tests.small_cells.lines import TABLES

_LINES = "healthcare.claims_clean"


def test_the_role_with_small_cells_is_counted_for() -> None:
    """It has the service's grant beside its own; the others have none, and no role is the service."""
    policies = load_policies(packaged_knowledge_base(), TABLES)
    counting = policies["business"].counting
    assert counting is not None
    assert counting.role not in policies
    assert not {"member_id", "birth_year", "diagnosis_codes", "sex"} & set(counting.tables[_LINES])
    assert "member_key" in counting.key_columns
    assert _LINES not in policies["business"].tables
    assert {role for role, policy in policies.items() if policy.counting} == {"business"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\ncounting:\n", "\nnothing_like_it:\n", "nothing_like_it"),
        (
            f"\ncounting:\n  healthcare.providers: [npi, name, specialty, state]\n  {_LINES}:",
            "\ncounting:\n  healthcare.nowhere:",
            "not a declared table",
        ),
    ],
)
def test_a_grant_that_cannot_be_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    """An unknown key, and a table that is not there."""
    text = (packaged_knowledge_base() / POLICY_FILE).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / POLICY_FILE).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DeclarationError) as error:
        load_policies(tmp_path, TABLES)
    assert any(told in problem for problem in error.value.problems)


def test_small_cells_without_a_grant_to_count_are_told(tmp_path: Path) -> None:
    """Nothing could be counted, so nothing could be shown."""
    text = (packaged_knowledge_base() / POLICY_FILE).read_text(encoding="utf-8")
    (tmp_path / POLICY_FILE).write_text(text[: text.index("# What the service itself reads")], encoding="utf-8")
    with pytest.raises(DeclarationError) as error:
        load_policies(tmp_path, TABLES)
    assert any("needs `counting`" in problem for problem in error.value.problems)
