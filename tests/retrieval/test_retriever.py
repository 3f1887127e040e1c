"""What is found is what the role may read, by words alone or with vectors, and what fails is said and left out."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from medflow.settings import Settings, load_settings
from rag_backend.retrieval import retriever as module
from rag_backend.retrieval.chroma_folder import ChromaFolder
from rag_backend.retrieval.chroma_server import ChromaServer
from rag_backend.retrieval.documents import COLLECTIONS, EXAMPLES, Documents, Knowledge
from rag_backend.retrieval.errors import VectorsUnavailable
from rag_backend.retrieval.model_files import BGE_SMALL
from rag_backend.retrieval.retriever import Retriever, fused, open_index
from rag_backend.retrieval.store import Entry, Near
from rag_backend.retrieval.tables import tables_of
from rag_backend.retrieval.vectors import VectorIndex
from tests.retrieval.hashed import HashedWords
from tests.services.chroma import Chroma
from tests.support.lake import ROOT

_QUESTIONS = (
    "denial rate by payer",
    "how old are our members",
    "what was paid to doctors last year",
    "quarantine",
    "birth year",
    "member key",
)


@pytest.fixture(scope="module")
def words(knowledge: Knowledge) -> Retriever:
    """Without vectors."""
    return Retriever(knowledge)


@pytest.fixture(scope="module")
def set_up(model_home: Path, documents: Documents, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A HOME with the model and the index of the shipped declarations."""
    home = tmp_path_factory.mktemp("set-up")
    shutil.copytree(model_home, home, dirs_exist_ok=True)
    settings = load_settings(home=home)
    open_index(settings, documents, build=True).close()
    return settings


def test_words_alone_find_what_is_named(words: Retriever, knowledge: Knowledge) -> None:
    """Metrics, dimensions, terms, rules, examples; the mode says by what, and there is nothing to notice."""
    analyst = knowledge.policies["analyst"]
    for text, kind, subject in (
        ("Which payer has the highest denial rate?", "metric", "metric:denial_rate"),
        ("claims per specialty", "dimension", "dimension:specialty"),
        ("what is coordination of benefits", "term", "term:coordination_of_benefits"),
        ("denominator of the denial rate", "rule", "rule:denial_base"),
        ("how many claims does each payer have", "example", "example:claims_by_payer"),
    ):
        hits = words.search(text, analyst, kinds=(kind,))
        assert hits.subjects[0] == subject, text
        assert (hits.mode, hits.notice) == ("bm25", "")


def test_vectors_find_what_shares_no_word(set_up: Settings, knowledge: Knowledge, words: Retriever) -> None:
    """By what it means; both together say so."""
    analyst, text = knowledge.policies["analyst"], "refused invoices"
    with closing(Retriever.of(set_up, knowledge)) as both:
        hits = both.search(text, analyst, kinds=("metric",))
        assert (hits.mode, hits.notice) == ("both", "")
        assert "metric:denied_claim_count" in hits.subjects
    assert "metric:denied_claim_count" not in words.search(text, analyst, kinds=("metric",)).subjects


@pytest.mark.parametrize("role", ["business", "analyst", "engineer", "admin"])
def test_nobody_finds_what_is_closed_to_them(role: str, set_up: Settings, knowledge: Knowledge) -> None:
    """In either mode, whatever is asked for."""
    policy = knowledge.policies[role]
    for retriever in (Retriever(knowledge), Retriever.of(set_up, knowledge)):
        with closing(retriever):
            for text in _QUESTIONS:
                for hit in retriever.search(text, policy, n=500).found:
                    assert hit.document.shown_to(policy), (role, hit.id)


class _Lying(ChromaFolder):
    """A store that says of every document that it is the nearest."""

    everything: Collection[str] = ()

    def search(self, collection: str, vector: object, among: Collection[str], n: int) -> list[Near]:
        return [Near(name, 1.0) for name in (*sorted(self.everything), "no such document")] if n > 1 else [Near(min(among), 1.0)]


def test_a_store_is_not_trusted(tmp_path: Path, knowledge: Knowledge, documents: Documents) -> None:
    """What it finds against the filter is dropped, and so is what was never written to it."""
    business = knowledge.policies["business"]

    def opened(found: Documents) -> VectorIndex:
        store = _Lying(tmp_path / "chroma")
        store.everything = {one.id for one in documents.all}
        index = VectorIndex(found, HashedWords(), store)
        index.build()
        return index

    with closing(Retriever(knowledge, opened)) as retriever:
        hits = retriever.search("claims", business, n=1_000)
        assert hits.mode == "both"
        assert {hit.id for hit in hits.found} == set(documents.shown_to(business))


