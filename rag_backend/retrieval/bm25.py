"""Okapi BM25 over what documents are called: in lower case, plurals folded. No network, no model; built in memory in milliseconds.

Each name of a document is a text of its own, and the best one counts: a question names one of several synonyms, not all of them. A
name of which only a part stands in the question counts as much less as that part is of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

import bm25s  # type: ignore[import-untyped]
import numpy as np

from rag_backend.planners.grammar.tokens import singular
from rag_backend.retrieval.documents import Document

_WORD = re.compile(r"[^\W_]+")
_SILENT = """a an and are as at be been by can could did do does each every for from give had has have how i in into is it its list many
    me much my of on or our over per please show so tell that the their them there these they this those to us was we were what when
    where which who whose will with would you your"""
_SAYS_NOTHING = frozenset(_SILENT.split())
_DIGITS = 6  # equal scores are told apart by id, not by the last bit of a sum


def terms_of(text: str) -> list[str]:
    """Words that say something, and pairs of neighbours: `late fine` is more than `late` and `fine`."""
    words = [singular(word) for word in _WORD.findall(text.casefold())]
    words = [word for word in words if word not in _SAYS_NOTHING]
    return [*words, *(f"{one} {other}" for one, other in pairwise(words))]


class Bm25:
    """The index of some documents; never changed."""

    def __init__(self, documents: Sequence[Document]) -> None:
        entries = [(place, terms) for place, one in enumerate(documents) for text in one.entries if (terms := terms_of(text))]
        self._ids = [one.id for one in documents]
        self._owners = np.array([place for place, _ in entries], dtype=np.int64)
        self._index = bm25s.BM25(backend="numpy")
        self._index.index([terms for _, terms in entries], show_progress=False)
        stored = self._index.scores
        self._whole = np.bincount(stored["indices"], weights=stored["data"], minlength=len(entries))

    def ranked(self, text: str, among: Collection[str]) -> list[tuple[str, float]]:
        """Ids and scores of the documents that share a word with the text, the best first; of equals, the lower id."""
        known = [term for term in dict.fromkeys(terms_of(text)) if term in self._index.vocab_dict]
        if not known:
            return []
        found = self._index.get_scores(known)
        best = np.zeros(len(self._ids))
        np.maximum.at(best, self._owners, found * found / self._whole)
        scored = [(name, round(float(score), _DIGITS)) for name, score in zip(self._ids, best, strict=True) if score > 0 and name in among]
        return sorted(scored, key=lambda one: (-one[1], one[0]))
