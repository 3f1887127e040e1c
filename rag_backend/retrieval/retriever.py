"""The documents that a question is about, for one role: by their words, and by vectors as well where those were set up.

What cannot be used is left out and said; a question is never held up by it, and nothing is fetched for one.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from medflow.errors import MedflowError
from medflow.settings import Settings
from medflow.specs.policy import Policy
from rag_backend.retrieval.documents import COLLECTIONS, CollectionName, Document, Documents, Knowledge, documents_of
from rag_backend.retrieval.errors import VectorsUnavailable
from rag_backend.retrieval.model_files import BGE_SMALL

if TYPE_CHECKING:
    from rag_backend.retrieval.bm25 import Bm25
    from rag_backend.retrieval.vectors import VectorIndex

Mode = Literal["bm25", "both"]
OpenVectors = Callable[[Documents], "VectorIndex"]
_MOST = 2_000  # characters of a text that are read
_AGAIN = 60.0  # seconds until what failed is tried once more
_K = 5  # of reciprocal rank fusion: how much a first place is worth beside a tenth; rankings are short here
WEIGHTS = (1.0, 0.5)  # what the rankings of words and of vectors count (docs/retrieval.md)


@dataclass(frozen=True)
class Hit:
    """A document and how near it is; scores of two searches do not compare."""

    id: str
    score: float
    collection: CollectionName
    document: Document


@dataclass(frozen=True)
class Hits:
    """What was found, the best first, and by what; `notice` says why vectors that were set up could not be used."""

    found: tuple[Hit, ...] = ()
    mode: Mode = "bm25"
    notice: str = ""

    @property
    def subjects(self) -> tuple[str, ...]:
        """References to what the documents are about."""
        return tuple(one.document.subject for one in self.found)


class Retriever:
    """Finds documents of one knowledge base; safe for several threads. Nothing is loaded before the first search."""

    def __init__(self, knowledge: Knowledge, open_vectors: OpenVectors | None = None, *, weights: tuple[float, float] = WEIGHTS) -> None:
        """`open_vectors` opens the index of the documents; None where vectors were not set up."""
        self._knowledge, self._open_vectors, self._weights = knowledge, open_vectors, weights
        self._opening = threading.Lock()
        self._vectors: VectorIndex | None = None
        self._failed: tuple[float, str] | None = None

    @classmethod
    def of(cls, settings: Settings, knowledge: Knowledge) -> Retriever:
        """With vectors if `medflow setup --vectors` put the model's files below HOME."""
        set_up = BGE_SMALL.folder(settings.home).is_dir()
        return cls(knowledge, (lambda documents: open_index(settings, documents)) if set_up else None)

    def search(
        self, text: str, policy: Policy, *, collections: Collection[str] = COLLECTIONS, kinds: Collection[str] = (), n: int = 5
    ) -> Hits:
        """At most `n` documents that the policy may read. `kinds`: only subjects of these kinds, as `metric`; () = all."""
        shown = self.shown_to(policy)
        among = {
            name for name, one in shown.items() if one.collection in collections and (not kinds or one.subject.partition(":")[0] in kinds)
        }
        text = text[:_MOST]
        by_words = self._bm25.ranked(text, among)
        by_vectors, notice = self._by_vectors(text, among)
        ranked = by_words if by_vectors is None else fused((by_words, self._weights[0]), (by_vectors, self._weights[1]))
        found = [(shown[name], score) for name, score in ranked if name in shown and shown[name].shown_to(policy)]
        hits = tuple(Hit(one.id, score, one.collection, one) for one, score in found[:n])
        return Hits(hits, "bm25" if by_vectors is None else "both", notice)

    def shown_to(self, policy: Policy) -> Mapping[str, Document]:
        """By id, every document that a policy may read."""
        return self._documents.shown_to(policy)

    def context_of(self, question: str, policy: Policy) -> str:
        """What a model is told of the declarations beside a question: bounded, in a fixed order, without a value that only data know."""
        from rag_backend.retrieval.context import context_of

        return context_of(self, question, policy)

    def close(self) -> None:
        """Close the store."""
        with self._opening:
            if self._vectors is not None:
                self._vectors.close()
            self._vectors = None

    @cached_property
    def _documents(self) -> Documents:
        return documents_of(self._knowledge)

    @cached_property
    def _bm25(self) -> Bm25:
        from rag_backend.retrieval.bm25 import Bm25

        return Bm25(self._documents.all)

    def _by_vectors(self, text: str, among: Collection[str]) -> tuple[list[tuple[str, float]] | None, str]:
        """The ranking, or None and why there is none; no reason where vectors were never set up."""
        try:
            index = self._opened()
            return (index.ranked(text, among), "") if index else (None, "")
        except MedflowError as error:
            return None, self._gone(str(error))

    def _opened(self) -> VectorIndex | None:
        """The index, opened once; what failed is not tried again for a while."""
        if self._open_vectors is None:
            return None
        with self._opening:
            if self._failed and time.monotonic() - self._failed[0] < _AGAIN:
                raise VectorsUnavailable(self._failed[1])
            if self._vectors is None:
                self._vectors, self._failed = self._open_vectors(self._documents), None
            return self._vectors

    def _gone(self, reason: str) -> str:
        with self._opening:
            if self._failed is None or time.monotonic() - self._failed[0] >= _AGAIN:
                self._failed = time.monotonic(), reason
            if self._vectors is not None:
                self._vectors.close()
            self._vectors = None
        return reason


def open_index(settings: Settings, documents: Documents, *, build: bool = False) -> VectorIndex:
    """The index of the settings' model and store, to be used at once; with `build`, all of it is written first.

    Raises:
        VectorsUnavailable: model or store. MissingExtraError: what runs them is not installed. UsageError: no such store.
    """
    from rag_backend.retrieval.embedder import OnnxEmbedder
    from rag_backend.retrieval.store import open_store
    from rag_backend.retrieval.vectors import VectorIndex

    index = VectorIndex(documents, OnnxEmbedder(BGE_SMALL.folder(settings.home)), open_store(settings.vector_store))
    try:
        index.build() if build else index.open()
    except BaseException:
        index.close()
        raise
    return index


def fused(*rankings: tuple[Sequence[tuple[str, float]], float]) -> list[tuple[str, float]]:
    """Reciprocal rank fusion of rankings with their weights: what stands high in any of them stands high; of equals, the lower id.

    Cormack, Clarke and Büttcher: Reciprocal rank fusion outperforms Condorcet and individual rank learning methods, SIGIR 2009.
    """
    scores: dict[str, float] = defaultdict(float)
    for ranking, weight in rankings:
        for place, (name, _) in enumerate(ranking, start=1):
            scores[name] += weight / (_K + place)
    return sorted(scores.items(), key=lambda one: (-one[1], one[0]))
