"""The engines that the contract suite runs over. A new engine adds one line to `ENGINES`, and gets every test for free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medflow.settings import Settings
from rag_backend.engines.base import Cancellation, Query, QueryEngine, Table
from rag_backend.engines.duckdb import DuckDBEngine
from tests.engines.shop import CLERK, Policy, publish

MEMORY = "256MB"
ENGINES: dict[str, Callable[[Settings], QueryEngine]] = {"duckdb": lambda settings: DuckDBEngine(settings, memory=MEMORY)}


class Clerk:
    """Asks an engine, as the role that may read only a part."""

    def __init__(self, engine: QueryEngine) -> None:
        self.engine = engine

    def ask(
        self,
        sql: str,
        *,
        rows: int = 100,
        seconds: float = 60.0,
        policy: Policy = CLERK,
        release: int = 1,
        cancel: Cancellation | None = None,
    ) -> Table:
        return self.engine.run(Query(sql, release, policy, rows, seconds), cancel or Cancellation())


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a lake with one release; not to be changed."""
    return publish(tmp_path_factory.mktemp("shop") / "home")


@pytest.fixture(scope="session", params=sorted(ENGINES))
def clerk(request: pytest.FixtureRequest, shop: Settings) -> Iterator[Clerk]:
    """Every engine in turn, on the shared shop."""
    engine = ENGINES[request.param](shop)
    yield Clerk(engine)
    engine.close()


@pytest.fixture
def duckdb_clerk(shop: Settings) -> Iterator[Clerk]:
    """DuckDB alone, with workers of this test's own."""
    engine = DuckDBEngine(shop, memory=MEMORY)
    yield Clerk(engine)
    engine.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a test publishes releases of its own."""
    return tmp_path / "home"
