"""What is told of a term is derived from its declaration and names the file."""

from __future__ import annotations

import pytest

from medflow.settings import packaged_knowledge_base
from rag_backend.definitions.conditions import in_words
from rag_backend.definitions.sentences import explained
from tests.definitions.test_reading import catalogue


def _every() -> list[str]:
    found = catalogue()
    return sorted({reference for references in found.phrases.values() for reference in references})


@pytest.mark.parametrize("reference", _every())
def test_everything_that_can_be_asked_has_text_and_source(reference: str) -> None:
    """A sentence, and a file of the knowledge base that is there."""
    told = explained((reference,), catalogue())
    assert told
    for one in told:
        assert one.text.endswith((".", "!", "?"))
        assert (packaged_knowledge_base() / one.source).is_file()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("claim_status = 'denied'", "claim status is denied"),
        ("claim_status <> 'rejected'", "claim status is not rejected"),
        ("claim_status IN ('paid', 'denied', 'reversed')", "claim status is paid, denied or reversed"),
        ("claim_status NOT IN ('paid', 'denied')", "claim status is neither paid nor denied"),
        ("paid_date IS NOT NULL AND paid_amount > 0", "date paid (paid_date) is known and paid amount is above 0"),
        ("paid_date IS NULL OR paid_amount <= 10", "date paid (paid_date) is not known or paid amount is at most 10"),
        ("COALESCE(deductible_amount, 0) + COALESCE(copay_amount, 0)", "deductible (deductible_amount) + copay (copay_amount)"),
        (
            "DATEDIFF(adjudicated_date, received_date)",
            "the days from date received (received_date) to date adjudicated (adjudicated_date)",
        ),
        ("LEFT(principal_diagnosis, 3)", "the first 3 characters of principal diagnosis"),
    ],
)
def test_an_expression_in_words(sql: str, words: str) -> None:
    """Columns by the labels that the model gives them."""
    assert in_words(sql, catalogue().model) == words


def test_a_ratio_is_told_with_its_parts_and_its_rule() -> None:
    """What is divided by what, what each of them counts, and what always holds."""
    told = explained(("metric:denial_rate",), catalogue())
    assert [one.term for one in told] == ["denial rate", "denied claims", "adjudicated claims", "base of the denial rate"]
    assert told[0].text.startswith("Denied claims divided by adjudicated claims")
    assert told[-1].source == "business_rules/claims.yaml"


def test_nothing_is_told_twice() -> None:
    """Terms that share a part tell it once."""
    told = explained(("metric:denial_rate", "metric:denied_share_of_claims", "metric:denied_claim_count"), catalogue())
    assert len({(one.term, one.source) for one in told}) == len(told)
