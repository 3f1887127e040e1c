"""Who may run now: many together, or one alone. Statements side by side share one memory limit; what did not fit runs again alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Turns of threads; a turn is never taken inside another."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = 0
        self._waiting_alone = 0
        self._alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """Beside others, but not while one is alone or waits to be."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._alone or self._waiting_alone))
            self._together += 1
        try:
            yield
        finally:
            with self._changed:
                self._together -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """When all others have ended."""
        with self._changed:
            self._waiting_alone += 1
            self._changed.wait_for(lambda: not (self._alone or self._together))
            self._waiting_alone -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()
