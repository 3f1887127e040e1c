"""What must be granted follows from the model: where a metric, a dimension or a query can be read from."""

from __future__ import annotations

from dataclasses import replace

from medflow.specs.policy import Policy
from rag_backend.query.typed_query import TypedQuery
from rag_backend.retrieval.documents import Knowledge
from rag_backend.retrieval.needs import Reads, granted


def _policy(**tables: str) -> Policy:
    return Policy("test", {name.replace("__", "."): tuple(columns.split()) for name, columns in tables.items()})


def test_one_way_is_enough(knowledge: Knowledge) -> None:
    """A count that lines and totals both keep is open to who may read the totals alone."""
    ways = knowledge.reads.of_metric("denied_claim_count")
    assert granted(ways, _policy(healthcare_gold__denial_reasons="claim_count"))
    assert granted(ways, _policy(healthcare__claims_clean="payer_id claim_id claim_status"))
    assert not granted(ways, _policy(healthcare__claims_clean="payer_id claim_id"))
    assert not granted(ways, _policy())


def test_a_ratio_needs_both_of_its_numbers(knowledge: Knowledge) -> None:
    """Of one table."""
    ways = knowledge.reads.of_metric("denial_rate")
    assert granted(ways, _policy(healthcare_gold__claims_monthly_summary="denied_claim_count adjudicated_claim_count"))
    assert not granted(ways, _policy(healthcare_gold__claims_monthly_summary="denied_claim_count"))


def test_a_joined_dimension_needs_both_tables(knowledge: Knowledge) -> None:
    """The key on the one side, the key and the column on the other."""
    ways = knowledge.reads.of_dimension("specialty")
    assert granted(ways, _policy(healthcare__claims_clean="rendering_npi", healthcare__providers="npi specialty"))
    assert not granted(ways, _policy(healthcare__claims_clean="rendering_npi", healthcare__providers="npi name"))
    assert not granted(ways, _policy(healthcare__providers="npi specialty"))


def test_what_only_totals_keep_has_no_way_by_the_lines(knowledge: Knowledge) -> None:
    """As the stages of a funnel."""
    assert [sorted(way) for way in knowledge.reads.of_dimension("funnel_stage")] == [["healthcare_gold.claims_approval_funnel"]]


def test_a_list_needs_the_table_of_what_is_listed_alone(knowledge: Knowledge) -> None:
    """Unless it is measured as well."""
    ways = knowledge.reads.of_query(TypedQuery.model_validate({"form": "list", "entity": "provider"}))
    assert granted(ways, _policy(healthcare__providers="npi name specialty state"))
    assert not granted(ways, _policy(healthcare__providers="npi name"))
    counted = {"form": "list", "entity": "provider", "having": [{"metric": "claim_count", "op": "eq", "value": 0}]}
    assert not granted(
        knowledge.reads.of_query(TypedQuery.model_validate(counted)), _policy(healthcare__providers="npi name specialty state")
    )


def test_every_example_can_be_read_by_somebody(knowledge: Knowledge, library: Knowledge) -> None:
    """Every approved question has a way, and some role has it."""
    for known in (knowledge, library):
        for name, example in known.examples.by_id.items():
            ways = known.reads.of_query(TypedQuery.model_validate(example.query))
            assert any(granted(ways, policy) for policy in known.policies.values()), name


def test_without_its_table_a_source_is_no_way(knowledge: Knowledge) -> None:
    """Only declared tables are read."""
    fewer = {name: spec for name, spec in knowledge.tables.items() if not name.startswith("healthcare_gold.")}
    reads = Reads(knowledge.model, fewer)
    assert [sorted(way) for way in reads.of_metric("denied_claim_count")] == [["healthcare.claims_clean"]]
    assert replace(reads, tables=knowledge.tables).of_metric("denied_claim_count") != reads.of_metric("denied_claim_count")
