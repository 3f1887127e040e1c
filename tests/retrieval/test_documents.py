"""Everything that is declared has a document, made from declarations alone, and nobody is shown what names something closed to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from medflow.specs.policy import Policy
from rag_backend.retrieval.documents import COLLECTIONS, EXAMPLES, Documents, Knowledge, documents_of
from rag_backend.retrieval.needs import granted


def _subjects(documents: Documents, policy: Policy) -> set[str]:
    return {one.subject for one in documents.shown_to(policy).values()}


@pytest.fixture(params=["knowledge", "library"])
def known(request: pytest.FixtureRequest) -> Knowledge:
    """Each knowledge base."""
    return request.getfixturevalue(request.param)


def test_everything_declared_has_a_document(known: Knowledge) -> None:
    """Metrics, dimensions, terms, rules, examples, and every table that some role may read; each in the collection of its kind."""
    found = documents_of(known)
    readable = {table for policy in known.policies.values() for table in policy.tables}
    wanted = {f"metric:{name}" for name in known.model.metrics} | {f"dimension:{name}" for name in known.model.dimensions}
    wanted |= {f"term:{name}" for name in known.glossary.terms} | {f"rule:{name}" for name in known.glossary.rules}
    wanted |= {f"example:{name}" for name in known.examples.by_id} | {f"table:{name}" for name in readable}
    assert {one.subject for one in found.all} == wanted
    assert {one.collection for one in found.all} <= set(COLLECTIONS)
    assert len({one.id for one in found.all}) == len(found.all)
    assert all(one.title and all(one.entries) for one in found.all)


def test_the_same_declarations_give_the_same_documents(known: Knowledge) -> None:
    """In the same order, with the same digest; another word, another digest."""
    one, other = documents_of(known), documents_of(known)
    assert one.all == other.all
    name, metric = next(iter(known.model.metrics.items()))
    changed = replace(
        known.model, metrics={**known.model.metrics, name: metric.model_copy(update={"words": (*metric.words, "a new word")})}
    )
    assert documents_of(replace(known, model=changed)).digest != one.digest == other.digest


def test_nobody_is_shown_what_names_something_closed(known: Knowledge) -> None:
    """Of all roles and documents: everything that a shown document names can be read by the role in one of its ways."""
    found = documents_of(known)
    for policy in known.policies.values():
        for one in found.shown_to(policy).values():
            assert all(granted(ways, policy) for ways in one.needs), (policy.role, one.id)


def test_a_role_without_tables_is_shown_nothing(documents: Documents, knowledge: Knowledge) -> None:
    """Not even prose."""
    assert documents.shown_to(knowledge.policies["admin"]) == {}


def test_a_column_that_is_not_granted_stands_in_no_text(documents: Documents, knowledge: Knowledge) -> None:
    """Names of columns and tables in what a role is shown are names that the role may use."""
    for policy in knowledge.policies.values():
        closed = {column for spec in knowledge.tables.values() for column in spec.column_names if "_" in column}
        closed -= {column for columns in policy.tables.values() for column in columns} | set(knowledge.model.metrics)
        closed -= set(knowledge.model.dimensions)
        closed |= {name for name in knowledge.tables if name not in policy.tables}
        for one in documents.shown_to(policy).values():
            text = " ".join((one.title, *one.names, one.text))
            named = closed & set(re.findall(r"[a-z_]+(?:\.[a-z_]+)?", text))
            assert not named, (policy.role, one.id, named)


@pytest.mark.parametrize(
    ("subject", "roles"),
    [
        ("table:healthcare_gold.denial_reasons", {"business", "analyst", "engineer"}),
        ("table:healthcare.claims_clean", {"analyst", "engineer"}),
        ("table:healthcare.claims_history", {"engineer"}),
        ("metric:denial_rate", {"business", "analyst", "engineer"}),  # business: of the tables of totals
        ("metric:days_to_adjudicate", {"analyst", "engineer"}),  # needs dates that business may not read
        ("dimension:condition", {"business", "analyst", "engineer"}),
        ("dimension:age_band", {"analyst", "engineer"}),
        ("example:claims_by_payer", {"business", "analyst", "engineer"}),
        ("example:members_by_age_and_sex", {"analyst", "engineer"}),
        ("term:member_key", {"analyst", "engineer"}),
        ("rule:age_at_service", {"analyst", "engineer"}),
        ("term:quarantine", {"engineer"}),
    ],
)
def test_who_is_shown_what(subject: str, roles: set[str], documents: Documents, knowledge: Knowledge) -> None:
    """By what the policy grants, not by a list of roles."""
    assert {role for role, policy in knowledge.policies.items() if subject in _subjects(documents, policy)} == roles


def test_a_table_is_told_with_the_columns_of_the_role(documents: Documents, knowledge: Knowledge) -> None:
    """One document a role: the one with all that it may read."""
    told: Mapping[str, str] = {
        role: next(
            one.text for one in documents.shown_to(knowledge.policies[role]).values() if one.subject == "table:healthcare.claims_clean"
        )
        for role in ("analyst", "engineer")
    }
    assert "birth_year" in told["engineer"]
    assert "birth_year" not in told["analyst"]
    assert "age_band" in told["analyst"]


def test_a_narrower_policy_hides_what_goes_by_the_column(knowledge: Knowledge, documents: Documents) -> None:
    """Documents that are there already are shown by the policy at hand."""
    analyst = knowledge.policies["analyst"]
    lines = knowledge.model.fact.table
    fewer = replace(analyst, tables={**analyst.tables, lines: tuple(one for one in analyst.tables[lines] if one != "copay_amount")})
    assert "metric:copay_amount" in _subjects(documents, analyst)
    assert "metric:copay_amount" not in _subjects(documents, fewer)
    assert "table:healthcare.claims_clean" not in _subjects(documents, fewer)


def test_values_that_are_not_public_stand_in_no_text(knowledge: Knowledge) -> None:
    """Of a dimension that is not public neither labels nor words of values, and of an example with such a value no query."""
    payer = knowledge.model.dimensions["payer"].model_copy(update={"privacy": "restricted"})
    model = replace(knowledge.model, dimensions={**knowledge.model.dimensions, "payer": payer})
    found = {one.subject: one for one in documents_of(replace(knowledge, model=model)).all}
    assert "aetna" not in " ".join((*found["dimension:payer"].entries, found["dimension:payer"].text)).casefold()
    assert found["example:claims_of_payer_in_window"].text == ""
    assert found["example:claims_by_payer"].text != ""


def test_an_example_is_found_by_its_question_alone(documents: Documents) -> None:
    """Its query is for who reads it."""
    examples = [one for one in documents.all if one.collection == EXAMPLES]
    assert examples
    assert all(one.entries == (one.title,) for one in examples)
