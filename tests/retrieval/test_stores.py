"""What holds of every vector store: the folder in this process and the server, which is a real one."""

from __future__ import annotations

import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from medflow.errors import UsageError
from rag_backend.retrieval.chroma_server import ChromaServer
from rag_backend.retrieval.embedder import Vectors
from rag_backend.retrieval.errors import VectorsUnavailable
from rag_backend.retrieval.store import Entry, Near, VectorStore, open_store

Reopen = Callable[[], VectorStore]
_NAME = "business_rules-0123456789abcdef"


@pytest.fixture(params=["folder", "server"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The setting of an adapter."""
    if request.param == "folder":
        return f"chroma://{tmp_path / 'chroma'}"
    return request.getfixturevalue("chroma_server").url


@pytest.fixture
def store(url: str) -> Iterator[VectorStore]:
    """An opened store without collections."""
    with closing(open_store(url)) as opened:
        for name in opened.collections():
            opened.remove(name)
        yield opened


def _entries(n: int, dimensions: int = 8, seed: int = 7) -> tuple[list[Entry], np.ndarray]:
    rows = np.random.default_rng(seed).normal(size=(n, dimensions)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return [Entry(f"e{number}", f"d{number // 3}", f"text {number}") for number in range(n)], rows


def test_what_is_written_is_there(store: VectorStore, url: str) -> None:
    """Counted, named, and found by who opens the store anew."""
    entries, rows = _entries(450)
    store.write(_NAME, entries, rows)
    with closing(open_store(url)) as other:
        assert (other.collections(), other.count(_NAME)) == ({_NAME}, 450)
        assert other.search(_NAME, rows[7], {"d2"}, 1)[0].document == "d2"


def test_writing_again_changes_nothing(store: VectorStore) -> None:
    """An entry is what its id says: there once, with its last vector."""
    entries, rows = _entries(30)
    store.write(_NAME, entries, rows)
    store.write(_NAME, entries[:10], rows[10:20])
    assert store.count(_NAME) == 30
    assert store.search(_NAME, rows[10], {"d0"}, 1)[0].cosine == pytest.approx(1, abs=1e-5)


def test_a_search_is_exact(store: VectorStore) -> None:
    """What a search by hand over all entries finds, nearest first, with its cosine; no neighbour is missed for speed."""
    entries, rows = _entries(900, 64)
    store.write(_NAME, entries, rows)
    among = {one.document for one in entries}
    for vector in _entries(12, 64, seed=8)[1]:
        cosines = rows @ vector
        best = np.argsort(-cosines, kind="stable")[:40]
        found = store.search(_NAME, vector, among, 40)
        assert [one.document for one in found] == [entries[place].document for place in best]
        assert [one.cosine for one in found] == pytest.approx([float(cosines[place]) for place in best], abs=1e-4)


def test_only_the_documents_asked_among_are_found(store: VectorStore) -> None:
    """Also if others are nearer, and all of them if fewer are there than asked for."""
    entries, rows = _entries(60)
    store.write(_NAME, entries, rows)
    found = store.search(_NAME, rows[0], {"d5", "d6", "nothing of the kind"}, 50)
    assert {one.document for one in found} == {"d5", "d6"}
    assert len(found) == 6


def test_what_is_not_there_is_told(store: VectorStore) -> None:
    """Counting and removing it are no mistakes; searching it is."""
    assert store.count("business_rules-ffffffffffffffff") == 0
    store.remove("business_rules-ffffffffffffffff")
    with pytest.raises(VectorsUnavailable):
        store.search("business_rules-ffffffffffffffff", _entries(1)[1][0], {"d0"}, 1)


def test_a_removed_collection_is_gone(store: VectorStore) -> None:
    """And can be made again with other dimensions."""
    entries, rows = _entries(20)
    store.write(_NAME, entries, rows)
    store.remove(_NAME)
    assert (store.collections(), store.count(_NAME)) == (set(), 0)
    entries, rows = _entries(20, 16)
    store.write(_NAME, entries, rows)
    assert store.search(_NAME, rows[4], {"d1"}, 1)[0].cosine == pytest.approx(1, abs=1e-5)


def test_another_dimension_is_refused(store: VectorStore) -> None:
    """When it is written and when it is searched; what was there stays."""
    entries, rows = _entries(20)
    store.write(_NAME, entries, rows)
    others = _entries(3, 16)
    with pytest.raises(VectorsUnavailable):
        store.write(_NAME, *others)
    with pytest.raises(VectorsUnavailable):
        store.search(_NAME, others[1][0], {"d0"}, 1)
    assert store.count(_NAME) == 20


def test_many_ask_at_once(store: VectorStore) -> None:
    """Each gets its own answer."""
    entries, rows = _entries(300)
    store.write(_NAME, entries, rows)

    def wrong(number: int) -> list[int]:
        return [place for place in range(number, 300, 8) if _found(store, rows[place], entries[place].document).cosine < 0.999]

    with ThreadPoolExecutor(8) as askers:
        assert list(askers.map(wrong, range(8))) == [[]] * 8


def _found(store: VectorStore, row: Vectors, document: str) -> Near:
    """The nearest entry; a server on a busy machine may say that it has no time, and is asked again."""
    for _ in range(20):
        with suppress(VectorsUnavailable):
            return store.search(_NAME, row, {document}, 1)[0]
    raise AssertionError("the store never had time")


def test_no_address_but_its_own(url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Opening, writing and searching connect to the server of the setting alone: no telemetry, no model is fetched."""
    allowed = {("127.0.0.1", request.getfixturevalue("chroma_server").port)} if "http" in url else set()
    connect = socket.socket.connect

    def only_there(self: socket.socket, address: object) -> None:
        assert address in allowed, address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_there)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))])
    entries, rows = _entries(5)
    with closing(open_store(url)) as opened:
        opened.write(_NAME, entries, rows)
        assert opened.search(_NAME, rows[0], {"d0"}, 1)


