"""How often retrieval finds what a question needs, by words, by vectors and by both: the figures of docs/retrieval.md.

Asked are all wordings of the answerable questions of the banks, each as the role that the bank names. Needed are the tables of the SQL
that a person wrote (as far as the role may read them), the metrics that the grammar planner reads in any wording of the question, and
the approved example that its query is, if it is one. Needs a lake of the banks' sample (tests/data/questions.md) at MEDFLOW_HOME.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from medflow.settings import Settings, load_settings
from medflow.specs.policy import Policy
from rag_backend.agents.turn import Services
from rag_backend.assistant import opened
from rag_backend.examples import pattern
from rag_backend.planners.base import Planned
from rag_backend.retrieval.documents import Documents, Knowledge
from rag_backend.retrieval.model_files import BGE_SMALL
from rag_backend.retrieval.retriever import Retriever, open_index
from rag_backend.retrieval.set_up import load_knowledge
from rag_backend.retrieval.tables import tables_of
from rag_backend.retrieval.vectors import VectorIndex

BANKS = Path(__file__).parents[1] / "tests" / "data"
KINDS = ("table", "metric", "example")
AT = (1, 3, 5)


@dataclass(frozen=True)
class Asked:
    """One wording, and the subjects that it needs of each kind. `read`: whether the grammar planner reads it."""

    wording: str
    role: str
    read: bool
    needs: Mapping[str, frozenset[str]]


def asked_of(banks: Iterable[Path], by_role: Mapping[str, Services]) -> Iterator[Asked]:
    """Every wording of every answerable question."""
    for bank in banks:
        for line in bank.read_text(encoding="utf-8").splitlines():
            question = json.loads(line)
            if question["kind"] == "answerable":
                yield from _wordings(question, by_role[question["role"]])


def _wordings(question: Mapping[str, Any], services: Services) -> Iterator[Asked]:
    tables = frozenset(f"table:{name}" for name in _tables(question["sql"]) if name in services.policy.tables)
    wordings = (question["question"], *question["paraphrases"])
    outcomes = [services.planner.plan(text, date.fromisoformat(question["today"])) for text in wordings]
    queries = [outcome.query if isinstance(outcome, Planned) else None for outcome in outcomes]
    known = next((query for query in queries if query), None)
    for text, query in zip(wordings, queries, strict=True):
        typed = query or known
        metrics = frozenset(f"metric:{use.id}" for use in typed.metrics) if typed else frozenset()
        example = services.examples.get(pattern(query, services.model), "") if query else ""
        needs = {"table": tables, "metric": metrics, "example": frozenset({f"example:{example}"} if example else ())}
        yield Asked(text, question["role"], query is not None, needs)


def _tables(sql: str) -> set[str]:
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    return {f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db}


@dataclass(frozen=True)
class Search:
    """One way of searching, for each role by its policy."""

    retriever: Retriever
    policies: Mapping[str, Policy]

    def subjects(self, asked: Asked, kind: str) -> tuple[str, ...]:
        policy, most = self.policies[asked.role], AT[-1]
        if kind == "table":
            return tables_of(self.retriever, asked.wording, policy, most).subjects
        return self.retriever.search(asked.wording, policy, kinds=(kind,), n=most).subjects


def recalls(search: Search, asked: Sequence[Asked], kind: str) -> dict[str, float]:
    """The mean share of what is needed among the first 1, 3, 5; `n` wordings need something of the kind."""
    found: dict[int, float] = defaultdict(float)
    needing = [one for one in asked if one.needs[kind]]
    for one in needing:
        ranked = search.subjects(one, kind)
        for k in AT:
            found[k] += len(one.needs[kind] & set(ranked[:k])) / len(one.needs[kind])
    return {"n": len(needing)} | {f"@{k}": round(found[k] / max(len(needing), 1), 4) for k in AT}


def searches(settings: Settings, knowledge: Knowledge) -> Iterator[tuple[str, Search]]:
    """By words; by vectors and by both where they are set up."""
    yield "BM25", Search(Retriever(knowledge), knowledge.policies)
    if BGE_SMALL.folder(settings.home).is_dir():

        def opened_index(documents: Documents) -> VectorIndex:
            return open_index(settings, documents)

        yield "vectors", Search(Retriever(knowledge, opened_index, weights=(0.0, 1.0)), knowledge.policies)
        yield "both", Search(Retriever(knowledge, opened_index), knowledge.policies)


def main() -> None:
    """Print one line for each way and kind."""
    settings = load_settings()
    knowledge = load_knowledge(settings)
    with ExitStack() as stack:
        by_role = {role: stack.enter_context(opened(settings, role)).services for role in ("business", "analyst", "engineer")}
        asked = list(asked_of([Path(one) for one in sys.argv[1:]] or sorted(BANKS.glob("questions*.jsonl")), by_role))
    unread = [one for one in asked if not one.read]
    print(f"{len(asked)} wordings, {len(unread)} of which the grammar planner does not read")
    for name, search in searches(settings, knowledge):
        for kind in KINDS:
            print(f"{name:8} {kind:8} {recalls(search, asked, kind)}")
        print(f"{name:8} {'metric*':8} {recalls(search, unread, 'metric')}  (* of wordings that the planner does not read)", flush=True)


if __name__ == "__main__":
    main()
