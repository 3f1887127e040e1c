"""One statement on a Trino server: a thread of its own talks to the server, while the asker watches its time and its off switch.

Whatever ends the asking ends the statement in the server too: it is told so by a request of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests
from trino.client import ClientSession, TrinoRequest
from trino.exceptions import Error, HttpError, TrinoQueryError

from rag_backend.engines.base import Cancellation, EngineUnavailable, QueryCancelled, QueryError, QueryTimeout
from rag_backend.engines.failures import RESULT_BYTES, failure, too_slow
from rag_backend.engines.trino_rules import LAKE

_CONNECT_SECONDS, _ANSWER_SECONDS = 3.0, 10.0  # a server that lives answers every request within a second
_STOP_SECONDS = 0.4
_GLANCE_SECONDS = 0.05
_TRIES = 2
_SOURCE = "medflow"

# Trino's name of an error -> what it is; the rest by its type. Only the names are read, never the text.
_REASONS = {
    "SYNTAX_ERROR": "syntax",
    "TABLE_NOT_FOUND": "unknown_name",
    "SCHEMA_NOT_FOUND": "unknown_name",
    "CATALOG_NOT_FOUND": "unknown_name",
    "FUNCTION_NOT_FOUND": "unknown_name",
    "PERMISSION_DENIED": "unknown_name",  # whether there is such a table is not told either
    "COLUMN_NOT_FOUND": "types",
    "AMBIGUOUS_NAME": "types",
    "TYPE_MISMATCH": "types",
    "EXPRESSION_NOT_AGGREGATE": "types",
    "EXPRESSION_NOT_SCALAR": "types",
    "INVALID_FUNCTION_ARGUMENT": "types",
    "INVALID_CAST_ARGUMENT": "conversion",
    "INVALID_LITERAL": "conversion",
    "NUMERIC_VALUE_OUT_OF_RANGE": "out_of_range",
    "NOT_SUPPORTED": "unsupported",
    "EXCEEDED_TIME_LIMIT": "interrupted",
    "EXCEEDED_CPU_LIMIT": "interrupted",
    "USER_CANCELED": "interrupted",
    "ADMINISTRATIVELY_KILLED": "interrupted",
    "EXCEEDED_GLOBAL_MEMORY_LIMIT": "memory",
    "EXCEEDED_LOCAL_MEMORY_LIMIT": "memory",
    "CLUSTER_OUT_OF_MEMORY": "memory",
    "EXCEEDED_SPILL_LIMIT": "memory",
    "EXCEEDED_SCAN_LIMIT": "memory",
    "EXCEEDED_FUNCTION_MEMORY_LIMIT": "memory",
    "PAGE_TOO_LARGE": "result_size",
}
_NOT_NOW = {
    "SERVER_STARTING_UP",
    "SERVER_SHUTTING_DOWN",
    "NO_NODES_AVAILABLE",
    "QUERY_QUEUE_FULL",
    "REMOTE_TASK_ERROR",
    "TOO_MANY_REQUESTS_FAILED",
}
_NOT_NOW |= {"REMOTE_HOST_GONE", "PAGE_TRANSPORT_ERROR", "PAGE_TRANSPORT_TIMEOUT", "ABANDONED_QUERY"}


@dataclass(frozen=True)
class Server:
    """Where Trino listens."""

    host: str
    port: int

    def request(self, user: str) -> TrinoRequest:
        """A connection of its own for one user: nothing of a session outlives a statement."""
        session = ClientSession(user, catalog=LAKE, source=_SOURCE, timezone="UTC", heartbeat_interval=None)
        timeouts = _CONNECT_SECONDS, _ANSWER_SECONDS
        return TrinoRequest(self.host, self.port, session, http_scheme="http", max_attempts=_TRIES, request_timeout=timeouts)


@dataclass
class Reply:
    """What came of a statement: the protocol's columns, and at most the rows that were wanted and one more."""

    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Until:
    """When the asker gives up: the off switch, the engine's own end, and a moment of the monotonic clock."""

    cancel: Cancellation
    closed: threading.Event
    deadline: float

    @property
    def seconds(self) -> float:
        """How long to wait until the next glance."""
        return max(0.0, min(_GLANCE_SECONDS, self.deadline - time.monotonic()))

    def over(self) -> QueryError | None:
        """Why to stop now, if there is a reason."""
        if self.cancel.cancelled:
            return QueryCancelled("the query was cancelled")
        if self.closed.is_set():
            return EngineUnavailable("the query engine is closed; open it again")
        return QueryTimeout(too_slow()) if time.monotonic() >= self.deadline else None


