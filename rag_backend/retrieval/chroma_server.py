"""Chroma's own server over HTTP, by the few calls that are needed: its client waits without end for a server that hangs."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rag_backend.retrieval.embedder import Vectors
from rag_backend.retrieval.errors import VectorsUnavailable
from rag_backend.retrieval.store import BATCH, EF_SEARCH, Entry, Near

_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
_MOST = 16 << 20  # bytes of a reply
_MANY = 1_000  # collections that are looked at


class ChromaServer:
    """The collections of one server; `seconds` is what one call may take, writing five times as long."""

    def __init__(self, host: str, port: int, *, seconds: float = 2.0) -> None:
        self._host, self._port, self._seconds = host, port, seconds

    def collections(self) -> frozenset[str]:
        with self._understood():
            return frozenset(str(one["name"]) for one in self._call("GET", f"?limit={_MANY}"))

    def count(self, collection: str) -> int:
        with self._understood():
            known = self._call("GET", f"/{collection}", absent=None)
            return int(self._call("GET", f"/{known['id']}/count")) if known else 0

    def write(self, collection: str, entries: Sequence[Entry], vectors: Vectors) -> None:
        settings = {"hnsw": {"space": "cosine", "ef_search": EF_SEARCH}}
        with self._understood():
            made = self._call("POST", "", {"name": collection, "get_or_create": True, "configuration": settings})["id"]
        for start in range(0, len(entries), BATCH):
            some = entries[start : start + BATCH]
            sent = {
                "ids": [one.id for one in some],
                "embeddings": vectors[start : start + BATCH].tolist(),
                "metadatas": [{"document": one.document} for one in some],
                "documents": [one.text for one in some],
            }
            self._call("POST", f"/{made}/upsert", sent)

    def search(self, collection: str, vector: Vectors, among: Collection[str], n: int) -> list[Near]:
        asked = {
            "query_embeddings": [vector.tolist()],
            "n_results": n,
            "where": {"document": {"$in": sorted(among)}},
            "include": ["metadatas", "distances"],
        }
        with self._understood():
            known = self._call("GET", f"/{collection}")["id"]
            found = self._call("POST", f"/{known}/query", asked)
            rows = zip(found["metadatas"][0], found["distances"][0], strict=True)
            return [Near(str(one["document"]), 1 - float(far)) for one, far in rows]

    def remove(self, collection: str) -> None:
        self._call("DELETE", f"/{collection}", absent=None)

    def close(self) -> None:
        """Nothing is held between calls."""

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **given: Any) -> Any:
        """The reply; `absent` instead of it where the server knows no such thing."""
        seconds = self._seconds * (5 if body and "embeddings" in body else 1)
        try:
            status, content = self._sent(method, path, body, seconds)
        except (OSError, http.client.HTTPException) as error:
            raise self._unavailable(f"does not answer within {seconds:g} s ({type(error).__name__})") from error
        if status == 404 and "absent" in given:
            return given["absent"]
        if status >= 400:
            raise self._unavailable(f"answers {status} to {method} of a collection")
        with self._understood():
            return json.loads(content)

    def _sent(self, method: str, path: str, body: Mapping[str, Any] | None, seconds: float) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        deadline, content = time.monotonic() + seconds, b""
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"{_COLLECTIONS}{path}", text, {"content-type": "application/json"})
            reply = connection.getresponse()
            while part := reply.read1(65_536):
                content += part
                if time.monotonic() > deadline or len(content) > _MOST:
                    raise TimeoutError
            return reply.status, content
        finally:
            connection.close()

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (LookupError, TypeError, ValueError):
            raise self._unavailable("does not answer as Chroma does") from None

    def _unavailable(self, what: str) -> VectorsUnavailable:
        return VectorsUnavailable(f"the Chroma server at {self._host}:{self._port} {what}; check it and MEDFLOW_VECTOR_STORE")
