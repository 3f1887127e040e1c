"""The tables that a question needs: those that it names, and those that its metrics and dimensions are read from."""

from __future__ import annotations

from collections import defaultdict

from medflow.specs.policy import Policy
from rag_backend.retrieval.needs import granted
from rag_backend.retrieval.retriever import Hit, Hits, Retriever, fused

_METRICS, _DIMENSIONS = 3, 5  # of those found, how many are believed
_EVEN = 10  # how little the first of them counts more than the last


def tables_of(retriever: Retriever, question: str, policy: Policy, n: int = 5) -> Hits:
    """At most `n` tables that the policy may read."""
    by_subject = {one.subject: one for one in retriever.shown_to(policy).values() if one.subject.startswith("table:")}
    named = retriever.search(question, policy, kinds=("table",), n=len(by_subject))
    read = [retriever.search(question, policy, kinds=(kind,), n=k).found for kind, k in (("metric", _METRICS), ("dimension", _DIMENSIONS))]
    ranked = fused(([(hit.document.subject, hit.score) for hit in named.found], 1), (_by_need(read, policy), 1))
    chosen = [(by_subject[subject], score) for subject, score in ranked if subject in by_subject]
    return Hits(tuple(Hit(one.id, score, one.collection, one) for one, score in chosen[:n]), named.mode, named.notice)


def _by_need(found: list[tuple[Hit, ...]], policy: Policy) -> list[tuple[str, float]]:
    """Tables by what is read from them: what can be had from several counts in parts, what only one can give counts whole."""
    scores: dict[str, float] = defaultdict(float)
    for place, hit in (one for hits in found for one in enumerate(hits, start=1)):
        ways = [way for way in hit.document.needs[0] if granted((way,), policy)]
        for table in (table for way in ways for table in way):
            scores[f"table:{table}"] += 1 / (len(ways) * (_EVEN + place))
    return sorted(scores.items(), key=lambda one: (-round(one[1], 6), one[0]))
