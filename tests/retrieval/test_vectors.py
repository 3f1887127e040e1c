"""An index is whole or not used, made again when declarations or model change, and alone when it is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from rag_backend.retrieval.chroma_folder import ChromaFolder
from rag_backend.retrieval.documents import COLLECTIONS, Documents
from rag_backend.retrieval.errors import VectorsUnavailable
from rag_backend.retrieval.store import VectorStore
from rag_backend.retrieval.vectors import VectorIndex
from tests.retrieval.hashed import HashedWords


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VectorStore]:
    with closing(ChromaFolder(tmp_path / "chroma")) as opened:
        yield opened


@pytest.fixture
def some(documents: Documents) -> Documents:
    """A tenth of the documents, of every collection."""
    return Documents(documents.all[::10])


def _changed(documents: Documents) -> Documents:
    first, *rest = documents.all
    return Documents((replace(first, names=(*first.names, "another name")), *rest))


def test_a_built_index_is_opened_without_being_built_again(store: VectorStore, some: Documents) -> None:
    """Opening embeds no more than it takes to look whether the vectors are the right ones."""
    VectorIndex(some, HashedWords(), store).build()
    words = HashedWords()
    VectorIndex(some, words, store).open()
    assert words.texts <= len(COLLECTIONS)


def test_its_collections_are_called_after_what_is_in_them(store: VectorStore, some: Documents) -> None:
    """Contract names with the hash; each holds one entry for each name of a document."""
    index = VectorIndex(some, HashedWords(), store)
    index.build()
    assert store.collections() == {f"{name}-{index.key}" for name in COLLECTIONS}
    assert {name: store.count(f"{name}-{index.key}") for name in COLLECTIONS} == index.entries
    assert sum(index.entries.values()) == sum(len(one.entries) for one in some.all)


@pytest.mark.parametrize("other", ["a declaration", "the model"])
def test_a_change_makes_it_anew_and_removes_the_old_one(other: str, store: VectorStore, some: Documents) -> None:
    """Without being told to; a collection of somebody else stays."""
    old = VectorIndex(some, HashedWords(), store)
    old.build()
    entry = old._entries["business_rules"][:1]
    store.write("somebody-else", entry, HashedWords().embed(["text"]))
    new = VectorIndex(
        _changed(some) if other == "a declaration" else some, HashedWords("others" if other == "the model" else "hashed words"), store
    )
    assert new.key != old.key
    new.open()
    assert store.collections() == {"somebody-else", *(f"{name}-{new.key}" for name in COLLECTIONS)}
    with pytest.raises(VectorsUnavailable):  # who still works with the old one is told, and searches by words
        old.ranked("claims", {one.id for one in some.all})


def test_the_old_index_stays_until_the_new_one_is_whole(store: VectorStore, some: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that dies half-way takes nothing away, and the next one finishes it."""
    old, new = VectorIndex(some, HashedWords(), store), VectorIndex(_changed(some), HashedWords(), store)
    old.build()
    written: list[str] = []
    write = store.write

    def dies(collection: str, *given: object) -> None:
        if len(written) == 2:
            raise VectorsUnavailable("the disk is full")
        written.append(collection)
        write(collection, *given)

    monkeypatch.setattr(store, "write", dies)
    with pytest.raises(VectorsUnavailable, match="disk"):
        new.open()
    old.open()
    assert old.ranked("claims", {one.id for one in some.all})
    monkeypatch.undo()
    new.open()
    assert new.ranked("claims", {one.id for one in some.all})
    assert store.collections() == {f"{name}-{new.key}" for name in COLLECTIONS}


def test_an_empty_store_is_told(store: VectorStore, some: Documents) -> None:
    """It is not filled in the middle of a question."""
    with pytest.raises(VectorsUnavailable, match="holds no index: run `medflow setup --vectors`"):
        VectorIndex(some, HashedWords(), store).open()
    assert store.collections() == set()


def test_an_index_with_something_missing_or_added_is_not_used(store: VectorStore, some: Documents) -> None:
    """Building makes it whole again."""
    index = VectorIndex(some, HashedWords(), store)
    index.build()
    name = f"example_queries-{index.key}"
    entries = index._entries["example_queries"]
    store.write(name, [replace(entries[0], id="one more")], HashedWords().embed(["one more"]))
    with pytest.raises(VectorsUnavailable, match="example_queries in the vector store does not hold all"):
        index.open()
    index.build()
    store.remove(name)
    store.write(name, entries[:-1], HashedWords().embed([one.text for one in entries[:-1]]))
    with pytest.raises(VectorsUnavailable, match="example_queries in the vector store does not hold all"):
        index.open()
    index.build()
    index.open()


def test_vectors_of_something_else_are_not_used(store: VectorStore, some: Documents) -> None:
    """Under the right names, in the right number: of the same dimension, and of another one."""
    index = VectorIndex(some, HashedWords(), store)
    for stranger, told in ((HashedWords("stranger"), "holds other vectors"), (HashedWords("stranger", 16), "Chroma cannot use the folder")):
        for name, entries in index._entries.items():
            store.remove(f"{name}-{index.key}")
            store.write(f"{name}-{index.key}", entries, stranger.embed([one.text for one in entries]))
        with pytest.raises(VectorsUnavailable, match=told):
            index.open()


def test_a_folder_that_was_swapped_or_emptied_while_open_is_told(tmp_path: Path, some: Documents) -> None:
    """Whatever the store then says: no document comes of it that is not ours, and who opens it anew is told."""
    with closing(ChromaFolder(tmp_path / "chroma")) as store:
        index = VectorIndex(some, HashedWords(), store)
        index.build()
        shutil.rmtree(tmp_path / "chroma")
        try:
            found = index.ranked("claims", {one.id for one in some.all})
        except VectorsUnavailable:
            found = []
        assert {name for name, _ in found} <= {one.id for one in some.all}
    with closing(ChromaFolder(tmp_path / "chroma")) as store, pytest.raises(VectorsUnavailable, match="holds no index"):
        VectorIndex(some, HashedWords(), store).open()


def test_a_document_is_as_near_as_its_nearest_name(store: VectorStore, some: Documents) -> None:
    """Once in the ranking, with the cosine of the best of its entries; equals by id."""
    index = VectorIndex(some, HashedWords(), store)
    index.build()
    one = max(some.all, key=lambda document: len(document.names))
    ranked = index.ranked(one.names[-1], {document.id for document in some.all})
    assert dict(ranked)[one.id] == pytest.approx(1, abs=1e-5)
    assert len(dict(ranked)) == len(ranked)
    assert ranked == sorted(ranked, key=lambda pair: (-pair[1], pair[0]))
    assert index.ranked(one.names[-1], {one.id}) == [pair for pair in ranked if pair[0] == one.id]
