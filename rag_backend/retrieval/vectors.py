"""The vectors of all documents in a store: made anew whenever a document or the model changes, and looked at before they are used.

A collection is called after the hash of what is in it: a new index stands beside the old one until it is whole, and then alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping

from rag_backend.retrieval.documents import COLLECTIONS, CollectionName, Documents
from rag_backend.retrieval.embedder import Embedder
from rag_backend.retrieval.errors import VectorsUnavailable
from rag_backend.retrieval.model_files import SET_UP
from rag_backend.retrieval.store import Entry, VectorStore

_FORMAT = "1"  # of what is stored: another number, and it is made again
_OURS = re.compile(rf"({'|'.join(COLLECTIONS)})-[0-9a-f]{{16}}")
_DEEP = 100  # entries of a collection that are looked at: a document has up to some forty
_SAME = 0.95  # cosine of a text's vector and the one that was kept of it; on another processor it differs in the third place
_DIGITS = 6


class VectorIndex:
    """The entries of some documents, by one model, in one store."""

    def __init__(self, documents: Documents, embedder: Embedder, store: VectorStore) -> None:
        self._embedder, self._store = embedder, store
        text = "|".join((_FORMAT, documents.digest, embedder.digest))
        self.key = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._collection_of: Mapping[str, CollectionName] = {one.id: one.collection for one in documents.all}
        self._entries: Mapping[CollectionName, list[Entry]] = {
            name: [
                Entry(f"{one.id}#{place}", one.id, text)
                for one in documents.all
                if one.collection == name
                for place, text in enumerate(one.entries)
            ]
            for name in COLLECTIONS
        }

    @property
    def entries(self) -> dict[str, int]:
        """How many entries each collection has."""
        return {name: len(entries) for name, entries in self._entries.items()}

    def build(self) -> None:
        """Write everything, see that it is whole, and remove every other index of ours.

        Raises:
            VectorsUnavailable: the store cannot keep it; an older index is then still there.
        """
        for name, entries in self._entries.items():
            kept = self._name(name)
            if self._store.count(kept) > len(entries):
                self._store.remove(kept)
            if entries:
                self._store.write(kept, entries, self._embedder.embed([one.text for one in entries]))
        self._check()
        for other in sorted(self._store.collections()):
            if _OURS.fullmatch(other) and not other.endswith(self.key):
                self._store.remove(other)

    def open(self) -> None:
        """See that the index can be used; where there is only an older one, the declarations have changed, and it is built.

        Raises:
            VectorsUnavailable: there is none, or it is not the one that was built.
        """
        there = self._store.collections()
        if {self._name(name) for name, entries in self._entries.items() if entries} <= there:
            self._check()
        elif any(_OURS.fullmatch(name) for name in there):
            self.build()
        else:
            raise VectorsUnavailable(f"the vector store holds no index: {SET_UP}")

    def ranked(self, text: str, among: Collection[str]) -> list[tuple[str, float]]:
        """Ids and nearness of documents, the nearest first; of equals, the lower id. A document is as near as its nearest entry.

        Raises:
            VectorsUnavailable: the store.
        """
        vector = self._embedder.embed([text])[0]
        best: dict[str, float] = {}
        for name in COLLECTIONS:
            asked = [one for one in among if self._collection_of.get(one) == name]
            for near in self._store.search(self._name(name), vector, asked, _DEEP) if asked else ():
                if near.document in asked:  # what the store says is not taken on trust
                    best[near.document] = max(best.get(near.document, -1.0), round(near.cosine, _DIGITS))
        return sorted(best.items(), key=lambda one: (-one[1], one[0]))

    def close(self) -> None:
        self._store.close()

    def _name(self, collection: CollectionName) -> str:
        return f"{collection}-{self.key}"

    def _check(self) -> None:
        """Every collection has its number of entries, and the first of them lies where its text does."""
        for name, entries in self._entries.items():
            if not entries:
                continue
            if self._store.count(self._name(name)) != len(entries):
                raise VectorsUnavailable(f"{name} in the vector store does not hold all that was written to it: {SET_UP}")
            first = entries[0]
            found = self._store.search(self._name(name), self._embedder.embed([first.text])[0], [first.document], 1)
            if not found or found[0].document != first.document or found[0].cosine < _SAME:
                raise VectorsUnavailable(f"{name} in the vector store holds other vectors than were written to it: {SET_UP}")
