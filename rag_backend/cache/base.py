"""The seam of what keeps bytes under a key for a while. It may forget at any time; it is never asked to be right."""

from __future__ import annotations

from typing import Protocol

from medflow.errors import MedflowError

VALUE_BYTES = 1 << 20  # of one value, its seal included
MEMORY_BYTES = 64 << 20  # of all that a process keeps for itself
PLAN_SECONDS = 24 * 60 * 60
RESULT_SECONDS = 60 * 60


class CacheUnavailable(MedflowError):
    """The server that keeps values cannot be asked now, or has not answered in time. Whoever asks goes on without it."""


class Cache(Protocol):
    """Keeps values; safe for several threads at once. A value of more than VALUE_BYTES is not kept."""

    def get(self, key: str) -> bytes | None:
        """The value under a key; None where there is none, or its time is over.

        Raises:
            CacheUnavailable: nobody knows.
        """
        ...

    def put(self, key: str, value: bytes, seconds: int) -> None:
        """Keep a value, which is not empty, for at most so many seconds; what was under the key is gone.

        Raises:
            CacheUnavailable: it may not be kept.
        """
        ...

    def close(self) -> None:
        """Free memory and connections; asked afterwards, it keeps nothing or is unavailable."""
        ...


class Nothing:
    """`none://`: keeps nothing."""

    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, value: bytes, seconds: int) -> None:
        return None

    def close(self) -> None:
        return None
