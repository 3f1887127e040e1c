"""Postgres' own word for whether a writer lives: a lock that its session holds, which ends with the process. SQLite has none."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from medflow.errors import CatalogError

_WRITING = 0x6D656467  # a number that all writers of a database use, of no other meaning


class SessionLock:
    """One connection of its own; never taken where the database is not Postgres."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session: Connection | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this process took it and has not given it back."""
        return self._session is not None

    def take(self) -> bool:
        """Whether it is ours now; never waits."""
        if self._engine.dialect.name != "postgresql":
            return False
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            if session.execute(select(func.pg_try_advisory_lock(_WRITING))).scalar_one():
                self._session = session
                return True
        finally:
            if self._session is not session:
                session.close()
        return False

    def give_back(self) -> None:
        """End the session, and the lock with it."""
        if self._session is not None:
            with suppress(CatalogError, SQLAlchemyError):
                self._session.detach()
                self._session.close()
            self._session = None
