"""Values with a seal that only the holders of a secret can make, over value and key: a value that was changed, made up or moved is none."""

from __future__ import annotations

import hmac

from rag_backend.cache.base import VALUE_BYTES, Cache, CacheUnavailable
from rag_backend.cache.counters import Counters

_SEAL = 32  # bytes of an HMAC-SHA256


class Signed:
    """A cache seen through a secret. Never raises for the cache's sake: what goes wrong is counted, and nothing is found."""

    def __init__(self, cache: Cache, secret: bytes) -> None:
        self._cache = cache
        self._secret = secret

    def get(self, key: str, counters: Counters) -> bytes | None:
        """The value that was put under this key."""
        try:
            sealed = self._cache.get(key)
        except CacheUnavailable:
            counters.count("failed")
            return None
        if sealed is None:
            return None
        seal, value = sealed[:_SEAL], sealed[_SEAL:]
        if not hmac.compare_digest(seal, self._seal(key, value)):
            counters.count("forged")
            return None
        return value

    def put(self, key: str, value: bytes, seconds: int, counters: Counters) -> None:
        """Keep a value, unless it is too big."""
        if _SEAL + len(value) > VALUE_BYTES:
            return
        try:
            self._cache.put(key, self._seal(key, value) + value, seconds)
        except CacheUnavailable:
            counters.count("failed")

    def _seal(self, key: str, value: bytes) -> bytes:
        name = key.encode()
        return hmac.digest(self._secret, len(name).to_bytes(8, "big") + name + value, "sha256")
