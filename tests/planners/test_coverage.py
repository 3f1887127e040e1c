"""What a model read is held against the words: of a right query little is doubted, of a wrong one nearly everything is noticed."""

from __future__ import annotations

import random
from collections import Counter

import yaml

from rag_backend.planners.claude.coverage import Asked, Coverage, coverage
from rag_backend.planners.claude.elements import elements_of
from rag_backend.planners.claude.reading import Cited
from rag_backend.planners.grammar.tagging import Tagger
from rag_backend.planners.grammar.tokens import tokens_of
from rag_backend.query.typed_query import TypedQuery
from tests.planners.lexicons import TODAY, claims
from tests.planners.mutations import mutations
from tests.support.lake import ROOT

_CASES = yaml.safe_load((ROOT / "tests/data/planner_cases.yaml").read_text(encoding="utf-8"))
READ = [(case["question"], TypedQuery.model_validate(case["query"])) for case in _CASES if "query" in case]


def asked(question: str) -> Asked:
    tokens = tokens_of(question)
    return Asked(tokens, Tagger(claims(), TODAY, tokens, question).nodes(), claims())


def all_cited(question: str, query: TypedQuery) -> Coverage:
    """The coverage of a query whose every part cites the whole question: the most that a careless model can claim."""
    cited = [Cited(element.slot, 0, len(question)) for element in elements_of(query, claims().model)]
    return coverage(asked(question), query, cited)


def test_wrong_readings_are_noticed() -> None:
    """Of the approved readings with one thing changed, 98 of 100 are found out, though every part cites every word."""
    chance, missed, tried = random.Random(3), Counter(), 0
    for question, query in READ:
        for kind, wrong in mutations(query, claims(), chance):
            tried += 1
            found = all_cited(question, wrong)
            missed[kind] += not (found.problems or found.undeclared)
    assert tried > 2_000
    assert sum(missed.values()) <= 0.02 * tried, missed.most_common()
    assert not any(missed[kind] for kind in ("another value", "another filter", "another time", "no comparison")), missed


def test_right_readings_mostly_pass() -> None:
    """A right query that is doubted costs an answer, never a wrong one: two thirds pass."""
    doubted = [question for question, query in READ if all_cited(question, query).problems]
    assert len(doubted) <= len(READ) / 3, doubted[:20]


def test_a_word_that_no_part_cites_is_left_over() -> None:
    """The word is named."""
    question = "denial rate by payer in Texas"
    query = TypedQuery.model_validate({"metrics": [{"id": "denial_rate"}], "group_by": [{"dim": "payer"}]})
    cited = [Cited("metrics[0]", 0, 11), Cited("group_by[0]", 15, 20)]
    assert coverage(asked(question), query, cited).problems[0] == "the word 'Texas' is read by nothing"


def test_a_part_without_words_is_not_asked_for() -> None:
    """A filter that the model added by itself."""
    where = [[{"dim": "payer", "op": "in", "values": ["aetna"]}]]
    query = TypedQuery.model_validate({"metrics": [{"id": "claim_count"}], "where": where})
    found = coverage(asked("how many claims are there"), query, [Cited("metrics[0]", 0, 15)])
    assert "where[0] cites no words of the question" in found.problems


def test_a_word_that_nobody_declared_is_a_question_back() -> None:
    """It licenses what it is cited for only if a person says so."""
    question = "how many claims of sugar trouble"
    where = [[{"dim": "condition", "op": "in", "values": ["diabetes"]}]]
    query = TypedQuery.model_validate({"metrics": [{"id": "claim_count"}], "where": where})
    found = coverage(asked(question), query, [Cited("metrics[0]", 0, 15), Cited("where[0]", 19, len(question))])
    assert (found.problems, found.undeclared) == ((), ("sugar", "trouble"))
