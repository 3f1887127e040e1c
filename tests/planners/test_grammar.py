"""The grammar planner: cases, total coverage, robustness, and another domain without a change of code."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_backend.planners.base import Clarify, Planned, Refused
from rag_backend.planners.grammar.english import PHRASES
from rag_backend.planners.grammar.plan import plan
from rag_backend.query.problems import problems_of
from rag_backend.query.typed_query import TypedQuery
from tests.planners.lexicons import TODAY, claims, library
from tests.support.counts import WHOLE
from tests.support.lake import ROOT

_DATA = ROOT / "tests" / "data"
CASES = yaml.safe_load((_DATA / "planner_cases.yaml").read_text(encoding="utf-8"))
_BASE = [
    "denial rate by payer",
    "How many claims are there for Aetna in 2025?",
    "Which payer has the highest denial rate?",
    "top 5 providers by paid amount",
    "average claim amount for diabetes patients",
    "members with more than 5 claims",
    "paid amount by month in 2025",
    "share of claims by payer",
    "how many claims were denied in March 2026",
    "providers with more than 50 claims and a denial rate above 20%",
]


@pytest.mark.parametrize("case", CASES, ids=[case["question"] for case in CASES])
def test_case(case):
    outcome = plan(case["question"], claims(), TODAY)
    if "query" in case:
        assert isinstance(outcome, Planned), outcome
        assert outcome.query == TypedQuery.model_validate(case["query"])
        assert outcome.spans
    elif "options" in case:
        assert isinstance(outcome, Clarify), outcome
        assert [one.query for one in outcome.options] == [TypedQuery.model_validate(one) for one in case["options"]]
    elif "refused" in case:
        assert isinstance(outcome, Refused), outcome
        assert (outcome.reason_code, outcome.word) == (case["refused"], case["word"])
    else:
        assert type(outcome).__name__ == case["route"]


@pytest.mark.parametrize("case", [one for one in CASES if "refused" in one], ids=lambda case: case["question"])
def test_nearest_questions_are_answered(case):
    for text in plan(case["question"], claims(), TODAY).nearest:
        assert isinstance(plan(text, claims(), TODAY), Planned)


def test_every_option_can_be_computed():
    outcomes = [plan(case["question"], claims(), TODAY) for case in CASES if "options" in case]
    assert not [
        problems_of(option.query, claims().model)
        for outcome in outcomes
        for option in outcome.options
        if problems_of(option.query, claims().model)
    ]


def test_an_inserted_word_never_changes_the_answer_silently():
    lexicon, chance = claims(), random.Random(7)
    said = {word for phrase in PHRASES for word in phrase} | lexicon.known
    words = sorted(set((_DATA / "ordinary_words.txt").read_text(encoding="utf-8").split()) - said)
    assert len(words) > 2000
    for question in _BASE:
        plain = plan(question, lexicon, TODAY)
        assert isinstance(plain, Planned)
        parts = question.split()
        for word in chance.sample(words, 300):
            place = chance.randrange(len(parts) + 1)
            text = " ".join([*parts[:place], word, *parts[place:]])
            outcome = plan(text, lexicon, TODAY)
            assert not isinstance(outcome, Planned), text


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_an_outcome(text):
    plan(text, claims(), TODAY)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(sorted({word for phrase in PHRASES for word in phrase} | {w for q in _BASE for w in q.split()})), max_size=12)
)
def test_any_order_of_known_words_has_an_outcome(words):
    outcome = plan(" ".join(words), claims(), TODAY)
    if isinstance(outcome, Planned):
        assert not problems_of(outcome.query, claims().model)


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "\x00\xff\x01", "¿Cuántas reclamaciones hay?", "理赔有多少", "9" * 900, "claims in 9999-99", ""]
)
def test_odd_text_is_refused(text):
    assert isinstance(plan(text, claims(), TODAY), Refused)


def test_a_question_is_planned_within_milliseconds():
    claims()
    start = time.process_time()
    for question in _BASE * 5:
        plan(question, claims(), TODAY)
    assert (time.process_time() - start) / (len(_BASE) * 5) < 0.02


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("how many loans are there", {"metrics": [{"id": "loan_count"}]}),
        ("loans by branch", {"metrics": [{"id": "loan_count"}], "group_by": [{"dim": "branch"}]}),
        ("late rate by genre", {"metrics": [{"id": "late_rate"}], "group_by": [{"dim": "genre"}]}),
        ("crime loans", {"metrics": [{"id": "loan_count"}], "where": [[{"dim": "genre", "op": "in", "values": ["crime"]}]]}),
        ("total fines for Harbor", {"metrics": [{"id": "fine_amount"}], "where": [[{"dim": "branch", "op": "in", "values": ["harbor"]}]]}),
        ("median days kept by branch", {"metrics": [{"id": "days_kept", "stat": "median"}], "group_by": [{"dim": "branch"}]}),
        (
            "readers with more than 3 loans",
            {
                "metrics": [{"id": "reader_count"}],
                "unit": {"entity": "reader", "having": [{"metric": "loan_count", "op": "gt", "value": 3}]},
            },
        ),
        ("loans per month", {"metrics": [{"id": "loan_count"}], "group_by": [{"dim": "loan_date", "grain": "month"}]}),
        ("loans in 2025", {"metrics": [{"id": "loan_count"}], "time": {"date": "loan_date", "from": "2025-01-01", "to": "2026-01-01"}}),
        ("share of loans by genre", {"metrics": [{"id": "loan_count", "transform": "share_of_total"}], "group_by": [{"dim": "genre"}]}),
        (
            "loans excluding poetry",
            {"metrics": [{"id": "loan_count"}], "where": [[{"dim": "genre", "op": "not_in", "values": ["poetry"]}]]},
        ),
        (
            "which branch has the highest late rate",
            {
                "metrics": [{"id": "late_rate"}],
                "group_by": [{"dim": "branch"}],
                "order_by": [{"by": "late_rate", "desc": True}],
                "limit": {"n": 1, "ties": True},
            },
        ),
    ],
)
def test_another_domain(question, query, tmp_path: Path):
    outcome = plan(question, library(tmp_path), TODAY)
    assert isinstance(outcome, Planned), outcome
    assert outcome.query == TypedQuery.model_validate(query)


def test_no_order_of_known_words_is_too_much():
    """Words that the planner knows, in any order: a plan or a refusal, never an exception, and every plan can be computed."""
    lexicon, chance = claims(), random.Random(11)
    english = [" ".join(phrase) for phrase in PHRASES]
    known = [text for phrase in lexicon.phrases if len(text := " ".join(phrase)) < 40]
    common = [
        "claims",
        "members",
        "paid",
        "payer",
        "denial",
        "rate",
        "by",
        "per",
        "top",
        "5",
        "more",
        "than",
        "and",
        "or",
        "not",
        "March",
        "2026",
        "Aetna",
        "diabetes",
        ">",
        "20",
        "%",
        "between",
    ]
    for _ in range(20_000 if WHOLE else 1_500):
        words = [chance.choice(chance.choice([english, known, common, common])) for _ in range(chance.randint(1, 9))]
        outcome = plan(" ".join(words), lexicon, TODAY)
        if isinstance(outcome, Planned):
            assert problems_of(outcome.query, lexicon.model) == [], words


def test_a_word_that_says_nothing_changes_nothing():
    """Function words anywhere in a question: the same plan, or none."""
    lexicon, chance = claims(), random.Random(5)
    words = [phrase[0] for phrase, kind in PHRASES.items() if len(phrase) == 1 and kind in ("FILL", "LIGHT", "ART")]
    for question in _BASE:
        plain, parts = plan(question, lexicon, TODAY), question.split()
        assert isinstance(plain, Planned)
        for word in words:
            place = chance.randrange(len(parts) + 1)
            text = " ".join([*parts[:place], word, *parts[place:]])
            outcome = plan(text, lexicon, TODAY)
            assert not isinstance(outcome, Planned) or outcome.query == plain.query, text