def test_a_folder_is_its_owners(tmp_path: Path) -> None:
    """Others on the machine read nothing."""
    open_store(f"chroma://{tmp_path / 'chroma'}").close()
    assert stat.S_IMODE((tmp_path / "chroma").stat().st_mode) == 0o700


def test_settings_of_chromas_own_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its environment nor a file beside where the command runs sends anything elsewhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CHROMA_API_IMPL=chromadb.api.fastapi.FastAPI\nCHROMA_SERVER_HOST=192.0.2.1\nMEDFLOW_HOME=x\n")
    monkeypatch.setenv("CHROMA_API_IMPL", "chromadb.api.fastapi.FastAPI")
    monkeypatch.setenv("CHROMA_SERVER_HOST", "192.0.2.1")
    with closing(open_store(f"chroma://{tmp_path / 'chroma'}")) as opened:
        entries, rows = _entries(5)
        opened.write(_NAME, entries, rows)
        assert opened.count(_NAME) == 5


@pytest.mark.parametrize("url", ["chroma:relative", "chroma://host/folder", "http://127.0.0.1:8002", "chroma+http://host/path", "none", ""])
def test_an_unknown_store_is_told_with_those_that_there_are(url: str) -> None:
    """The setting, and both forms."""
    with pytest.raises(UsageError, match=r"chroma:///folder, chroma\+http://host:port \(MEDFLOW_VECTOR_STORE\)"):
        open_store(url)


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    """With the path, and what to do."""
    (tmp_path / "chroma").write_text("no folder")
    with pytest.raises(VectorsUnavailable, match=r"chroma.*medflow setup --vectors"):
        open_store(f"chroma://{tmp_path / 'chroma'}")


def _listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(65_536)
                        answer(connection)
                    except OSError:  # who asked has gone
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def _slowly(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n[")
    for _ in range(100):
        time.sleep(0.1)
        connection.sendall(b" ")


def _wrongly(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"name": "a"}')


def _not_at_all(_: socket.socket) -> None:
    time.sleep(3)


@pytest.mark.parametrize("answer", [_slowly, _wrongly, _not_at_all])
def test_a_server_that_hangs_or_errs_is_given_up(answer: Callable[[socket.socket], None]) -> None:
    """Within the time that a call may take, drop by drop or not at all; what is no Chroma is told as such."""
    for port in _listening(answer):
        store, begun = ChromaServer("127.0.0.1", port, seconds=0.5), time.monotonic()
        with pytest.raises(VectorsUnavailable, match=rf"127\.0\.0\.1:{port}"):
            store.collections()
        assert time.monotonic() - begun < 2


def test_a_server_that_is_not_there_is_told() -> None:
    """With its address and the setting."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(VectorsUnavailable, match=rf"the Chroma server at 127\.0\.0\.1:{port} .* MEDFLOW_VECTOR_STORE"):
        ChromaServer("127.0.0.1", port).count(_NAME)
