"""The pipeline with catalog and ledger in Postgres, warehouse and landing files on S3: the same lake as the embedded one."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from medflow.cli import medflow
from medflow.errors import LockedError, UsageError
from medflow.lakehouse.catalog import POINTERS, Lake
from medflow.settings import load_settings
from spark_jobs.maintain import maintain
from spark_jobs.pipeline import Order, Site, run_pipeline
from spark_jobs.queue_view import read_line, read_queue
from spark_jobs.restore import restore
from spark_jobs.reverify import verify_release
from tests.service_mode.lakes import ServiceLake, contents, generate
from tests.services.localstack import LANDING, SECRET_KEY, WAREHOUSE, LocalStack
from tests.services.postgres import PASSWORD, Postgres
from tests.support.lake import KEY, RUN_DATE, order
from tests.support.lake import Lake as EmbeddedLake


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("sample") / "files")


@pytest.fixture(scope="module")
def lake(postgres_server: Postgres, s3: LocalStack, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceLake]:
    """The sample as release 1; tests that change it leave its rows as they were."""
    found = ServiceLake(
        {
            "MEDFLOW_HOME": str(tmp_path_factory.mktemp("service") / "home"),
            "MEDFLOW_CATALOG": postgres_server.make_database("test_lake"),
            "MEDFLOW_WAREHOUSE": f"s3://{WAREHOUSE}/test-lake/warehouse",
            "MEDFLOW_LANDING": f"s3://{LANDING}/test-lake",
            **s3.settings,
        }
    )
    found.land(sample)
    found.run()
    yield found


def test_every_row_is_that_of_the_embedded_lake(lake: ServiceLake, sample: Path, tmp_path: Path) -> None:
    """The same files, key and date make the same tables, row for row."""
    embedded = EmbeddedLake(tmp_path / "embedded")
    shutil.copytree(sample, embedded.landing)
    embedded.run()
    wanted, found = contents(embedded.site(), embedded.release()), contents(lake.site(), lake.release(1))
    assert found.keys() == wanted.keys() and sum(map(len, found.values())) > 1000
    assert {name: (found[name] - wanted[name], wanted[name] - found[name]) for name in wanted if found[name] != wanted[name]} == {}


def test_landing_again_and_running_again_change_nothing(lake: ServiceLake, sample: Path) -> None:
    """Files are known by content, in a bucket as in a folder."""
    assert not any(file.copied for file in lake.land(sample))
    assert lake.run().release is None
    assert [entry.release for entry in lake.site().ledger.releases()] == [1]


def test_a_copied_file_leaves_nothing_beside_it(lake: ServiceLake) -> None:
    """Objects are written under a hidden name first, which does not stay."""
    assert {name.rpartition("/")[2][:1] for name in (lake.site().landing.contents() or pytest.fail()).files} <= set(
        "abcdefghijklmnopqrstuvwxyz"
    )


def test_verification_agrees(lake: ServiceLake) -> None:
    """Every table is counted again from its objects."""
    number, findings = verify_release(lake.site(), lambda _: None)
    assert number == 1 and len(findings) > 30
    assert [finding for finding in findings if finding.failed] == []


def test_quarantined_lines_show_the_text_of_their_record(lake: ServiceLake, sample: Path) -> None:
    """It is cut out of the object that the payer sent."""
    view = read_queue(lake.site(), limit=50)
    shown = [read_line(lake.site(), row["row_id"], None) for row in view.rows[:3]]
    texts = [(sample / row["file_name"]).read_text(encoding="utf-8-sig").replace("\r\n", "\n") for row in view.rows[:3]]
    assert view.total and all(one["raw_line"].replace("\r\n", "\n") in text for one, text in zip(shown, texts, strict=True))


def test_a_question_is_answered_from_s3(lake: ServiceLake) -> None:
    """The reader file is built of objects, for the role alone."""
    from rag_backend.assistant import opened

    with opened(lake.settings, "analyst") as assistant:
        answer = assistant.ask("Which payer has the highest denial rate?", RUN_DATE)
    assert answer["status"] == "answered" and answer["rows"]


def test_a_damaged_file_is_rejected_whole(lake: ServiceLake, sample: Path) -> None:
    """The rest of the lake stays as it is; the reason names what is wrong."""
    path = next((sample / "bluecross").iterdir())
    lake.put("bluecross/cut.csv", path.read_bytes()[:-20])
    outcome = lake.run()
    assert [(file.name, file.state) for file in outcome.files] == [("bluecross/cut.csv", "rejected")]
    assert outcome.all_rejected and lake.site().ledger.current_release().release == 1


def test_going_back_is_a_new_release_with_the_old_rows(lake: ServiceLake) -> None:
    """A second file makes release 2; a restore of 1 is release 3 with the rows of 1, and maintenance sweeps what nobody names."""
    before = contents(lake.site(), lake.release(1))
    lake.put("bluecross/more.csv", _one_more(lake))
    second = lake.run().release
    site = lake.site()
    with site.lock(order()) as lock:
        lock.acquire("restore")
        third = restore(site.lake(), site.ledger, lock, 1, run_date=RUN_DATE, created_at=datetime.now(UTC))
    assert contents(site, lake.release(second)) != before
    assert contents(site, lake.release(third)) == before


def test_maintenance_deletes_orphans_from_the_bucket(lake: ServiceLake) -> None:
    """Objects that nothing names go once they are a day old, and no others."""
    files, path = lake.storage.filesystem(f"{lake.settings.warehouse}/healthcare/claims_clean/data/left/over.parquet")
    with files.open_output_stream(path) as stream:
        stream.write(b"nobody names this")
    later = Order(RUN_DATE, lambda: datetime.now(UTC) + timedelta(days=2))
    swept = {table.table: table.swept for table in maintain(lake.site(), later).tables}
    assert swept["healthcare.claims_clean"].files >= 1
    assert files.get_file_info(path.rpartition("/")[0]).type.name == "NotFound"
    assert [finding for finding in verify_release(lake.site(), lambda _: None)[1] if finding.failed] == []


def test_of_two_runs_at_once_one_is_told(lake: ServiceLake, tmp_path: Path) -> None:
    """The lock is the lake's: a run with a home of its own, as on another machine, finds it taken."""
    other = lake.settings.model_copy(update={"home": tmp_path / "elsewhere"})
    site = lake.site()
    with site.lock(order()) as lock:
        lock.acquire("first")
        with pytest.raises(LockedError, match="batch first"):
            run_pipeline(Site.open(other), order())
    assert run_pipeline(Site.open(other), order()).release is None


