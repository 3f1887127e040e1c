"""The engines that the contract suite runs over. A new engine adds a line to `OPENED` and a shop of its own, and gets every test for free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medflow.lakehouse.database import connect
from medflow.lakehouse.releases import read_release
from medflow.settings import Settings, load_settings
from rag_backend.engines.base import Cancellation, Query, QueryEngine, Table
from rag_backend.engines.duckdb import DuckDBEngine
from rag_backend.engines.spark import SparkEngine
from rag_backend.engines.trino import TrinoEngine
from tests.engines.iceberg_shop import publish_tables
from tests.engines.shop import CLERK, COLUMNS, OWNER, Policy, publish
from tests.services.localstack import ACCESS_KEY, SECRET_KEY, WAREHOUSE, LocalStack
from tests.services.postgres import Postgres
from tests.services.trino import Trino

MEMORY = "256MB"
OPENED: dict[str, Callable[[Settings], QueryEngine]] = {
    "duckdb": lambda settings: DuckDBEngine(settings, memory=MEMORY),
    "trino": TrinoEngine,
    "spark": lambda settings: SparkEngine(settings, memory="512MB"),
}


class Clerk:
    """Asks an engine, as the role that may read only a part."""

    def __init__(self, engine: QueryEngine, settings: Settings | None = None) -> None:
        self.engine = engine
        self.settings = settings

    def snapshot(self, table: str) -> int:
        """The table's snapshot in the release, by its manifest."""
        engine = connect(self.settings.catalog, create=False)
        release = read_release(engine, 1)
        engine.dispose()
        return release.tables[table].snapshot

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
        if self.engine.dialect == "spark":
            sql = sql.replace("AS VARCHAR)", "AS STRING)")  # its word for a text of any length
        return self.engine.run(Query(sql, release, policy, rows, seconds), cancel or Cancellation())


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a lake with one release; not to be changed."""
    return publish(tmp_path_factory.mktemp("shop") / "home")


@pytest.fixture(scope="session")
def trino_shop(postgres_server: Postgres, s3: LocalStack, trino_server: Trino, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shop as Iceberg tables in Trino's lake, and its two roles in Trino's rules."""
    s3_given = {"s3_endpoint": s3.endpoint, "s3_access_key": ACCESS_KEY, "s3_secret_key": SECRET_KEY}
    lake = {"catalog": postgres_server.url("lake"), "warehouse": f"s3://{WAREHOUSE}/warehouse"}
    home = tmp_path_factory.mktemp("trino-shop")
    settings = load_settings(home=home, query_engine=trino_server.url, **s3_given)
    publish_tables(load_settings(home=home, **lake, **s3_given), settings)
    trino_server.grant([CLERK, OWNER], COLUMNS)
    return settings


@pytest.fixture(scope="session")
def spark_shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shop for a Spark in its worker."""
    home = tmp_path_factory.mktemp("spark-shop") / "home"
    publish(home)
    return load_settings(home=home, memory="512MB", threads=2, query_engine="spark")


@pytest.fixture(scope="session", params=sorted(OPENED))
def clerk(request: pytest.FixtureRequest) -> Iterator[Clerk]:
    """Every engine in turn, each on its shop."""
    shops = {"duckdb": "shop", "trino": "trino_shop", "spark": "spark_shop"}
    settings = request.getfixturevalue(shops[request.param])
    engine = OPENED[request.param](settings)
    yield Clerk(engine, settings)
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
