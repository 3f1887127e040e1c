"""A service that is down, silent, or lacks its bucket: an error within half a minute that names it, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medflow.errors import CatalogError, LandingError
from tests.service_mode.lakes import ServiceLake, generate
from tests.services.localstack import LANDING, WAREHOUSE, LocalStack, localstack
from tests.services.postgres import Postgres, postgres

_WITHIN = 90.0  # seconds, of a busy machine


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postgres, LocalStack]]:
    """Two that nobody else needs."""
    folder = tmp_path_factory.mktemp("outages")
    folder.chmod(0o755)
    with postgres(folder) as catalog, localstack(folder) as files:
        yield catalog, files


@pytest.fixture(scope="module")
def lake(servers: tuple[Postgres, LocalStack], tmp_path_factory: pytest.TempPathFactory) -> ServiceLake:
    folder = tmp_path_factory.mktemp("outage")
    found = ServiceLake(
        {
            "MEDFLOW_HOME": str(folder / "home"),
            "MEDFLOW_CATALOG": servers[0].url(),
            "MEDFLOW_WAREHOUSE": f"s3://{WAREHOUSE}/outage/warehouse",
            "MEDFLOW_LANDING": f"s3://{LANDING}/outage",
            **servers[1].settings,
        }
    )
    found.land(generate(folder / "files", claims=30))
    return found


def test_no_catalog_is_told_by_name(lake: ServiceLake, servers: tuple[Postgres, LocalStack]) -> None:
    """Postgres stopped: its address without the password, and the setting that names it."""
    servers[0].server.stop()
    begun = time.monotonic()
    try:
        with pytest.raises(CatalogError, match=r"postgresql.*does not answer.*MEDFLOW_CATALOG") as told:
            lake.run()
    finally:
        servers[0].server.start()
        servers[0].server.wait()
    assert time.monotonic() - begun < _WITHIN and "for-tests" not in str(told.value)


@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_no_storage_is_told_by_name(lake: ServiceLake, servers: tuple[Postgres, LocalStack], how: str) -> None:
    """S3 gone, or there without a word: given up in time, by its address."""
    storage = servers[1]
    storage.server.pause() if how == "silent" else storage.server.stop()
    begun = time.monotonic()
    try:
        with pytest.raises(LandingError, match=f"S3 at {storage.endpoint} does not answer.*MEDFLOW_S3_ENDPOINT"):
            lake.run()
        took = time.monotonic() - begun
    finally:
        if how == "silent":
            storage.server.resume()
        else:
            storage.server.start()
            storage.server.wait()
            storage.make_buckets()
    assert took < _WITHIN


def test_a_missing_bucket_is_told(lake: ServiceLake) -> None:
    """Its name, and what to do."""
    nowhere = ServiceLake({**lake.environment, "MEDFLOW_LANDING": "s3://no-such-bucket/files"})
    with pytest.raises(LandingError, match=r"has no bucket no-such-bucket\. Make it"):
        nowhere.land(Path(lake.settings.home).parent / "files")
