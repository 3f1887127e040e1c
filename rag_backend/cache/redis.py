"""`redis://`: values in a Redis server that processes share. Dead, slow or gone, it costs an asker a fraction of a second at most.

A call is made in a thread and waited for so long and no longer: time-outs of sockets alone bound neither a name that is looked up nor a
reply that trickles. After a failure the server is left alone for some seconds; then one call finds out whether it is back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from medflow.errors import MissingExtraError, UsageError
from rag_backend.cache.base import VALUE_BYTES, CacheUnavailable

_CONNECTING_S, _WAITING_S, _ALTOGETHER_S = 0.2, 0.2, 0.4
_LEFT_ALONE_S = 5.0
_AT_ONCE = 8
_BEFORE_KEYS = "medflow:"
_ALLOWED = "allowed: redis://host:port/db, with :password@ before the host if there is one"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Address:
    """Where a server is, and how it lets us in."""

    host: str
    port: int
    db: int
    username: str | None
    password: str | None

    @classmethod
    def of(cls, url: str) -> Address:
        """The parts of `redis://[user][:password@]host[:port][/db]`.

        Raises:
            UsageError: it is no such address; the message does not quote it, since it may hold a password.
        """
        try:
            parts = urlsplit(url)
            host, port, db = parts.hostname or "", parts.port or 6379, int(parts.path.strip("/") or 0)
        except ValueError:
            host, port, db = "", 0, 0
        if not host or parts.query or parts.fragment or db < 0:
            raise UsageError(f"MEDFLOW_CACHE is no address of a Redis server; {_ALLOWED}")
        return cls(host, port, db, unquote(parts.username or "") or None, unquote(parts.password or "") or None)


class Redis:
    """The values of one database of a server. `clock`: seconds on a clock that is never set back."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        """Raises UsageError: no such address. MissingExtraError: the package is not installed. The server is not asked yet."""
        self._client = _client(Address.of(url))
        self._clock = clock
        self._calls = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="cache")
        self._lock = threading.Lock()
        self._again_at: float | None = None  # None: it answered last time

    def get(self, key: str) -> bytes | None:
        # a range: whatever stands there, no more than a value may hold is read; of a key that is not there it is empty
        found: Any = self._asked(lambda: self._client.getrange(_BEFORE_KEYS + key, 0, VALUE_BYTES))
        return found if found and isinstance(found, bytes) else None

    def put(self, key: str, value: bytes, seconds: int) -> None:
        name = _BEFORE_KEYS + key
        if not value or len(value) > VALUE_BYTES or seconds <= 0:
            self._asked(lambda: self._client.delete(name))
        else:
            self._asked(lambda: self._client.set(name, value, ex=seconds))

    def close(self) -> None:
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._client.connection_pool.disconnect()

    def _asked(self, call: Callable[[], Result]) -> Result:
        import redis

        self._admit()
        try:
            pending = self._calls.submit(call)
        except RuntimeError:
            raise CacheUnavailable("the cache is closed") from None
        try:
            result = pending.result(_ALTOGETHER_S)
        except redis.ResponseError as error:  # it is there, and will not: out of memory, read-only, another type under the key
            self._again_at = None
            raise CacheUnavailable(f"the Redis server refuses what it is asked ({type(error).__name__})") from None
        except Exception as error:  # time-outs and broken connections, and whatever a server that is none makes the client stumble over
            pending.cancel()
            self._leave_alone()
            raise CacheUnavailable(f"the Redis server of MEDFLOW_CACHE does not answer ({type(error).__name__})") from None
        self._again_at = None
        return result

    def _admit(self) -> None:
        """Let a call pass, or only one when the server was left alone long enough: it may be as dead as before."""
        with self._lock:
            if self._again_at is None:
                return
            if self._clock() < self._again_at:
                raise CacheUnavailable("the Redis server of MEDFLOW_CACHE did not answer a moment ago")
            self._again_at = self._clock() + _LEFT_ALONE_S

    def _leave_alone(self) -> None:
        with self._lock:
            self._again_at = self._clock() + _LEFT_ALONE_S
        self._client.connection_pool.disconnect()  # a call that still waits for a reply ends, and frees its thread


def _client(address: Address) -> Any:
    """A client that tries once; connections are made when they are needed."""
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ModuleNotFoundError:
        raise MissingExtraError("redis", "services") from None
    return redis.Redis(
        host=address.host,
        port=address.port,
        db=address.db,
        username=address.username,
        password=address.password,
        socket_connect_timeout=_CONNECTING_S,
        socket_timeout=_WAITING_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
