"""What the API tells of the pipeline is what the ledger and the tables hold: by page, as far as the role may read, no raw content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from medflow.lakehouse.ledger import Ledger
from tests.api.server import Server, serving
from tests.support.lake import Lake

_DAMAGED = b"this,is,no\nfile,of,any\n"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two releases; of the second batch one file is rejected."""
    lake = Lake(tmp_path_factory.mktemp("pipeline") / "lake")
    lake.generate(300)
    lake.run()
    lake.put("aetna", "aetna_claims_2026-07-31.csv", _DAMAGED)
    (later,) = [path for path in lake.landing.glob("bluecross/*") if path.is_file()][:1]
    lake.put("bluecross", "bluecross_claims_2026-07-31.csv", later.read_bytes() + b"\n")
    lake.run()
    return lake


@pytest.fixture(scope="module")
def served(lake: Lake) -> Iterator[Server]:
    with serving(lake, role="engineer") as server:
        yield server


def test_releases(lake: Lake, served: Server) -> None:
    """Every one with its batch and the rows of its tables, the newest first; by page."""
    ledger = Ledger(lake.site().ledger.engine)
    told = served.client.get("/pipeline/releases").json()
    expected = [(one.release, one.batch_id, one.kind, one.run_date.isoformat()) for one in reversed(ledger.releases())]
    assert [(one["release"], one["batch_id"], one["kind"], one["run_date"]) for one in told["releases"]] == expected
    assert told["total"] == len(expected)
    newest = told["releases"][0]["tables"]
    assert newest == {name: table.records for name, table in lake.release().tables.items()}
    page = served.client.get("/pipeline/releases?limit=1&offset=1").json()
    assert (page["total"], page["releases"]) == (told["total"], told["releases"][1:2])


def test_batches_and_files(lake: Lake, served: Server) -> None:
    """As the ledger has them: states, reasons, counts; the content of no file."""
    files = Ledger(lake.site().ledger.engine).files()
    reply = served.client.get("/pipeline/files")
    told = reply.json()
    assert {(one["source"], one["sha256"], one["state"]) for one in told["files"]} == {(one.payer, one.sha256, one.state) for one in files}
    assert told["states"] == Counter(one.state for one in files)
    (rejected,) = served.client.get("/pipeline/files?state=rejected").json()["files"]
    assert rejected["reason_code"]
    assert rejected["reason"]
    assert "file,of,any" not in reply.text
    batches = served.client.get("/pipeline/batches").json()
    assert batches["total"] == len(batches["batches"])
    assert sum(one["files"] for one in batches["batches"]) == sum(one.batch_id is not None for one in files)
    assert {one["state"] for one in batches["batches"]} == {"published"}


def test_quality_and_quarantine(served: Server) -> None:
    """As SQL over the same tables tells; newest checks first."""
    told = served.client.get("/pipeline/quality?limit=1000").json()
    count = served.answer("/sql", sql="SELECT COUNT(*) AS n FROM healthcare.data_quality_log")["rows"][0][0]
    assert len(told["checks"]) == count > 0
    instants = [one["checked_at"] for one in told["checks"]]
    assert instants == sorted(instants, reverse=True)
    assert {"rate", "threshold", "outcome"} <= set(told["checks"][0])
    assert served.client.get("/pipeline/quality?limit=3").json()["checks"] == told["checks"][:3]
    set_aside = served.client.get("/pipeline/quarantine").json()["counts"]
    total = served.answer("/sql", sql="SELECT COUNT(*) AS n FROM healthcare.claims_quarantined")["rows"][0][0]
    assert sum(one["lines"] for one in set_aside) >= total > 0
    assert {one["status"] for one in set_aside} <= {"open", "replayed", "waived"}
    assert {one["source"] for one in set_aside} <= {"aetna", "bluecross", "unitedhealth"}


@pytest.mark.parametrize("role", ["analyst", "business"])
def test_who_may_not_read_the_tables(role: str, lake: Lake) -> None:
    """403 that names the table; releases, batches and files are told."""
    with serving(lake, role=role) as server:
        for name in ("quality", "quarantine"):
            problem = server.problem(server.client.get(f"/pipeline/{name}"), 403)
            assert f"the role {role} may not read" in problem["detail"]
        for name in ("releases", "batches", "files"):
            assert server.client.get(f"/pipeline/{name}").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "releases?limit=0",
        "releases?limit=51",
        "batches?offset=-1",
        "files?limit=x",
        "files?state=lost",
        "quality?limit=1001",
        "files?role=admin",
    ],
)
def test_parameters_that_are_none(address: str, served: Server) -> None:
    served.problem(served.client.get(f"/pipeline/{address}"), 422)
    served.problem(served.client.get("/pipeline/quarantine?limit=1"), 400)


def test_before_the_first_release(tmp_path: Path) -> None:
    """A problem, and no catalog is made by looking."""
    lake = Lake(tmp_path / "lake")
    lake.home.mkdir()
    with serving(lake) as server:
        for name in ("releases", "files", "quality"):
            server.problem(server.client.get(f"/pipeline/{name}"), 503)
    assert not (lake.home / "lake.db").exists()
