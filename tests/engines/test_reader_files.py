"""Reader files: built once, whole or not at all, for one release and one policy; old ones go without hurting who reads them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medflow.errors import UsageError
from rag_backend.engines import reader_files
from rag_backend.engines.base import Cancellation, EngineUnavailable, QueryCancelled, QueryFailed
from rag_backend.engines.duckdb import DuckDBEngine
from rag_backend.engines.reader_files import ReaderFiles
from tests.engines.conftest import Clerk
from tests.engines.shop import CLERK, OWNER, Policy, publish
from tests.support.lake import ROOT


@pytest.fixture
def clerk(home):
    """An engine on releases of this test's own; release 1 is there."""
    engine = DuckDBEngine(publish(home, many=10))
    yield Clerk(engine)
    engine.close()


def built(home: Path) -> list[str]:
    """What lies in the folder of reader files."""
    return sorted(path.relative_to(home / "readers").as_posix() for path in (home / "readers").rglob("*") if path.is_file())


def order_of(home: Path, policy: Policy) -> dict:
    """What a builder is told, for release 1."""
    from medflow.lakehouse.database import connect
    from medflow.lakehouse.releases import read_release, release_stamp

    engine = connect(f"sqlite:///{home / 'lake.db'}")
    order = reader_files._order(read_release(engine, 1), policy)
    made = release_stamp(engine, 1)[1].isoformat()
    engine.dispose()
    return order | {"path": str(home / "readers" / "1" / f"{policy.hash}.duckdb"), "memory": "512MB", "threads": 1, "made": made}


def builder(order: dict) -> subprocess.Popen[bytes]:
    """A builder with its order in hand."""
    started = subprocess.Popen(
        [sys.executable, "-m", "rag_backend.engines.duckdb_reader"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    started.stdin.write(json.dumps(order).encode())
    started.stdin.close()
    started.stdin = None
    return started


def test_the_first_query_builds_and_the_second_does_not(clerk, home):
    clerk.ask("SELECT 1")
    assert built(home) == [f"1/{CLERK.hash}.duckdb", f"1/{CLERK.hash}.json"]
    made = (home / "readers" / "1" / f"{CLERK.hash}.duckdb").stat()
    clerk.ask("SELECT 2")
    assert (home / "readers" / "1" / f"{CLERK.hash}.duckdb").stat() == made


def test_two_processes_build_at_once(home):
    """Both succeed, one file stands, and it is whole."""
    settings = publish(home, many=20_000)
    builders = [builder(order_of(home, CLERK)) for _ in range(3)]
    assert [(one.communicate(timeout=120)[0], one.returncode) for one in builders] == [(b"", 0)] * 3
    assert built(home) == [f"1/{CLERK.hash}.duckdb", f"1/{CLERK.hash}.json"]
    engine = DuckDBEngine(settings)
    assert Clerk(engine).ask("SELECT count(*), count(DISTINCT n) FROM shop_gold.numbers").rows == [(20_000, 20_000)]
    engine.close()


def test_a_file_in_use_may_be_built_again(clerk, home):
    """Another process puts the same file in place while a worker reads it: both are whole."""
    clerk.ask("SELECT 1")
    assert builder(order_of(home, CLERK)).wait(120) == 0
    assert clerk.ask("SELECT count(*) FROM shop_gold.numbers").rows == [(10,)]


def test_threads_share_one_build(clerk, monkeypatch):
    runs = []
    run = reader_files._run_builder
    monkeypatch.setattr(reader_files, "_run_builder", lambda order: runs.append(1) or run(order))
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: clerk.ask("SELECT count(*) FROM shop.orders").rows, range(6)))
    assert (answers, len(runs)) == ([[(6,)]] * 6, 1)


