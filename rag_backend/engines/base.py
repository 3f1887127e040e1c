"""The seam of query engines: what goes in, what comes out, and every way in which a query ends without a table.

QueryError (1)
├── QueryTimeout          the time limit was reached; the query was stopped
├── QueryCancelled        the asker gave up; the query was stopped
├── QueryTooLarge         memory or the size of the result
├── QueryFailed           the engine refused or could not finish the SQL; `reason` says of what kind
└── EngineUnavailable     no engine could be asked; the SQL may be right
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol

from medflow.errors import MedflowError

Cell = Decimal | date | datetime | float | int | str | bool | list["Cell"] | dict[str, "Cell"] | None
FailureReason = Literal["syntax", "unknown_name", "types", "conversion", "out_of_range", "not_allowed", "unsupported", "engine"]


class QueryError(MedflowError):
    """Base of all; no message ever holds a cell's value or an engine's own text."""


class QueryTimeout(QueryError):
    """The time limit was reached."""


class QueryCancelled(QueryError):
    """The asker cancelled."""


class QueryTooLarge(QueryError):
    """The query needs more memory, or its result is bigger, than is allowed."""


class QueryFailed(QueryError):
    """The engine would not or could not run the SQL. `reason` is one of a closed list, fit for a repair."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class EngineUnavailable(QueryError):
    """The engine, its worker or its data cannot be used now."""


class ReadPolicy(Protocol):
    """What a role may read: full table name -> its columns. `hash` (hexadecimal) names exactly these grants, `role` whose they are."""

    @property
    def role(self) -> str: ...
    @property
    def tables(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def hash(self) -> str: ...


@dataclass(frozen=True)
class Query:
    """Validated SQL in the engine's dialect, to be run on one release under one policy. The engine adds nothing to it."""

    sql: str
    release: int
    policy: ReadPolicy
    row_limit: int
    timeout_s: float


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result; `type` in the lake's words: string, int, bigint, decimal(12,2), double, date, timestamp, array<string>, …"""

    name: str
    type: str


@dataclass(frozen=True)
class Table:
    """At most `row_limit` rows; `truncated` says that one more row existed. `elapsed` is seconds from asking to having the rows.

    Decimals keep their scale; a timestamp of the lake is an aware instant in UTC; a map is a dict of texts.
    """

    columns: tuple[ResultColumn, ...]
    rows: list[tuple[Cell, ...]]
    truncated: bool
    elapsed: float


class Cancellation:
    """A question's off switch, thrown from any thread, at most once; engines look at it at least every 50 ms."""

    def __init__(self) -> None:
        self._thrown = threading.Event()

    def cancel(self) -> None:
        """Ask whatever runs under this switch to stop."""
        self._thrown.set()

    @property
    def cancelled(self) -> bool:
        return self._thrown.is_set()

    def raise_if_cancelled(self) -> None:
        """Raises QueryCancelled: the switch was thrown."""
        if self.cancelled:
            raise QueryCancelled("the query was cancelled")


class QueryEngine(Protocol):
    """Runs validated SQL. Safe for several threads at once."""

    name: str
    dialect: str  # sqlglot's name of what `Query.sql` is written in

    def pin(self, table: str, snapshot: int) -> str:
        """The table (schema.name) as it must stand in SQL of this dialect so that it is read at this snapshot."""
        ...

    def row_counts(self, release: int, policy: ReadPolicy) -> Mapping[str, int]:
        """Rows of each readable table of the release that the policy names: what the cost of a scan is estimated from.

        Raises:
            EngineUnavailable: the release's data cannot be read.
            UsageError: there is no such release, or it is no longer kept.
        """
        ...

    def run(self, query: Query, cancel: Cancellation) -> Table:
        """The rows of the query.

        Raises:
            QueryTimeout, QueryCancelled: the query has ended in the engine too, within half a second.
            QueryTooLarge: memory, or the result's size in bytes.
            QueryFailed: the engine refuses the SQL, or a value in it cannot be computed.
            EngineUnavailable: no engine could be asked.
            UsageError: there is no such release, or it is no longer kept.
        """
        ...

    def close(self) -> None:
        """Stop what is running and free processes."""
        ...
