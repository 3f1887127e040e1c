"""The query engine on a Trino server: each role asks as a user of its own, whom the server's access rules hold to what the role may read.

The rules are the second wall; before the first query of a release and role it is seen that they stand, and are no wider than the policy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from medflow.errors import UsageError
from medflow.settings import Settings
from rag_backend.engines.base import Cancellation, EngineUnavailable, Query, QueryError, ReadPolicy, ResultColumn, Table
from rag_backend.engines.failures import failure
from rag_backend.engines.one_select import check_one_select
from rag_backend.engines.released import Releases
from rag_backend.engines.trino_rules import LAKE, USERS, user_of
from rag_backend.engines.trino_statement import Reply, Server, Statement, Until
from rag_backend.engines.trino_types import read_as

_DOWN_SECONDS = 10.0  # a server that did not answer is not asked again at once
_WALL_SECONDS = 30.0
_MOST_COLUMNS = 20_000
_SEEN = "SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE table_schema <> 'information_schema'"


class TrinoEngine:
    """Runs queries on the lake's tables, each at the snapshot of its release."""

    name = "trino"
    dialect = "trino"

    def __init__(self, settings: Settings) -> None:
        """Raises UsageError: the setting QUERY_ENGINE names no server."""
        self._server, self._users = server_of(settings.query_engine)
        self._releases = Releases(settings)
        self._walls: set[tuple[int, str, str]] = set()
        self._down_until = 0.0
        self._closed = threading.Event()

    def pin(self, table: str, snapshot: int) -> str:
        """The table at a snapshot by its id, which nobody can move as a tag could be."""
        schema, name = table.split(".")
        return f'"{LAKE}"."{schema}"."{name}" FOR VERSION AS OF {int(snapshot)}'

    def row_counts(self, release: int, policy: ReadPolicy) -> Mapping[str, int]:
        return self._releases.row_counts(release, policy)

    def run(self, query: Query, cancel: Cancellation) -> Table:
        started = time.monotonic()
        cancel.raise_if_cancelled()
        check_one_select(query.sql, self.dialect)
        self._releases.release(query.release)
        self._check_wall(query, cancel)
        until = Until(cancel, self._closed, time.monotonic() + query.timeout_s)
        reply = self._reply(query.policy, query.sql, query.row_limit + 1, until)
        return _table(reply, query.row_limit, started)

    def close(self) -> None:
        self._closed.set()

    def _reply(self, policy: ReadPolicy, sql: str, most: int, until: Until) -> Reply:
        if time.monotonic() < self._down_until:
            raise EngineUnavailable("the query engine Trino did not answer a moment ago; check MEDFLOW_QUERY_ENGINE and its log")
        try:
            return Statement(self._server, user_of(policy, self._users), sql, most, readable=policy.tables).run(until)
        except EngineUnavailable:
            self._down_until = time.monotonic() + _DOWN_SECONDS
            raise

    def _check_wall(self, query: Query, cancel: Cancellation) -> None:
        """See that the server shows the role's user nothing that the policy does not name.

        Raises:
            EngineUnavailable: there are no rules, or they are wider.
        """
        key = query.release, query.policy.role, query.policy.hash
        if key in self._walls:
            return
        until = Until(cancel, self._closed, time.monotonic() + _WALL_SECONDS)
        seen = self._reply(query.policy, _SEEN, _MOST_COLUMNS, until).rows
        tables = query.policy.tables
        if any(column not in tables.get(f"{schema}.{name}", ()) for schema, name, column in seen):
            raise EngineUnavailable(
                f"Trino would show the role {query.policy.role} more than its policy grants; "
                "run `medflow setup --trino DIR` and let Trino read the rules that it writes"
            )
        self._walls.add(key)


def server_of(setting: str) -> tuple[Server, str]:
    """The server that `trino://[users@]host:port` names, and the beginning of its users' names.

    Raises:
        UsageError: it names none.
    """
    address = urlsplit(setting)
    try:
        host, port = address.hostname, address.port
    except ValueError:
        host = port = None
    if address.scheme != "trino" or not host or not port or address.password or address.path.strip("/") or address.query:
        raise UsageError("MEDFLOW_QUERY_ENGINE names no Trino server; allowed: trino://host:8081, or trino://users@host:8081")
    return Server(host, port), address.username or USERS


def _table(reply: Reply, limit: int, started: float) -> Table:
    described = [(column["name"], *read_as(column["typeSignature"])) for column in reply.columns]
    readings = [read for _, _, read in described]
    try:
        rows = [tuple(read(cell) for read, cell in zip(readings, row, strict=True)) for row in reply.rows[:limit]]
    except (ValueError, ArithmeticError):  # a year or a number that Python cannot hold
        failed: QueryError = failure("out_of_range")
        raise failed from None
    return Table(tuple(ResultColumn(name, word) for name, word, _ in described), rows, len(reply.rows) > limit, time.monotonic() - started)
