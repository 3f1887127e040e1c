"""An empty Redis server and one small lake for the suite, and a cache of each kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest

from rag_backend.cache import redis as adapter
from rag_backend.cache.base import Cache
from rag_backend.cache.caches import cache_of
from tests.services.redis import Redis as RedisServer
from tests.support.lake import Lake

SECRET = b"a secret for tests"


@pytest.fixture
def server(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    """The server, empty; not to be stopped or killed. On a busy machine it may take longer than an asker would wait."""
    for name in ("_CONNECTING_S", "_WAITING_S", "_ALTOGETHER_S"):
        monkeypatch.setattr(adapter, name, 30.0)
    redis_server.client.flushall()
    return redis_server


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    """An empty cache of each kind that keeps anything."""
    url = "memory://" if request.param == "memory" else request.getfixturevalue("server").url
    opened = cache_of(url)
    if request.param == "redis":
        opened.get("warm")  # connected before anything is measured
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """2,000 claims, one release; not to be changed."""
    lake = Lake(tmp_path_factory.mktemp("cache") / "lake")
    lake.generate(2_000)
    lake.run()
    return lake


@pytest.fixture(scope="session")
def everything(small: Lake) -> Iterator[Any]:
    """All tables of the release in a DuckDB of the test's own, under no policy."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in small.release().tables.items():
            if table.files:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
                connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet($1, union_by_name = true)", [table.files])
        yield connection


def eventually(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether something holds before the time is over."""
    latest = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > latest:
            return False
        time.sleep(0.02)
    return True
