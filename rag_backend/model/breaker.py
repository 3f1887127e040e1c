"""A breaker: after so many failures in a row nothing is asked for a while; then one call tries, and its outcome decides."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rag_backend.model.errors import ModelError, ModelMistake, ModelUnavailable


class Breaker:
    """Closed: all pass. Open: none for `rest_s`. After that one passes, and the others wait for what comes of it."""

    def __init__(self, *, failures: int = 5, rest_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._rest_s = rest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether a call would be turned away now."""
        with self._lock:
            return self._turned_away()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """One call. A ModelError is a failure, but for a mistake of ours: the service answered; whatever else ends it says nothing.

        Raises:
            ModelUnavailable: the breaker is open.
        """
        trial = self._enter()
        try:
            yield
        except ModelMistake:
            self._leave(trial, failed=False)
            raise
        except ModelError:
            self._leave(trial, failed=True)
            raise
        except BaseException:
            self._leave(trial, failed=None)
            raise
        self._leave(trial, failed=False)

    def _enter(self) -> bool:
        """Whether this call is the one that tries."""
        with self._lock:
            if self._turned_away():
                raise ModelUnavailable(f"the model failed {self._most} times in a row; it is asked again within {self._rest_s:g} s")
            self._trying = self._open_until is not None
            return self._trying

    def _turned_away(self) -> bool:
        return self._open_until is not None and (self._trying or self._clock() < self._open_until)

    def _leave(self, trial: bool, *, failed: bool | None) -> None:
        with self._lock:
            if trial:
                self._trying = False
            elif self._open_until is not None:
                return  # begun before it opened: says nothing of how things are now
            if failed is None:
                return
            self._failures = self._failures + 1 if failed else 0
            if not failed:
                self._open_until = None
            elif trial or self._failures >= self._most:
                self._open_until = self._clock() + self._rest_s
