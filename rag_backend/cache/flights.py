"""One computation for all who want the same at once; the others wait for it, each under its own switch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from rag_backend.engines.base import Cancellation

Value = TypeVar("Value")
_GLANCE_SECONDS = 0.05


class _Flight(Generic[Value]):
    """One computation under way; `values` has what came of it once it has ended, if that is for all."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.values: list[Value] = []


class Flights(Generic[Value]):
    """The computations under way, by key. `lasts`: whether a value is for all, or only for who computed it."""

    def __init__(self, lasts: Callable[[Value], bool]) -> None:
        self._lasts = lasts
        self._lock = threading.Lock()
        self._under_way: dict[str, _Flight[Value]] = {}

    def once(self, key: str, compute: Callable[[], Value], cancel: Cancellation, patience: float) -> tuple[Value, bool]:
        """The value, and whether another asker computed it.

        If the one who computes fails or is cancelled, one of those who wait computes; who has waited for `patience` seconds does so too.

        Raises:
            QueryCancelled: the asker gave up while waiting. What `compute` raises.
        """
        latest = time.monotonic() + patience
        while True:
            with self._lock:
                flight = self._under_way.get(key)
                if flight is None:
                    own = self._under_way[key] = _Flight()
            if flight is None:
                return self._flown(key, own, compute), False
            while not flight.ended.wait(_GLANCE_SECONDS):
                cancel.raise_if_cancelled()
                if time.monotonic() >= latest:
                    return compute(), False
            if flight.values:
                return flight.values[0], True
            cancel.raise_if_cancelled()

    def _flown(self, key: str, flight: _Flight[Value], compute: Callable[[], Value]) -> Value:
        try:
            value = compute()
            if self._lasts(value):
                flight.values.append(value)
            return value
        finally:
            with self._lock:
                del self._under_way[key]
            flight.ended.set()
