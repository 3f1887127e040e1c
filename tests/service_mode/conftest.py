"""Airflow over a lake of its own, for as long as a module uses it: its four processes are never idle; other servers: tests/services/fixtures.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_mode.lake_of_airflow import Scene
from tests.services.airflow import Airflow, airflow
from tests.services.postgres import Postgres
from tests.support.lake import Lake


@pytest.fixture(scope="module")
def airflow_lake(logs: Path) -> Lake:
    """The lake that Airflow's tasks work on."""
    lake = Lake(logs / "airflow-lake")
    lake.landing.mkdir(parents=True)
    return lake


@pytest.fixture(scope="module")
def airflow_server(logs: Path, postgres_server: Postgres, airflow_lake: Lake) -> Iterator[Airflow]:
    """Airflow over our DAGs, all of them switched on."""
    settings = {name: value for name, value in airflow_lake.environment().items() if name.startswith("MEDFLOW_")}
    with airflow(logs, postgres_server, settings) as server:
        for dag in server.dags():
            server.pause(dag, False)
        yield server


@pytest.fixture(scope="module")
def airflow_scene(logs: Path, airflow_server: Airflow, airflow_lake: Lake) -> Scene:
    """Airflow, its lake and a twin of that lake."""
    twin = Lake(logs / "twin")
    twin.landing.mkdir(parents=True)
    return Scene(airflow_server, airflow_lake, twin, logs)