def test_the_ledger_is_made_by_one_of_many(postgres_server: Postgres, tmp_path: Path) -> None:
    """Processes that come to an empty database at once all find it made."""
    url, errors = postgres_server.make_database("test_made_at_once"), []

    def open_it(number: int) -> None:
        try:
            Lake.open(settings).catalog.list_namespaces()
            Site.open(settings)
        except Exception as error:
            errors.append((number, error))

    settings = load_settings(home=tmp_path, catalog=url, pseudonym_key=KEY)
    threads = [threading.Thread(target=open_it, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_no_key_no_start(lake: ServiceLake) -> None:
    """Where others may build the same lake, the key of members is theirs, too."""
    with pytest.raises(UsageError, match="set MEDFLOW_PSEUDONYM_KEY"):
        Site.open(lake.settings.model_copy(update={"pseudonym_key": ""}))


def test_secrets_stand_nowhere(lake: ServiceLake) -> None:
    """Neither keys nor passwords are in an object, the catalog's rows, a repr, or what a command prints."""
    site = lake.site()
    table = site.lake().table("healthcare.claims_clean")
    with site.database.connect() as connection:
        rows = str(connection.execute(POINTERS.select()).all())
    shown = [repr(one) for one in (site.storage, site.lake().storage, table.io.properties, table, site.landing, site.database)] + [rows]
    for secret in (SECRET_KEY, PASSWORD, KEY):
        assert not any(secret in text for text in shown)
        assert list(_objects_with(lake, secret.encode())) == []


def _objects_with(lake: ServiceLake, secret: bytes) -> Iterator[str]:
    from medflow.lakehouse.folders import folder

    place = folder(lake.settings.warehouse, lake.storage)
    for name in (place.contents() or pytest.fail()).files:
        if not name.endswith(".parquet"):
            with place.open(name) as stream:
                if secret in stream.read():
                    yield name


def _one_more(lake: ServiceLake) -> bytes:
    """The first file's header and a record of it under another claim id."""
    landing = lake.site().landing
    name = next(name for name in sorted((landing.contents() or pytest.fail()).files) if name.startswith("bluecross/bluecross"))
    with landing.folder.open(name) as stream:
        lines = stream.read().decode().splitlines()
    fields = lines[1].split(",")
    return "\n".join([lines[0], ",".join(["ANOTHERCLAIM", *fields[1:]]), ""]).encode()


def test_status_tells_tables_of_the_service(lake: ServiceLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands find the lake by their environment."""
    for name, value in {**lake.environment, "MEDFLOW_PSEUDONYM_KEY": KEY}.items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(medflow, ["status", "--json"], obj={})
    assert told.exit_code == 0, told.output
    assert "healthcare.claims_clean" in told.output and SECRET_KEY not in told.output
