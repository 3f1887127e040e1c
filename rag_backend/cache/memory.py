"""`memory://`: values in this process; those that were asked for longest ago go first when there is no more room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from rag_backend.cache.base import MEMORY_BYTES, VALUE_BYTES

_OF_AN_ENTRY = 300  # bytes that Python takes for one besides key and value


class Memory:
    """At most `room` bytes. `clock`: seconds on a clock that is never set back."""

    def __init__(self, clock: Callable[[], float], room: int = MEMORY_BYTES) -> None:
        self._clock = clock
        self._room = room
        self._taken = 0
        self._lock = threading.Lock()
        self._values: OrderedDict[str, tuple[float, bytes]] = OrderedDict()  # the one asked for last is the last

    def get(self, key: str) -> bytes | None:
        with self._lock:
            until, value = self._values.get(key, (0.0, b""))
            if key not in self._values:
                return None
            if self._clock() >= until:
                self._forget(key)
                return None
            self._values.move_to_end(key)
            return value

    def put(self, key: str, value: bytes, seconds: int) -> None:
        with self._lock:
            if key in self._values:
                self._forget(key)
            size = _size(key, value)
            if len(value) > VALUE_BYTES or size > self._room or seconds <= 0:
                return
            while self._taken + size > self._room:
                self._forget(next(iter(self._values)))
            self._values[key] = self._clock() + seconds, value
            self._taken += size

    def close(self) -> None:
        with self._lock:
            self._values.clear()
            self._taken = self._room = 0

    def _forget(self, key: str) -> None:
        _, value = self._values.pop(key)
        self._taken -= _size(key, value)


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + _OF_AN_ENTRY
