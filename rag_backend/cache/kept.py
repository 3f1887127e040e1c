"""Values of one kind on their way into the cache and back: found, or computed once for all who ask at the same time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rag_backend.cache.counters import Counters
from rag_backend.cache.flights import Flights
from rag_backend.cache.signed import Signed
from rag_backend.engines.base import Cancellation

Value = TypeVar("Value")
# What a reader or writer of a form stumbles with; a seal that holds says who wrote, not that it was written well.
_MISSHAPEN = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Form(Generic[Value]):
    """How values are written as bytes and read back as equal ones. `lasts`: which are kept, and handed to those who wait."""

    write: Callable[[Value], bytes]
    read: Callable[[bytes], Value]
    lasts: Callable[[Value], bool] = lambda _: True


class Kept(Generic[Value]):
    """The values of one form. `seconds` is how long one is kept, `patience` how long an asker waits for another's computation."""

    def __init__(self, cache: Signed, form: Form[Value], seconds: int, patience: float) -> None:
        self.counters = Counters()
        self._cache = cache
        self._form = form
        self._seconds = seconds
        self._patience = patience
        self._flights: Flights[Value] = Flights(form.lasts)

    def find(self, key: str) -> Value | None:
        """The value under a key, if one is kept."""
        value = self._read(key)
        self.counters.count("misses" if value is None else "hits")
        return value

    def once(self, key: str, compute: Callable[[], Value], cancel: Cancellation) -> tuple[Value, bool]:
        """The value of a key that was not found, and whether another asker has computed it since, or does so now.

        Raises:
            QueryCancelled: the asker gave up while waiting. What `compute` raises: then nothing is kept.
        """
        others: list[Value] = []

        def computed() -> Value:
            if (value := self._read(key)) is not None:  # another was done between the look-up and now
                others.append(value)
                return value
            value = compute()
            if self._form.lasts(value):
                self._write(key, value)
            return value

        value, waited = self._flights.once(key, computed, cancel, self._patience)
        if waited:
            self.counters.count("waits")
        return value, waited or bool(others)

    def found_or_computed(self, key: str, compute: Callable[[], Value], cancel: Cancellation) -> Value:
        """The value of a key.

        Raises: as `once`.
        """
        value = self.find(key)
        return self.once(key, compute, cancel)[0] if value is None else value

    def _read(self, key: str) -> Value | None:
        found = self._cache.get(key, self.counters)
        if found is None:
            return None
        try:
            return self._form.read(found)
        except _MISSHAPEN:
            self.counters.count("forged")
            return None

    def _write(self, key: str, value: Value) -> None:
        try:
            written = self._form.write(value)
        except _MISSHAPEN:
            self.counters.count("failed")
            return
        self._cache.put(key, written, self._seconds, self.counters)