def test_what_a_killed_builder_left_is_cleared(clerk, home):
    """Not what a living one is at."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = home / "readers" / f".building-{gone.pid}-aaaa"
    living = home / "readers" / f".building-{os.getpid()}-bbbb"
    for folder in (left, living):
        folder.mkdir(parents=True)
        (folder / "reader.duckdb").write_bytes(b"half")
    clerk.ask("SELECT 1")
    assert (left.exists(), living.exists()) == (False, True)


def test_an_old_release_still_answers_after_a_new_one(clerk, home):
    assert clerk.ask("SELECT count(*) FROM shop_gold.numbers").rows == [(10,)]
    publish(home, 2, many=20)
    assert clerk.ask("SELECT count(*) FROM shop_gold.numbers", release=2).rows == [(20,)]
    assert clerk.ask("SELECT count(*) FROM shop_gold.numbers").rows == [(10,)]


def test_the_last_three_releases_are_kept(clerk, home):
    """Older files go, and are built again if somebody asks for them; a worker on one that went goes on."""
    for number in range(2, 6):
        publish(home, number, many=10 * number)
    for number in range(1, 6):
        assert clerk.ask("SELECT count(*) FROM shop_gold.numbers", release=number).rows == [(10 * number,)]
    assert {name.split("/")[0] for name in built(home)} == {"3", "4", "5"}
    assert clerk.ask("SELECT count(*) FROM shop_gold.numbers").rows == [(10,)]
    assert {name.split("/")[0] for name in built(home)} == {"1", "3", "4", "5"}
    pids = clerk.engine.processes()
    shutil.rmtree(home / "readers" / "1")
    worker = clerk.engine._pool._warm[-1]
    assert worker.pid in pids and worker.reader.parent.name == "1" and not worker.reader.exists()
    assert worker.alive and clerk.ask("SELECT count(*) FROM shop_gold.numbers").rows == [(10,)]


def test_a_file_that_goes_before_it_is_opened_is_built_again(clerk, monkeypatch):
    """Another process clears it between finding and opening."""
    ensure = ReaderFiles.ensure
    cleared = []

    def and_clear_once(self, release, policy, cancel):
        found = ensure(self, release, policy, cancel)
        if not cleared:
            cleared.append(found.path.unlink())
        return found

    monkeypatch.setattr(ReaderFiles, "ensure", and_clear_once)
    assert clerk.ask("SELECT count(*) FROM shop.orders").rows == [(6,)]
    assert len(cleared) == 1


def test_a_damaged_file_is_told(clerk, home):
    clerk.ask("SELECT 1")
    clerk.engine.close()
    (home / "readers" / "1" / f"{CLERK.hash}.duckdb").write_bytes(b"no database")
    engine = DuckDBEngine(clerk.engine._readers._settings)
    with pytest.raises(EngineUnavailable, match="remove"):
        Clerk(engine).ask("SELECT 1")
    engine.close()


@dataclass(frozen=True)
class Forged:
    """Grants under a hash that is not theirs."""

    tables: dict
    hash: str


def test_two_policies_of_one_hash_are_refused(clerk):
    """A hash that names other grants than the file was built for must never open it."""
    clerk.ask("SELECT entry FROM shop.diary", policy=OWNER)
    with pytest.raises(EngineUnavailable, match="other grants"):
        clerk.ask("SELECT entry FROM shop.diary", policy=Forged(CLERK.tables, OWNER.hash))


@pytest.mark.parametrize("name", ["", "../x", "0" * 65, "ABCDEF0123", "a/b"])
def test_a_hash_is_no_path(clerk, name):
    with pytest.raises(EngineUnavailable, match="hexadecimal"):
        clerk.ask("SELECT 1", policy=Forged(CLERK.tables, name))


def test_nothing_granted_is_nothing_to_read(clerk):
    empty = Policy({})
    assert clerk.ask("SELECT 1", policy=empty).rows == [(1,)]
    with pytest.raises(QueryFailed):
        clerk.ask("SELECT * FROM shop.orders", policy=empty)


def test_grants_on_what_a_release_does_not_have_yet_are_left_out(clerk):
    """Asking for it then fails by name; the rest answers."""
    later = Policy({"shop.later": ("x",), "shop.orders": ("id", "later"), "shop.empty": ("nothing",)})
    assert clerk.ask("SELECT * FROM shop.orders WHERE id = 1", policy=later).rows == [(1,)]
    assert clerk.ask("SELECT * FROM shop.empty", policy=later).rows == []
    for sql in ("SELECT later FROM shop.orders", "SELECT x FROM shop.later"):
        with pytest.raises(QueryFailed):
            clerk.ask(sql, policy=later)


def changed(home: Path, change) -> None:
    """Alter the manifest of release 1."""
    path = home / "release-1.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content["tables"])
    path.write_text(json.dumps(content), encoding="utf-8")


def test_a_column_that_older_files_lack_is_null_there(clerk, home):
    changed(home, lambda tables: tables["shop_gold.numbers"]["columns"].append({"id": 9, "name": "added", "type": "decimal(5,2)"}))
    table = clerk.ask("SELECT DISTINCT added FROM shop_gold.numbers", policy=Policy({"shop_gold.numbers": ("n", "added")}))
    assert (table.rows, table.columns[0].type) == ([(None,)], "decimal(5,2)")


def test_a_lost_row_is_no_reader_file(clerk, home):
    """Fewer rows than the release says: nothing is put in place."""
    changed(home, lambda tables: tables["shop_gold.numbers"]["data_files"].pop())
    changed(home, lambda tables: tables["shop_gold.numbers"]["data_files"][0].update(records=10))
    with pytest.raises(EngineUnavailable, match="medflow verify"):
        clerk.ask("SELECT 1")
    assert built(home) == []


def test_a_lost_data_file_is_told(clerk, home):
    next((home / "data").glob("*.parquet")).unlink()
    with pytest.raises(EngineUnavailable, match="MEDFLOW_WAREHOUSE") as told:
        clerk.ask("SELECT 1", policy=OWNER)
    assert "c4n4ry" not in str(told.value)
    assert built(home) == []


def test_another_lake_has_files_of_its_own(home):
    """A catalog that was made anew, or another one with the same HOME: its release 1 is never read from the first one's file."""
    first = DuckDBEngine(publish(home, many=10))
    assert Clerk(first).ask("SELECT count(*) FROM shop_gold.numbers").rows == [(10,)]
    first.close()
    (home / "lake.db").unlink()
    second = DuckDBEngine(publish(home, many=20, made=datetime(2026, 7, 2, tzinfo=UTC)))
    assert Clerk(second).ask("SELECT count(*) FROM shop_gold.numbers").rows == [(20,)]
    second.close()


def test_there_is_no_such_release(clerk):
    with pytest.raises(UsageError, match="release 77"):
        clerk.ask("SELECT 1", release=77)


def test_who_waits_for_a_build_can_cancel(clerk, monkeypatch):
    """The build goes on for the next."""
    cancel = Cancellation()
    run = reader_files._run_builder
    monkeypatch.setattr(reader_files, "_run_builder", lambda order: cancel.cancel() or run(order))
    with pytest.raises(QueryCancelled):
        clerk.ask("SELECT 1", cancel=cancel)
    assert clerk.ask("SELECT count(*) FROM shop.orders").rows == [(6,)]
