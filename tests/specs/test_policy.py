"""Who may read what is declared once, checked against the tables, and closed where nothing is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medflow.errors import DeclarationError
from medflow.settings import packaged_knowledge_base
from medflow.specs.knowledge_base import load_knowledge_base
from medflow.specs.policy import POLICY_FILE, ROLES, Policy, load_policies
from medflow.specs.table import Column, TableSpec

_LINES = "healthcare.claims_clean"
_TABLES = {spec.name: spec for spec in load_knowledge_base(packaged_knowledge_base()).table_specs}


_ROOT = packaged_knowledge_base()


def loaded(root: Path = _ROOT, tables: dict[str, TableSpec] = _TABLES) -> dict[str, Policy]:
    return dict(load_policies(root, tables))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the packaged policy that a test may break."""
    (tmp_path / POLICY_FILE).write_text((packaged_knowledge_base() / POLICY_FILE).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def broken(root: Path, old: str, new: str) -> tuple[list[str], int]:
    """The problems after one replacement, and the line where it was."""
    text = (root / POLICY_FILE).read_text(encoding="utf-8")
    assert old in text
    (root / POLICY_FILE).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DeclarationError) as error:
        loaded(root)
    return error.value.problems, text[: text.index(old)].count("\n") + 1


def test_the_roles_read_what_was_decided() -> None:
    """Business: totals and providers. Analyst: lines too, without the member. Engineer: all but raw text. Admin: nothing."""
    policies = loaded()
    assert tuple(policies) == ROLES
    business, analyst, engineer, admin = (set(policies[role].tables) for role in ROLES)
    gold = {name for name in _TABLES if name.startswith("healthcare_gold.")}
    assert business == gold | {"healthcare.providers"}
    assert analyst == business | {_LINES}
    assert engineer == analyst | {"healthcare.claims_history", "healthcare.claims_quarantined", "healthcare.data_quality_log"}
    assert admin == set()
    closed = set(_TABLES[_LINES].column_names) - set(policies["analyst"].tables[_LINES])
    assert closed == {"member_id", "birth_year"}
    assert policies["engineer"].tables[_LINES] == _TABLES[_LINES].column_names
    assert "raw_line" not in policies["engineer"].tables["healthcare.claims_quarantined"]


def test_lanes_and_small_cells() -> None:
    """Only analysts and engineers write SQL; only business users have small cells masked."""
    policies = loaded()
    assert {role: policies[role].lanes for role in ROLES} == {
        "business": {"semantic"},
        "analyst": {"semantic", "sql", "ad_hoc"},
        "engineer": {"semantic", "sql", "ad_hoc"},
        "admin": set(),
    }
    assert {role: policies[role].suppress_below for role in ROLES} == {"business": 11, "analyst": None, "engineer": None, "admin": None}
    assert all(policy.key_columns == {"member_key"} for policy in policies.values())


def test_a_new_column_is_closed_until_it_is_granted() -> None:
    """On line-level tables; tables of totals are open by `*`, but for a private column."""
    new = Column(name="phone", type="string")
    hidden = Column(name="note", type="string", private=True)
    changed = {name: spec.model_copy(update={"columns": (*spec.columns, new, hidden)}) for name, spec in _TABLES.items()}
    for policy in loaded(tables=changed).values():
        for table, columns in policy.tables.items():
            assert ("phone" in columns) == table.startswith("healthcare_gold.")
            assert "note" not in columns


def test_the_hash_tells_policies_apart() -> None:
    """Equal content, equal hash; one column, lane, key or threshold more, another."""
    analyst = loaded()["analyst"]
    assert analyst.hash == loaded()["analyst"].hash
    fewer = {name: columns[1:] for name, columns in analyst.tables.items()}
    for other in (
        replace(analyst, tables=fewer),
        replace(analyst, lanes=frozenset()),
        replace(analyst, key_columns=frozenset()),
        replace(analyst, suppress_below=2),
        replace(analyst, role="engineer"),
    ):
        assert other.hash != analyst.hash
    assert replace(analyst, tables=dict(reversed(analyst.tables.items()))).hash == analyst.hash


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("lanes: [semantic]", "lanes: [telepathy]", "roles.business.lanes.0"),
        ("suppress_below: 11", "suppress_below: 1", "roles.business.suppress_below"),
        (
            "healthcare_gold.denial_reasons:",
            "healthcare_gold.denial_raisins:",
            "healthcare_gold.denial_raisins is not a declared table; there are: ",
        ),
        ("- plan_code", "- plan_cod", "plan_cod is not a column of healthcare.claims_clean"),
        ("- plan_code", "- payer_id", "payer_id stands twice"),
        ("key_columns: [member_key]", "key_columns: [member_kee]", "key column member_kee is granted to no role"),
        ("extends: analyst", "extends: anybody", "engineer extends anybody; a role extends one that extends none: "),
        ("extends: analyst", "extends: analyst\n    colour: red", "roles.engineer.colour: unknown key"),
        ("  admin:", "  boss:", "exactly these roles are declared: business, analyst, engineer, admin"),
        ("[npi, name, specialty, state]", "all", 'a grant is "*", a list of columns, or {except: [columns]}'),
        ("[npi, name, specialty, state]", "{except: [nam]}", "nam is not a column of healthcare.providers"),
        ("[npi, name, specialty, state]", "{but: [name]}", "unknown key"),
        ("tables: {}", "tables: {}\n    tables: {}", "tables stands twice"),
    ],
)
def test_a_problem_names_file_and_line(root: Path, old: str, new: str, told: str) -> None:
    """As in every other declaration."""
    problems, line = broken(root, old, new)
    hits = [problem for problem in problems if told in problem]
    assert hits, problems
    assert all(problem.startswith(f"{POLICY_FILE}:") for problem in hits)
    if "exactly these" not in told:  # told of the list of roles, above
        assert any(abs(int(problem.split(":")[1]) - line) <= 1 for problem in hits), (problems, line)


def test_except_opens_the_rest_but_private_columns(root: Path) -> None:
    """`{except: [...]}` is all public columns but these."""
    path = root / POLICY_FILE
    path.write_text(
        path.read_text().replace("healthcare.providers: [npi, name, specialty, state]", "healthcare.providers: {except: [name]}", 1)
    )
    assert loaded(root)["business"].tables["healthcare.providers"] == ("npi", "specialty", "state")


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    """Without a policy nothing is readable, and that is said."""
    with pytest.raises(DeclarationError, match=r"policy.yaml:1: is missing"):
        loaded(tmp_path)
