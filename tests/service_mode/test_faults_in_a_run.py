"""Postgres or S3 stopped, silent or slow in the middle of a run: it fails in words and the next run makes it good, or it goes on."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medflow.errors import CatalogError
from tests.service_mode.lakes import ServiceLake, generate, settled
from tests.services.localstack import LANDING, WAREHOUSE, LocalStack, localstack
from tests.services.postgres import Postgres, postgres
from tests.services.slow import slowed
from tests.support.counts import counted
from tests.support.lake import KEY, RUN_DATE, Lake
from tests.support.stopped import continued, stopped_at

RUN = ("run", "--json", "--date", str(RUN_DATE))
_WITHIN_S = 300.0
_LATE_S = 0.02
# While records are framed, a table is written, a branch is moved, tables are compared, the release is made.
_ALL = ("before framing#1", "before write#4", "after swap#5", "before step verify gold#1", "before landing release#1")
POINTS = random.Random(3).sample(_ALL, counted(2, len(_ALL)))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postgres, LocalStack]]:
    """Two that nobody else needs."""
    folder = tmp_path_factory.mktemp("faults")
    with postgres(folder) as catalog, localstack(folder) as files:
        yield catalog, files


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """60 claims, built in process."""
    lake = Lake(tmp_path_factory.mktemp("embedded") / "lake")
    generate(lake.landing, claims=60)
    lake.run()
    return lake


@pytest.fixture
def lake(servers: tuple[Postgres, LocalStack], embedded: Lake, tmp_path: Path) -> ServiceLake:
    """The same files in a bucket, nothing built yet."""
    catalog, files = servers
    mine = tmp_path.name
    made = ServiceLake(
        {
            "MEDFLOW_HOME": str(tmp_path / "home"),
            "MEDFLOW_CATALOG": catalog.make_database(mine),
            "MEDFLOW_WAREHOUSE": f"s3://{WAREHOUSE}/{mine}/warehouse",
            "MEDFLOW_LANDING": f"s3://{LANDING}/{mine}",
            "MEDFLOW_PSEUDONYM_KEY": KEY,
            "MEDFLOW_THREADS": "2",
            **files.settings,
        }
    )
    made.land(embedded.landing)
    return made


def environment(lake: ServiceLake, **other: str) -> dict[str, str]:
    """What a process that works on the lake is started with."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEDFLOW_")}
    return kept | dict(lake.environment) | other


def is_made_good(lake: ServiceLake, embedded: Lake) -> None:
    """Nothing of the run that failed is seen; the next one publishes the rows of the embedded lake."""
    with pytest.raises(CatalogError, match="no release"):
        lake.release()
    lake.run()
    assert settled(lake.site()) == settled(embedded.site())


@pytest.mark.parametrize("point", POINTS)
def test_the_catalog_goes_away(lake: ServiceLake, embedded: Lake, servers: tuple[Postgres, LocalStack], point: str) -> None:
    """Killed as by a power cut, and there again after the run has ended."""
    run = stopped_at(point, environment(lake), *RUN)
    catalog = servers[0].server
    catalog.kill()
    try:
        code, told = continued(run, _WITHIN_S)
    finally:
        catalog.start()
        catalog.wait()
    assert code == 1 and "Traceback" not in told
    assert "postgresql://" in told and "does not answer" in told and "for-tests" not in told
    is_made_good(lake, embedded)


@pytest.mark.parametrize("point", POINTS)
def test_the_catalog_is_away_for_a_moment(lake: ServiceLake, embedded: Lake, servers: tuple[Postgres, LocalStack], point: str) -> None:
    """Restarted under the run: it ends in words, or goes on over a new connection."""
    run = stopped_at(point, environment(lake), *RUN)
    servers[0].server.restart()
    code, told = continued(run, _WITHIN_S)
    assert "Traceback" not in told
    if code == 0:
        assert settled(lake.site()) == settled(embedded.site())
    else:
        assert "does not answer" in told
        is_made_good(lake, embedded)


@pytest.mark.parametrize("point", POINTS)
def test_storage_falls_silent(lake: ServiceLake, embedded: Lake, servers: tuple[Postgres, LocalStack], point: str) -> None:
    """S3 accepts connections and says nothing: given up in time, by its address."""
    run = stopped_at(point, environment(lake), *RUN)
    storage = servers[1]
    storage.server.pause()
    try:
        code, told = continued(run, _WITHIN_S)
    finally:
        storage.server.resume()
    assert code == 1 and "Traceback" not in told
    assert f"S3 at {storage.endpoint} does not answer" in told
    is_made_good(lake, embedded)


def test_slow_wires_change_nothing(lake: ServiceLake, embedded: Lake, servers: tuple[Postgres, LocalStack]) -> None:
    """Every part of what is said comes late: the run takes longer, and publishes the same rows."""
    catalog, files = servers
    with slowed(catalog.port, _LATE_S) as catalog_port, slowed(files.port, _LATE_S) as files_port:
        late = environment(
            lake,
            MEDFLOW_CATALOG=lake.environment["MEDFLOW_CATALOG"].replace(f":{catalog.port}/", f":{catalog_port}/"),
            MEDFLOW_S3_ENDPOINT=f"http://127.0.0.1:{files_port}",
        )
        command = [sys.executable, "-m", "medflow", *RUN]
        done = subprocess.run(command, env=late, capture_output=True, text=True, check=False, timeout=_WITHIN_S)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["release"] == 1
    assert settled(lake.site()) == settled(embedded.site())
