"""What each user was shown of a release: the seam behind which it is kept, and the adapter that keeps it in this process."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from rag_backend.query.typed_query import GroupBy
from rag_backend.small_cells.bounds import Bounds
from rag_backend.small_cells.line_sets import Counts, Key, LineSet
from rag_backend.small_cells.revealed import Revealed

CELLS = 1_000
COLUMNS = 100


@dataclass(frozen=True)
class ShownNumber:
    """A number that a user knows: of which quantity, the lines behind it, and how many entities those are of."""

    quantity: str
    lines: LineSet
    counts: Counts


@dataclass(frozen=True)
class ShownCell:
    """A cell that a user saw, or can add up: the numbers that it reveals, what limits it, and the dimensions that its tests name."""

    numbers: tuple[ShownNumber, ...]
    bounds: Bounds
    dims: frozenset[str]


@dataclass(frozen=True)
class ShownColumn:
    """A column of an answer of which a user did not see all cells: what they reveal, by which groups, and the keys of those not seen."""

    reveals: tuple[Revealed, ...]
    groups: Mapping[str, str]
    group_by: tuple[GroupBy, ...]
    hidden: frozenset[Key]
    bounds: Bounds
    about: frozenset[str]
    dims: frozenset[str]


class ShownLog(Protocol):
    """The last cells that one user was shown of one release, oldest first, and the columns that had masked ones."""

    @property
    def cells(self) -> Sequence[ShownCell]: ...
    @property
    def columns(self) -> Sequence[ShownColumn]: ...

    def add(self, cells: Sequence[ShownCell], columns: Sequence[ShownColumn]) -> None:
        """Remember them; the oldest beyond the last 1,000 cells are forgotten."""
        ...


class ShownCells(Protocol):
    """Where it is kept. Safe for several threads at once."""

    def opened(self, user: str, release: int) -> AbstractContextManager[ShownLog]:
        """The log of a user, who is shown nothing else while it is open: two answers at once would not know of each other."""
        ...


class _Log:
    def __init__(self) -> None:
        self.cells: deque[ShownCell] = deque(maxlen=CELLS)
        self.columns: deque[ShownColumn] = deque(maxlen=COLUMNS)
        self.lock = threading.Lock()

    def add(self, cells: Sequence[ShownCell], columns: Sequence[ShownColumn]) -> None:
        self.cells.extend(cells)
        self.columns.extend(columns)


class ShownInProcess:
    """Kept in memory, for as long as the process lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logs: defaultdict[tuple[str, int], _Log] = defaultdict(_Log)

    @contextmanager
    def opened(self, user: str, release: int) -> Iterator[ShownLog]:
        with self._lock:
            log = self._logs[user, release]
        with log.lock:
            yield log
