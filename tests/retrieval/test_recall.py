"""Words alone find what the questions of the banks need: their tables and their metrics among the first five.

The figures of all wordings, and those with vectors, are in docs/retrieval.md; `python -m tools.retrieval_ablation` measures them again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from medflow.specs.policy import Policy
from rag_backend.examples import example_patterns
from rag_backend.planners.base import Outcome
from rag_backend.planners.grammar.plan import plan
from rag_backend.retrieval.documents import Knowledge
from rag_backend.retrieval.retriever import Retriever
from tests.planners.lexicons import claims
from tests.support.counts import counted
from tools.retrieval_ablation import BANKS, Asked, Search, asked_of, recalls


class _Planner:
    """The grammar on the sample's words, without a lake."""

    name = "grammar"

    def plan(self, question: str, today: Any) -> Outcome:
        return plan(question, claims(), today)


@dataclass(frozen=True)
class _Services:
    """As much of them as it takes to tell what a question needs."""

    policy: Policy
    model: Any
    examples: Any
    planner: _Planner = field(default_factory=_Planner)


@pytest.fixture(scope="module")
def asked(knowledge: Knowledge, tmp_path_factory: pytest.TempPathFactory) -> list[Asked]:
    """Every tenth question of all banks, or all of them, in each of its wordings."""
    lines = [line for bank in sorted(BANKS.glob("questions*.jsonl")) for line in bank.read_text(encoding="utf-8").splitlines()]
    sample: Path = tmp_path_factory.mktemp("bank") / "sample.jsonl"
    sample.write_text("\n".join(lines[:: counted(10, 1)]), encoding="utf-8")
    patterns = example_patterns(knowledge.examples, knowledge.model)
    by_role = {role: _Services(policy, knowledge.model, patterns) for role, policy in knowledge.policies.items()}
    return list(asked_of([sample], by_role))


@pytest.mark.parametrize(("kind", "least"), [("table", 0.95), ("metric", 0.95), ("example", 0.8)])
def test_what_a_question_needs_is_among_the_first_five(kind: str, least: float, asked: list[Asked], knowledge: Knowledge) -> None:
    """By words alone, without a model."""
    found = recalls(Search(Retriever(knowledge), knowledge.policies), asked, kind)
    assert found["n"] > (100 if kind != "example" else 10)
    assert found["@5"] >= least, found


def test_wordings_that_the_planner_does_not_read_are_found_too(asked: list[Asked], knowledge: Knowledge) -> None:
    """Their metrics are those of the question's other wordings: retrieval is for what the grammar does not know."""
    unread = [one for one in asked if not one.read]
    found = recalls(Search(Retriever(knowledge), knowledge.policies), unread, "metric")
    assert found["n"] >= 10
    assert found["@5"] >= 0.8, found


def test_what_is_measured_can_be_missed(asked: list[Asked], knowledge: Knowledge) -> None:
    """A ranking of nothing finds nothing: the measure is none that always holds."""

    class Nothing(Search):
        def subjects(self, asked: Asked, kind: str) -> tuple[str, ...]:
            return ()

    found = recalls(Nothing(Retriever(knowledge), knowledge.policies), asked, "table")
    assert (found["@1"], found["@5"]) == (0.0, 0.0)


def test_the_banks_say_which_tables_they_read(asked: list[Asked], knowledge: Knowledge) -> None:
    """Those of the SQL that a person wrote, as far as the role may read them."""
    assert {name for one in asked for name in one.needs["table"]} <= {f"table:{name}" for name in knowledge.tables}
    assert json.loads((BANKS / "questions.jsonl").read_text(encoding="utf-8").splitlines()[0])["sql"]