def test_a_filter_holds_for_vectors_too(set_up: Settings, knowledge: Knowledge) -> None:
    """Collections, kinds and the number asked for."""
    with closing(Retriever.of(set_up, knowledge)) as both:
        analyst = knowledge.policies["analyst"]
        hits = both.search("denied claims by payer", analyst, collections=(EXAMPLES,), n=3)
        assert [hit.collection for hit in hits.found] == [EXAMPLES] * 3
        assert {subject.partition(":")[0] for subject in both.search("denied", analyst, kinds=("rule", "term"), n=9).subjects} == {
            "rule",
            "term",
        }
        assert both.search("denied", analyst, n=0).found == ()


def test_the_same_question_finds_the_same(set_up: Settings, knowledge: Knowledge) -> None:
    """In the same order with the same scores, from many threads and from another index of the same."""
    analyst = knowledge.policies["analyst"]
    with closing(Retriever.of(set_up, knowledge)) as one, closing(Retriever.of(set_up, knowledge)) as other:
        expected = {text: one.search(text, analyst, n=20) for text in _QUESTIONS}
        found: list[bool] = []
        threads = [
            threading.Thread(target=lambda text=text: found.append(other.search(text, analyst, n=20) == expected[text]))
            for text in _QUESTIONS * 4
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * len(threads)


def test_both_adapters_find_the_same(set_up: Settings, knowledge: Knowledge, chroma_server: Chroma) -> None:
    """Folder and server."""
    server = set_up.model_copy(update={"vector_store": chroma_server.url})
    analyst = knowledge.policies["analyst"]
    with closing(Retriever.of(set_up, knowledge)) as one:
        open_index(server, one._documents, build=True).close()
        with closing(Retriever.of(server, knowledge)) as other:
            for text in _QUESTIONS:
                found = other.search(text, analyst, n=10)
                assert (found.mode, found.subjects) == ("both", one.search(text, analyst, n=10).subjects)


def test_without_vectors_set_up_nothing_is_noticed(tmp_path: Path, knowledge: Knowledge) -> None:
    """It is not a fault."""
    hits = Retriever.of(load_settings(home=tmp_path), knowledge).search("claims", knowledge.policies["analyst"])
    assert (hits.mode, hits.notice) == ("bm25", "")
    assert hits.found


def _emptied(settings: Settings) -> Settings:
    shutil.rmtree(settings.home / "chroma")
    return settings


def _swapped(settings: Settings) -> Settings:
    shutil.rmtree(settings.home / "chroma")
    with closing(ChromaFolder(settings.home / "chroma")) as store:
        store.write("somebody-else", [Entry("a", "b", "c")], HashedWords().embed(["c"]))
    return settings


def _without_model(settings: Settings) -> Settings:
    (BGE_SMALL.folder(settings.home) / BGE_SMALL.model).unlink()
    return settings


def _changed_model(settings: Settings) -> Settings:
    (BGE_SMALL.folder(settings.home) / BGE_SMALL.tokenizer).write_text("{}")
    return settings


def _no_server(settings: Settings) -> Settings:
    return settings.model_copy(update={"vector_store": "chroma+http://127.0.0.1:1"})


def _no_such_store(settings: Settings) -> Settings:
    return settings.model_copy(update={"vector_store": "faiss:///folder"})


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (_emptied, "holds no index: run `medflow setup --vectors`"),
        (_swapped, "holds no index: run `medflow setup --vectors`"),
        (_without_model, "run `medflow setup --vectors`"),
        (_changed_model, "not the files that were tested"),
        (_no_server, "MEDFLOW_VECTOR_STORE"),
        (_no_such_store, "MEDFLOW_VECTOR_STORE"),
    ],
)
def test_what_fails_is_left_out_and_said(
    harm: Callable[[Settings], Settings], told: str, set_up: Settings, tmp_path: Path, knowledge: Knowledge, words: Retriever
) -> None:
    """Words alone then find what they find without vectors, and the reason says what to do; nothing is raised."""
    shutil.copytree(set_up.home, tmp_path, dirs_exist_ok=True)
    settings = harm(load_settings(home=tmp_path))
    analyst = knowledge.policies["analyst"]
    with closing(Retriever.of(settings, knowledge)) as retriever:
        hits = retriever.search("denial rate by payer", analyst)
        assert hits.mode == "bm25"
        assert told in hits.notice
        assert hits.found == words.search("denial rate by payer", analyst).found


