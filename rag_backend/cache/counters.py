"""What became of the askings of one cache, for those who look after the service."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Literal

Event = Literal["hits", "misses", "forged", "failed", "waits"]


class Counters:
    """`hits` and `misses` are askings that found a value or did not. Why some did not: `forged`, a value that this product did not write
    there, and `failed`, the cache could not be asked or could not keep it. `waits`: askers who waited for another's value. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Event] = Counter()

    def count(self, event: Event) -> None:
        with self._lock:
            self._counts[event] += 1

    def snapshot(self) -> dict[str, int | float | None]:
        """All counts since the start, and the share of askings that hit; none if nobody has asked."""
        with self._lock:
            counts = self._counts.copy()
        asked = counts["hits"] + counts["misses"]
        events: tuple[Event, ...] = ("hits", "misses", "forged", "failed", "waits")
        return {**{event: counts[event] for event in events}, "hit_rate": round(counts["hits"] / asked, 4) if asked else None}
