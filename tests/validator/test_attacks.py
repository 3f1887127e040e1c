"""Every attack of the corpus is refused, as a value, with a sentence that says what and what is allowed."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

from rag_backend.validator import Refused, validate
from tests.validator.corpus import DIALECTS, Attack, attacks, policies, proof

_ALL = [attack for dialect in DIALECTS for attack in attacks(dialect)]
_SHOWN = {"rows", "canary", "key", "change", "exhaust"}


def test_the_corpus_is_large_enough() -> None:
    """300 attacks, 80 for each dialect, no text twice; the engine that does not run here is marked."""
    assert len(_ALL) >= 300
    assert min(Counter(attack.dialect for attack in _ALL).values()) >= 80
    assert len({(attack.dialect, attack.sql) for attack in _ALL}) == len(_ALL)
    assert len({attack.id for attack in _ALL}) == len(_ALL)
    for attack in _ALL:
        assert attack.shown in ({"not_run"} if attack.dialect == "trino" else _SHOWN)


@pytest.mark.parametrize("attack", _ALL, ids=lambda attack: attack.id)
def test_the_attack_is_refused(attack: Attack, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the harm; and the text, which may name a person, is not logged."""
    with caplog.at_level(logging.DEBUG):
        refused = validate(attack.aimed(Path("/tmp/x")), proof(attack.dialect))
    assert isinstance(refused, Refused), refused.sql
    assert refused.sentence
    assert "cannot be checked" not in refused.sentence, "a rule stumbled instead of refusing"
    assert caplog.text == ""


@pytest.mark.parametrize("attack", _ALL, ids=lambda attack: attack.id)
def test_business_and_admin_are_refused_too(attack: Attack) -> None:
    """Less is granted to them, so nothing more passes."""
    for role in ("business", "admin"):
        assert isinstance(validate(attack.aimed(Path("/tmp/x")), proof(attack.dialect, role)), Refused)


def test_what_an_engineer_may_see_passes_for_the_engineer_alone() -> None:
    """The corpus is refused for its reasons: the same text passes where the column is granted."""
    sql = "SELECT member_id FROM healthcare.claims_clean"
    assert not isinstance(validate(sql, proof(role="engineer")), Refused)
    assert isinstance(validate(sql, proof(role="analyst")), Refused)


def test_closed_and_missing_names_are_refused_in_the_same_words() -> None:
    """A refusal does not tell whether a closed table or column exists."""
    for closed, missing in (
        ("SELECT birth_year FROM healthcare.claims_clean", "SELECT shoe_size FROM healthcare.claims_clean"),
        ("SELECT 1 AS x FROM healthcare.claims_history", "SELECT 1 AS x FROM healthcare.claims_fiction"),
    ):
        one, other = validate(closed, proof()), validate(missing, proof())
        assert isinstance(one, Refused)
        assert isinstance(other, Refused)
        told = other.sentence.replace("shoe_size", "birth_year").replace("claims_fiction", "claims_history")
        assert (one.reason_code, one.sentence) == (other.reason_code, told)


def test_an_empty_policy_allows_nothing() -> None:
    """An empty list is not a list of all."""
    assert not policies()["admin"].tables
    assert isinstance(validate("SELECT 1 AS x", proof(role="admin")), Refused)


def test_a_closed_lane_is_refused() -> None:
    """Business users have typed queries alone."""
    refused = validate("SELECT npi FROM healthcare.providers", proof(role="business", lane="sql"))
    assert isinstance(refused, Refused)
    assert refused.reason_code == "not_permitted"
