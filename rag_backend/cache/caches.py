"""The caches of one service over one store, which the scheme of a setting chooses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from medflow.errors import UsageError
from medflow.settings import Settings
from rag_backend.cache import outcomes, results
from rag_backend.cache.base import PLAN_SECONDS, RESULT_SECONDS, Cache, Nothing
from rag_backend.cache.kept import Form, Kept
from rag_backend.cache.memory import Memory
from rag_backend.cache.results import Result
from rag_backend.cache.signed import Signed
from rag_backend.planners.base import Outcome

_CALLS_OF_A_PLAN = 3  # one, and two repairs


def cache_of(url: str) -> Cache:
    """What keeps bytes at this address; a server is not asked yet.

    Raises:
        UsageError: no such address. MissingExtraError: a package is not installed.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "redis" and rest:
        from rag_backend.cache.redis import Redis

        return Redis(url, time.monotonic)
    if url == "memory://":
        return Memory(time.monotonic)
    if url == "none://":
        return Nothing()
    # not quoted: an address with a slip in it may hold a password all the same
    raise UsageError("MEDFLOW_CACHE names no cache that there is; allowed: memory://, redis://[:password@]host:port/db, none://")


@dataclass(frozen=True)
class Caches:
    """Plans, tables, and counts of what stands behind numbers. Releases, roles and services may share them: their keys differ."""

    store: Cache
    plans: Kept[Outcome]
    results: Kept[Result]
    counts: Kept[Result]

    @classmethod
    def of(cls, settings: Settings) -> Caches:
        """Raises UsageError: no such address, or a server without a key for what it keeps. MissingExtraError: as `cache_of`."""
        store = cache_of(settings.cache)
        signed = Signed(store, b"" if isinstance(store, Nothing) else settings.secret_cache_key)
        plan, table = Form(outcomes.written, outcomes.read, outcomes.lasts), Form(results.written, results.read)
        seconds = settings.query_timeout_s
        plans = Kept(signed, plan, PLAN_SECONDS, _CALLS_OF_A_PLAN * settings.model_timeout_s)
        return cls(store, plans, Kept(signed, table, RESULT_SECONDS, seconds), Kept(signed, table, RESULT_SECONDS, seconds))

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return not isinstance(self.store, Nothing)

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """What became of the askings of each since the start."""
        return {
            name: kept.counters.snapshot() for name, kept in (("plans", self.plans), ("results", self.results), ("counts", self.counts))
        }

    def close(self) -> None:
        self.store.close()
