"""Chroma in this process, on a folder: no server, no network, nothing sent about its use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medflow.errors import MissingExtraError
from rag_backend.retrieval.embedder import Vectors
from rag_backend.retrieval.errors import VectorsUnavailable
from rag_backend.retrieval.model_files import SET_UP
from rag_backend.retrieval.store import BATCH, EF_SEARCH, Entry, Near


class ChromaFolder:
    """The collections below one folder.

    Raises:
        VectorsUnavailable: the folder cannot be used. MissingExtraError: chromadb is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._told():
            self._client = _client(folder)

    def collections(self) -> frozenset[str]:
        with self._told():
            return frozenset(one.name for one in self._client.list_collections())

    def count(self, collection: str) -> int:
        if collection not in self.collections():
            return 0
        with self._told():
            return int(self._opened(collection).count())

    def write(self, collection: str, entries: Sequence[Entry], vectors: Vectors) -> None:
        settings: Any = {"hnsw": {"space": "cosine", "ef_search": EF_SEARCH}}
        with self._told():
            made = self._client.get_or_create_collection(collection, configuration=settings, embedding_function=None)
            for start in range(0, len(entries), BATCH):
                some = entries[start : start + BATCH]
                made.upsert(
                    ids=[one.id for one in some],
                    embeddings=vectors[start : start + BATCH],
                    metadatas=[{"document": one.document} for one in some],
                    documents=[one.text for one in some],
                )

    def search(self, collection: str, vector: Vectors, among: Collection[str], n: int) -> list[Near]:
        with self._told():
            where: Any = {"document": {"$in": sorted(among)}}
            found = self._opened(collection).query(query_embeddings=[vector], n_results=n, where=where, include=["metadatas", "distances"])
            metadatas, distances = found["metadatas"] or [[]], found["distances"] or [[]]
            return [Near(str(one["document"]), 1 - float(far)) for one, far in zip(metadatas[0], distances[0], strict=True)]

    def remove(self, collection: str) -> None:
        if collection in self.collections():
            with self._told():
                self._client.delete_collection(collection)

    def close(self) -> None:
        self._client.close()

    def _opened(self, collection: str) -> Any:
        return self._client.get_collection(collection, embedding_function=None)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (MissingExtraError, VectorsUnavailable):
            raise
        except Exception as error:  # Chroma's kinds are many and its texts may hold what it was sent
            told = f"Chroma cannot use the folder {self._folder} ({type(error).__name__}); {SET_UP}"
            raise VectorsUnavailable(told) from error


def _client(folder: Path) -> Any:
    """A client whose settings are all ours: by itself, Chroma also reads them from the environment and a file."""
    try:
        import chromadb
        from chromadb.config import Settings
    except ImportError as error:
        raise MissingExtraError(error.name or "chromadb", "assistant") from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        chroma_api_impl="chromadb.api.rust.RustBindingsAPI",
        anonymized_telemetry=False,
        chroma_otel_collection_endpoint="",
        allow_reset=False,
    )
    return chromadb.PersistentClient(str(folder), settings)
