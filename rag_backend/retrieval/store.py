"""Where vectors are kept: one seam, the scheme of MEDFLOW_VECTOR_STORE picks the adapter. Vectors are always ours, no server makes any.

A store is not trusted: what it finds is an id and a nearness, and what is shown stands in this process.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from medflow.errors import UsageError
from rag_backend.retrieval.embedder import Vectors

BATCH = 200  # entries that are sent at once
EF_SEARCH = 5_000  # more than a collection has entries: the search of the graph is then an exact one


@dataclass(frozen=True)
class Entry:
    """One text of a document, and where it lies."""

    id: str
    document: str
    text: str


@dataclass(frozen=True)
class Near:
    """An entry's document, and the cosine of its vector and the one that was searched for."""

    document: str
    cosine: float


class VectorStore(Protocol):
    """Named collections of vectors. Every method raises VectorsUnavailable where the store cannot do it in time."""

    def collections(self) -> frozenset[str]:
        """The names of all that are there."""
        ...

    def count(self, collection: str) -> int:
        """Entries of a collection; 0 where there is none of this name."""
        ...

    def write(self, collection: str, entries: Sequence[Entry], vectors: Vectors) -> None:
        """Entries with their vectors; one that is there already is replaced."""
        ...

    def search(self, collection: str, vector: Vectors, among: Collection[str], n: int) -> list[Near]:
        """The `n` nearest entries of some documents, the nearest first."""
        ...

    def remove(self, collection: str) -> None:
        """Remove a collection; nothing happens where there is none."""
        ...

    def close(self) -> None: ...


def open_store(url: str) -> VectorStore:
    """The store of a setting.

    Raises:
        UsageError: no such scheme. VectorsUnavailable: it does not open. MissingExtraError: chromadb is not installed.
    """
    parts = urlsplit(url)
    if parts.scheme == "chroma" and not parts.netloc and parts.path.startswith("/"):
        from rag_backend.retrieval.chroma_folder import ChromaFolder

        return ChromaFolder(Path(parts.path))
    if parts.scheme == "chroma+http" and parts.hostname and parts.path in ("", "/"):
        from rag_backend.retrieval.chroma_server import ChromaServer

        return ChromaServer(parts.hostname, parts.port or 8000)
    raise UsageError(f"no vector store {parts.scheme}://; allowed: chroma:///folder, chroma+http://host:port (MEDFLOW_VECTOR_STORE)")
