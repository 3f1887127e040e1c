"""Where conversations wait: the application's database, by the scheme of its URL. Only plain values are written and read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from medflow.errors import CatalogError, MissingExtraError, UsageError

_BUSY_SECONDS = 15


@contextmanager
def conversations(url: str) -> Iterator[BaseCheckpointSaver[Any]]:
    """The store of conversations in the database at `url`, its tables made if they are missing.

    Raises:
        UsageError: the URL names no SQLite or Postgres database. CatalogError: the database cannot be used. MissingExtraError: a package.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise UsageError("MEDFLOW_APP_DB cannot be read; write sqlite:////folder/app.db or postgresql://user@host/name") from None
    kind = address.get_backend_name()
    if kind == "sqlite":
        with _sqlite(Path(address.database or "")) as saver:
            yield saver
    elif kind == "postgresql":
        with _postgres(address.set(drivername="postgresql").render_as_string(hide_password=False)) as saver:
            yield saver
    else:
        raise UsageError(f"MEDFLOW_APP_DB is no database for conversations: {kind}; allowed: sqlite, postgresql")


def _serializer() -> JsonPlusSerializer:
    """Plain values alone: what somebody else wrote into the database never becomes an object of ours."""
    return JsonPlusSerializer(allowed_msgpack_modules=None)


@contextmanager
def _sqlite(path: Path) -> Iterator[BaseCheckpointSaver[Any]]:
    from langgraph.checkpoint.sqlite import SqliteSaver

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may forget the last questions, and damages nothing
        saver = SqliteSaver(connection, serde=_serializer())
        saver.setup()
    except (sqlite3.DatabaseError, OSError) as error:
        raise CatalogError(f"{path} (MEDFLOW_APP_DB) cannot be used: {type(error).__name__}; name another file, or move it away") from None
    with closing(connection):
        yield saver


@contextmanager
def _postgres(url: str) -> Iterator[BaseCheckpointSaver[Any]]:
    try:
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg import OperationalError
        from psycopg.rows import dict_row
        from psycopg_pool import ConnectionPool, PoolTimeout
    except ModuleNotFoundError as missing:
        raise MissingExtraError(missing.name or "langgraph-checkpoint-postgres", "services") from None
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool: ConnectionPool[Any] = ConnectionPool(url, kwargs=options, min_size=1, max_size=8, timeout=_BUSY_SECONDS, open=False)
    try:
        pool.open(wait=True, timeout=_BUSY_SECONDS)
        saver = PostgresSaver(pool, serde=_serializer())
        saver.setup()
    except (OperationalError, PoolTimeout) as error:
        pool.close()
        raise CatalogError(f"MEDFLOW_APP_DB does not answer ({type(error).__name__}); start the server, or name another one") from None
    with closing(pool):
        yield saver