def test_a_server_that_hangs_holds_up_one_question_and_not_the_next(knowledge: Knowledge) -> None:
    """For a minute nobody waits for it again."""
    analyst = knowledge.policies["analyst"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        def opened(found: Documents) -> VectorIndex:
            index = VectorIndex(found, HashedWords(), ChromaServer("127.0.0.1", port, seconds=0.5))
            index.open()
            return index

        retriever = Retriever(knowledge, opened)
        retriever.search("claims", knowledge.policies["admin"])
        begun = time.monotonic()
        first = retriever.search("denial rate by payer", analyst)
        waited = time.monotonic() - begun
        begun = time.monotonic()
        second = retriever.search("denial rate by payer", analyst)
        assert (waited < 3, time.monotonic() - begun < 0.4) == (True, True)
    assert (first.mode, second.mode) == ("bm25", "bm25")
    assert first.notice == second.notice != ""


def test_a_store_that_comes_back_is_used_again(knowledge: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, without a restart; and one that fails in the middle of a search costs that search its vectors alone."""
    analyst, broken, opened_times = knowledge.policies["analyst"], threading.Event(), []

    class Failing(ChromaFolder):
        def search(self, collection: str, vector: object, among: Collection[str], n: int) -> list[Near]:
            if broken.is_set():
                raise VectorsUnavailable("the store is down")
            return super().search(collection, vector, among, n)

    def opened(found: Documents) -> VectorIndex:
        opened_times.append(1)
        index = VectorIndex(found, HashedWords(), Failing(tmp_path / "chroma"))
        index.build()
        return index

    with closing(Retriever(knowledge, opened)) as retriever:
        assert retriever.search("claims", analyst).mode == "both"
        broken.set()
        assert retriever.search("claims", analyst).notice == "the store is down"
        broken.clear()
        assert (retriever.search("claims", analyst).mode, len(opened_times)) == ("bm25", 1)
        monkeypatch.setattr(module, "_AGAIN", 0.0)
        hits = retriever.search("claims", analyst)
        assert (hits.mode, hits.notice, len(opened_times)) == ("both", "", 2)


def test_an_older_index_is_made_anew_at_the_first_search(set_up: Settings, tmp_path: Path, knowledge: Knowledge) -> None:
    """After the declarations changed."""
    shutil.copytree(set_up.home, tmp_path, dirs_exist_ok=True)
    settings = load_settings(home=tmp_path)
    metric = knowledge.model.metrics["denial_rate"]
    changed = {**knowledge.model.metrics, "denial_rate": metric.model_copy(update={"words": (*metric.words, "naysaying quotient")})}
    with closing(Retriever.of(settings, replace(knowledge, model=replace(knowledge.model, metrics=changed)))) as retriever:
        hits = retriever.search("naysaying quotient", knowledge.policies["analyst"])
        assert (hits.mode, hits.subjects[0]) == ("both", "metric:denial_rate")
    with closing(ChromaFolder(settings.home / "chroma")) as store:
        assert len(store.collections()) == len(COLLECTIONS)


def test_fusion_is_by_rank() -> None:
    """High in both goes before first in one; weights count; equals by id."""
    one, other = [("a", 9.0), ("b", 8.0), ("c", 1.0)], [("d", 0.9), ("b", 0.8), ("c", 0.1)]
    assert [name for name, _ in fused((one, 1), (other, 1))] == ["b", "c", "a", "d"]
    assert [name for name, _ in fused((one, 1), (other, 0))] == ["a", "b", "c", "d"]
    assert fused() == []


def test_tables_are_those_that_are_read_from(words: Retriever, knowledge: Knowledge) -> None:
    """What only one table can give brings it in, though many others share the question's other words."""
    analyst = knowledge.policies["analyst"]
    assert "table:healthcare.providers" in tables_of(words, "Top 2 specialties by billed amount for each payer", analyst).subjects[:4]
    engineer = knowledge.policies["engineer"]
    assert "table:healthcare.claims_quarantined" in tables_of(words, "lines that broke a rule", engineer).subjects[:2]
    assert "table:healthcare.data_quality_log" in tables_of(words, "failure rate of each rule id", engineer).subjects[:2]
    for role, policy in knowledge.policies.items():
        for text in _QUESTIONS:
            found: Sequence[str] = tables_of(words, text, policy, 20).subjects
            assert {name.partition(":")[2] for name in found} <= set(policy.tables), role


def test_another_domain_is_found_as_well(library: Knowledge) -> None:
    """Nothing here knows what the data are about."""
    retriever = Retriever(library)
    policy = next(policy for policy in library.policies.values() if policy.tables)
    metrics = [one for one in retriever.shown_to(policy).values() if one.subject.startswith("metric:")]
    assert metrics
    for one in metrics:
        assert one.subject in retriever.search(one.title, policy, kinds=("metric",)).subjects


def test_nothing_is_imported_before_the_first_search(set_up: Settings) -> None:
    """Making a retriever loads no index and no model; a search by words no vector store."""
    code = (
        "import sys\n"
        "from medflow.settings import load_settings\n"
        "from rag_backend.retrieval.set_up import load_knowledge\n"
        "from rag_backend.retrieval.retriever import Retriever\n"
        "def heavy(): return [n for n in ('bm25s', 'numpy', 'chromadb', 'onnxruntime', 'tokenizers') if n in sys.modules]\n"
        f"settings = load_settings(home={str(set_up.home)!r})\n"
        "knowledge = load_knowledge(settings)\n"
        "Retriever.of(settings, knowledge)\n"
        "print(heavy())\n"
        "Retriever(knowledge).search('claims', knowledge.policies['analyst'])\n"
        "print(heavy())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines() == ["[]", "['bm25s', 'numpy']"], done.stderr
