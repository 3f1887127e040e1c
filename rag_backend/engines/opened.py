"""The query engines of a lake: the one that QUERY_ENGINE names by its scheme, and the embedded one that stands in for a server."""

from __future__ import annotations

from dataclasses import dataclass

from medflow.errors import MissingExtraError, UsageError
from medflow.settings import Settings
from rag_backend.engines.base import QueryEngine
from rag_backend.engines.duckdb import DuckDBEngine


@dataclass(frozen=True)
class Engines:
    """Who is asked first, and who is asked where that one cannot answer; None: nobody else."""

    first: QueryEngine
    spare: QueryEngine | None = None

    @property
    def embedded(self) -> QueryEngine:
        """The engine that needs no server."""
        return self.spare or self.first

    def close(self) -> None:
        """Stop what runs on any of them."""
        self.first.close()
        if self.spare is not None:
            self.spare.close()


def open_engines(settings: Settings) -> Engines:
    """The engines of the settings. A server need not answer yet.

    Raises:
        UsageError: no such engine. MissingExtraError: its package is not installed.
    """
    setting = settings.query_engine
    scheme = setting.partition(":")[0]
    if setting == "duckdb":
        return Engines(DuckDBEngine(settings, memory=settings.query_memory))
    if scheme not in ("trino", "spark"):
        raise UsageError("MEDFLOW_QUERY_ENGINE names no query engine; allowed: duckdb, trino://host:8081, spark, spark://host:7077")
    first = _trino(settings) if scheme == "trino" else _spark(settings)
    return Engines(first, DuckDBEngine(settings, memory=settings.query_memory))


def _trino(settings: Settings) -> QueryEngine:
    try:
        from rag_backend.engines.trino import TrinoEngine
    except ModuleNotFoundError:
        raise MissingExtraError("trino", "services") from None
    return TrinoEngine(settings)


def _spark(settings: Settings) -> QueryEngine:
    from rag_backend.engines.spark import SparkEngine

    return SparkEngine(settings)