class Statement:
    """One statement of one user; `most` rows are wanted and no more are fetched."""

    def __init__(self, server: Server, user: str, sql: str, most: int, *, readable: Collection[str] = ()) -> None:
        """`readable`: the tables that the user may read, by which a closed column is told from a closed table."""
        self._server, self._user, self._sql, self._most = server, user, sql, most
        self._readable = readable
        self._turn = threading.Lock()
        self._stopped = False
        self._next: str | None = None
        self._done = threading.Event()
        self._reply = Reply()
        self._error: QueryError | None = None
        self._bytes = 0

    def run(self, until: Until) -> Reply:
        """The reply.

        Raises:
            QueryError: there is none, and the statement has ended in the server, as far as it can be reached.
        """
        threading.Thread(target=self._talk, name="trino-statement", daemon=True).start()
        while not self._done.wait(until.seconds):
            if error := until.over():
                self._stop()
                raise error
        if self._error is not None:
            raise self._error
        return self._reply

    def _stop(self) -> None:
        """End the statement in the server; where its address is not known yet, the thread does so as soon as it is."""
        with self._turn:
            self._stopped, place = True, self._next
        if place:
            ending = threading.Thread(target=self._end, args=(place,), name="trino-end", daemon=True)
            ending.start()
            ending.join(_STOP_SECONDS)

    def _end(self, place: str) -> None:
        with suppress(requests.RequestException, Error):  # it cannot be reached: the server's own limits end what nobody fetches
            self._server.request(self._user).delete(place)

    def _talk(self) -> None:
        try:
            self._fetch()
        except QueryError as error:
            self._error = error
        except TrinoQueryError as error:
            self._error = _told(error, self._readable)
        except (requests.RequestException, HttpError, Error, ValueError, KeyError):
            self._error = EngineUnavailable("the query engine Trino does not answer; check MEDFLOW_QUERY_ENGINE and its log")
        finally:
            self._done.set()

    def _fetch(self) -> None:
        request = self._server.request(self._user)
        response = request.post(self._sql)
        while True:
            status = request.process(response)
            self._take(status, len(response.content))
            place = status.next_uri
            with self._turn:
                self._next = place
                over = self._stopped or len(self._reply.rows) >= self._most or self._bytes > RESULT_BYTES
            if place is None or over:
                break
            response = request.get(place)
        if place is not None:
            self._end(place)
        if self._bytes > RESULT_BYTES:
            raise failure("result_size")

    def _take(self, status: Any, size: int) -> None:
        self._reply.columns = status.columns or self._reply.columns
        if status.rows:
            self._bytes += size
            self._reply.rows += status.rows[: self._most - len(self._reply.rows)]


def _told(error: TrinoQueryError, readable: Collection[str]) -> QueryError:
    """Our own words for an error of Trino's."""
    name = error.error_name or ""
    if name in _NOT_NOW:
        return EngineUnavailable("the query engine Trino cannot take a query now; ask again")
    if name == "PERMISSION_DENIED" and any(error.message.endswith(f" {LAKE}.{table}") for table in readable):
        return failure("types")  # a column of a table that may be read is closed: told as one that there is not
    if name in _REASONS:
        return failure(_REASONS[name])
    if error.error_type == "EXTERNAL":
        return EngineUnavailable("the query engine Trino cannot read the lake; check the catalog and the warehouse that it is given")
    if error.error_type == "INSUFFICIENT_RESOURCES":
        return failure("memory")
    return failure("types" if error.error_type == "USER_ERROR" else "engine")
