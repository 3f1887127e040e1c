"""A lake whose objects are lost while Postgres still points at them: refused everywhere, and built anew by one command."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from medflow.errors import CatalogError, LandingError, UsageError
from rag_backend.assistant import opened
from spark_jobs.recovery import recover
from spark_jobs.reverify import verify_release
from spark_jobs.rework import Selection, waive
from tests.service_mode.lakes import ServiceLake, contents, generate
from tests.services.localstack import LANDING, WAREHOUSE, LocalStack, localstack
from tests.services.postgres import Postgres
from tests.support.lake import RUN_DATE, order

_TOLD = "medflow run --recover"


@pytest.fixture(scope="module")
def own_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One that may be restarted: others keep their objects elsewhere."""
    with localstack(tmp_path_factory.mktemp("lost-servers")) as server:
        yield server


@pytest.fixture(scope="module")
def lake(postgres_server: Postgres, own_s3: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> ServiceLake:
    return ServiceLake(
        {
            "MEDFLOW_HOME": str(tmp_path_factory.mktemp("lost") / "home"),
            "MEDFLOW_CATALOG": postgres_server.make_database("test_lost"),
            "MEDFLOW_WAREHOUSE": f"s3://{WAREHOUSE}/lost/warehouse",
            "MEDFLOW_LANDING": f"s3://{LANDING}/lost",
            **own_s3.settings,
        }
    )


def test_a_lake_that_the_service_forgot_is_refused_and_built_anew(lake: ServiceLake, own_s3: LocalStack, tmp_path: Path) -> None:
    """Two loads and a waiver, then the restart: every command says the one that rebuilds, and after it the same rows stand."""
    first, second = generate(tmp_path / "first"), tmp_path / "second"
    last = first / "unitedhealth"
    shutil.move(last, second / "unitedhealth")
    for folder in (first, second):
        lake.land(folder)
        lake.run()
    waived = waive(lake.site(), order(), Selection(payer="aetna")).release
    before = _rows(lake)
    with pytest.raises(UsageError, match="release 3 is whole"):
        recover(lake.site(), order())

    own_s3.server.restart()
    own_s3.make_buckets()
    _refused(lake)
    with pytest.raises(LandingError, match="there is no landing folder"):
        recover(lake.site(), order())
    lake.land(first)
    with pytest.raises(LandingError, match=r"1 of 4 published files are not in the landing folder .*unitedhealth"):
        recover(lake.site(), order())
    _refused(lake)
    lake.land(second)
    outcome = recover(lake.site(), order())

    assert outcome.release == waived + 1 and {file.state for file in outcome.files} == {"published"}
    assert _rows(lake) == before
    assert [finding for finding in verify_release(lake.site(), lambda _: None)[1] if finding.failed] == []
    ledger = lake.site().ledger
    assert [entry.kind for entry in ledger.releases()] == ["load", "load", "waive", "recovery"]
    assert set(ledger.expired()) == {1, 2, 3}
    with pytest.raises(UsageError, match="release 2 is no longer kept"):
        lake.release(2)
    assert lake.run().release is None


def _rows(lake: ServiceLake) -> dict[str, Counter[str]]:
    """Of every table but the log of past batches' checks, which is lost."""
    found = contents(lake.site(), lake.release())
    return {name: rows for name, rows in found.items() if name != "healthcare.data_quality_log"}


def _refused(lake: ServiceLake) -> None:
    """By every way in; none of them serves what is left."""
    for ask in (
        lambda: lake.run(),
        lambda: lake.site().due(),
        lambda: verify_release(lake.site(), lambda _: None),
        lambda: _asked(lake),
    ):
        with pytest.raises(CatalogError, match=_TOLD):
            ask()


def _asked(lake: ServiceLake) -> None:
    with opened(lake.settings, "analyst") as assistant:
        assistant.ask("Which payer has the highest denial rate?", RUN_DATE)
