"""Retention and orphan files: what is kept stays whole, what is not kept goes, and doubt deletes nothing."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyiceberg.table.update.snapshot import ManageSnapshots
from sqlalchemy import update

from medflow.errors import CatalogError, FencedError, UsageError
from medflow.lakehouse.database import connect, writing
from medflow.lakehouse.ledger import new_batch
from medflow.lakehouse.ledger_entries import ReleaseEntry
from medflow.lakehouse.ledger_tables import EXPIRED, LOCK
from medflow.lakehouse.locations import openable
from medflow.lakehouse.releases import read_release
from medflow.lakehouse.staging import Draft, land, stage
from spark_jobs import retention
from spark_jobs.orphans import GRACE, Swept, sweep
from spark_jobs.retention import Retired, past_releases, retire
from spark_jobs.writer import BranchWriter
from tests.lakehouse.small_lake import BY_MONTH, BY_PAYER, DAY, NOW, PLAIN, SPECS, markers, row
from tests.lakehouse.test_readers import publish_marker

LATER = datetime.now(UTC) + timedelta(days=2)
MUCH_LATER = DAY + timedelta(days=400)


def day(number):
    return DAY + timedelta(days=number - 1)


def load(small, number):
    """Release `number` of its own day: one table grows, one is replaced whole, of one the current month is."""
    writer = small.begin(f"b{number}", number)
    small.ledger.start_batch(new_batch(f"b{number}", "load", day(number), "declared"))
    writer.append(BY_PAYER.name, [small.write(writer, BY_PAYER.name, [row(number)])])
    writer.replace(PLAIN.name, [small.write(writer, PLAIN.name, [row(number)])], None)
    writer.replace(BY_MONTH.name, [small.write(writer, BY_MONTH.name, [row(number, day=day(number))])], [(day(number),)])
    return small.publish(replace(small.publication(writer, f"b{number}", number), run_date=day(number)))


def loads(small, count):
    for number in range(1, count + 1):
        assert load(small, number) == number


def retired(small, on=MUCH_LATER):
    return retire(small.lake, small.ledger, small.lock, on)


def swept(small, now=LATER):
    return sweep(small.lake, small.ledger, small.lock, now)


def files(small):
    return {str(path) for path in (small.home / "warehouse").rglob("*") if path.is_file()}


def size(small):
    return sum(Path(path).stat().st_size for path in files(small))


def contents(small, numbers):
    """Every release as DuckDB reads it from its manifest's files, and as PyIceberg reads it by its tag."""
    found = {}
    for number in numbers:
        release = small.release(number)
        tables = {name: small.lake.table(name) for name in release.tables}
        found[number] = {
            name: (
                markers(table.files),
                sorted(
                    tables[name].scan(snapshot_id=tables[name].refs()[f"release_{number}"].snapshot_id).to_arrow()["marker"].to_pylist()
                ),
            )
            for name, table in release.tables.items()
        }
    return found


def entry(number, run_date):
    return ReleaseEntry(number, None, f"b{number}", "load", run_date, NOW, "", "declared")


# --- which releases ---


@pytest.mark.parametrize(
    ("on", "expired"),
    [(35, [1, 2, 3, 4]), (31, []), (32, [1]), (400, [1, 2, 3, 4, 5]), (1, []), (-400, [])],
    ids=["30 days back is kept", "all within 30 days", "31 days back is not", "newest 30", "future run dates", "long before"],
)
def test_a_release_is_kept_by_its_number_or_by_its_day(on, expired):
    """35 releases, one a day: the newest 30 stay whatever the day, older ones while their run date is at most 30 days back."""
    releases = [entry(number, day(number)) for number in range(1, 36)]
    assert [one.release for one in past_releases(releases, day(on))] == expired


def test_few_releases_are_all_kept():
    """However old."""
    assert past_releases([entry(number, day(number)) for number in range(1, 31)], day(4000)) == []


# --- 35 releases ---


def test_kept_releases_stay_whole_and_expired_ones_go(small):
    """Five of 35 expire: their tags, snapshots, manifests and files go, the rows of the others are what they were."""
    loads(small, 35)
    kept = range(6, 36)
    before, size_before, manifests = contents(small, kept), size(small), {n: small.release(n) for n in range(1, 36)}
    found = retired(small)
    assert found.releases == (1, 2, 3, 4, 5) and found.branches == ()
    told = swept(small)
    assert contents(small, kept) == before
    assert size(small) < size_before
    assert sum(one.bytes for one in told.values()) > 0 and all(one.waiting_files == 0 for one in told.values())
    still = {path for number in kept for table in manifests[number].tables.values() for path in (*table.files, openable(table.metadata))}
    gone = {
        path for number in range(1, 6) for table in manifests[number].tables.values() for path in (*table.files, openable(table.metadata))
    }
    assert still <= files(small) and not (gone - still) & files(small) and gone - still
    for spec in SPECS:
        table = small.lake.table(spec.name)
        assert sorted(table.refs()) == sorted(["empty", "main", *(f"release_{n}" for n in kept)])
        assert {ref.snapshot_id for ref in table.refs().values()} == {one.snapshot_id for one in table.metadata.snapshots}
    assert sorted(path.name.split("-")[0] for path in (small.home / "warehouse/_releases").iterdir()) == sorted(map(str, kept))


def test_an_expired_release_says_so(small, monkeypatch):
    """Reading and restoring it: no longer kept, since when, and where to see which are; its row and files stay in the ledger."""
    monkeypatch.setattr(retention, "KEPT_RELEASES", 2)
    loads(small, 4)
    retired(small)
    swept(small)
    for act in (small.release, small.restore):
        with pytest.raises(UsageError, match=rf"release 2 is no longer kept: .* on {MUCH_LATER}.*`medflow releases list`"):
            act(2)
    assert small.ledger.expired() == {1: MUCH_LATER, 2: MUCH_LATER}
    assert [one.release for one in small.ledger.lineage()] == [4, 3, 2, 1]
    assert len(small.ledger.contents(4)) == 4


def test_a_release_that_expires_while_it_is_read_says_so(small, monkeypatch):
    """Its row was read before, its manifest after."""
    monkeypatch.setattr(retention, "KEPT_RELEASES", 2)
    loads(small, 3)
    from medflow.lakehouse import releases

    read = releases.read_text

    def expiring(address):
        monkeypatch.setattr(releases, "read_text", read)
        retired(small)
        swept(small)
        return read(address)

    monkeypatch.setattr(releases, "read_text", expiring)
    with pytest.raises(UsageError, match="release 1 is no longer kept"):
        small.release(1)


def test_a_catalog_from_before_retention_is_read_as_it_is(small):
    """Without the table of expired releases nothing is expired, and the ledger makes it."""
    load(small, 1)
    with writing(small.lake.engine) as connection:
        EXPIRED.drop(connection)
    other = connect(f"sqlite:///{small.home / 'lake.db'}", create=False)
    assert read_release(other, 1).number == 1
    other.dispose()
    assert type(small.ledger)(small.lake.engine).expired() == {}


def test_nothing_more_to_do(small, monkeypatch):
    """The second time no pointer moves and no file goes, also on an earlier date; nor on a lake without releases."""
    assert retired(small) == Retired() and swept(small) == {"_releases": Swept()}
    monkeypatch.setattr(retention, "KEPT_RELEASES", 3)
    loads(small, 6)
    retired(small)
    monkeypatch.setattr(retention, "KEPT_RELEASES", 2)
    assert retired(small).releases == (4,)  # on metadata that no release names
    swept(small)
    pointers, stored = small.lake.pointers(), files(small)
    for on in (MUCH_LATER, DAY, MUCH_LATER + timedelta(days=1)):
        assert retired(small, on) == Retired()
        assert all(one == Swept() for one in swept(small).values())
    assert (small.lake.pointers(), files(small)) == (pointers, stored)


def test_life_goes_on(small, monkeypatch):
    """Loads, restores of kept releases, older and newer, and maintenance in turns: rows are what they should be."""
    monkeypatch.setattr(retention, "KEPT_RELEASES", 4)
    loads(small, 6)
    retired(small)
    swept(small)
    assert small.restore(3) == 7
    assert contents(small, [7])[7][BY_PAYER.name] == ([1, 2, 3], [1, 2, 3])
    assert load(small, 8) == 8
    assert retired(small).releases == (3, 4)
    swept(small)
    assert contents(small, [8])[8][BY_PAYER.name] == ([1, 2, 3, 8], [1, 2, 3, 8])
    assert contents(small, [7])[7] == {
        name: (found, found) for name, found in zip((PLAIN.name, BY_PAYER.name, BY_MONTH.name), ([3], [1, 2, 3], [3]), strict=True)
    }
    assert small.restore(6) == 9
    assert contents(small, [9])[9][BY_PAYER.name] == ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6])


def test_a_restore_keeps_what_its_model_loses(small, monkeypatch):
    """The restored release holds the snapshots by its own tag when the release that it brought back expires."""
    monkeypatch.setattr(retention, "KEPT_RELEASES", 2)
    loads(small, 3)
    small.restore(1)
    assert retired(small).releases == (1, 2)
    swept(small)
    assert contents(small, [4])[4] == {name: ([1], [1]) for name in (PLAIN.name, BY_PAYER.name, BY_MONTH.name)}


# --- branches ---


def on_branch(small, batch_id, state, run_date):
    """A batch that wrote a row to its branch and was not published."""
    writer = small.begin(batch_id)
    small.ledger.start_batch(new_batch(batch_id, "load", run_date, "declared"))
    writer.append(PLAIN.name, [small.write(writer, PLAIN.name, [row(99)])])
    if state != "running":
        small.ledger.end_batch(batch_id, state, {})
    return writer


@pytest.mark.parametrize(("state", "days"), [("refused", 30), ("running", 7), ("failed", 7)])
def test_a_branch_stays_its_days(small, state, days):
    """That of a refused batch 30 days after its run date, of one that was broken off 7; then it goes with its files."""
    load(small, 1)
    writer = on_branch(small, "x", state, DAY)
    assert retired(small, DAY + timedelta(days=days)).branches == ()
    swept(small)
    small.lake.forget()
    assert markers([file.path for file in writer.files(PLAIN.name, "branch")]) == [1, 99]
    only_there = {file.path for file in writer.files(PLAIN.name, "branch")} - set(small.release().tables[PLAIN.name].files)
    found = retired(small, DAY + timedelta(days=days + 1))
    assert found.branches == ("audit_x",) and found.releases == ()
    swept(small)
    assert only_there and not only_there & files(small)
    assert contents(small, [1])[1][PLAIN.name] == ([1], [1])


def test_a_batch_that_is_under_way_may_go_back_to_any_snapshot_of_its_own(small):
    """Its branch is reset to where a job of it ended; when the branch goes, they go."""
    load(small, 1)
    writer = on_branch(small, "x", "running", DAY)
    first = writer.head(PLAIN.name, "branch")
    for number in (100, 101):
        writer.append(PLAIN.name, [small.write(writer, PLAIN.name, [row(number)])])
    assert retired(small, DAY + timedelta(days=7)) == Retired()
    swept(small)
    again = BranchWriter(small.lake, "x", small.lock.check)
    again.reset([PLAIN.name], {PLAIN.name: first})
    assert markers([file.path for file in again.files(PLAIN.name, "branch")]) == [1, 99]
    assert retired(small, DAY + timedelta(days=8)).snapshots == {PLAIN.name: 3}


def test_what_the_ledger_does_not_know_is_not_touched(small):
    """Branches and tags of somebody else, and the snapshots that they hold."""
    load(small, 1)
    first = small.lake.table(PLAIN.name).refs()["main"].snapshot_id
    load(small, 2)
    draft = Draft(small.lake.table(PLAIN.name))
    ManageSnapshots(draft).create_tag(first, "mine").create_branch(first, "audit_mine").remove_tag("release_1").commit()
    land(small.lake, [stage(small.lake, draft)])
    retired(small)
    swept(small)
    assert {"mine", "audit_mine"} <= set(small.lake.table(PLAIN.name).refs())
    assert small.by_iceberg(PLAIN.name, first) == [1]


def test_a_kept_release_holds_its_snapshots_without_a_tag(small):
    """Another program has removed the tag; the release is in the ledger, and that is what counts."""
    loads(small, 2)
    small.lake.table(PLAIN.name).manage_snapshots().remove_tag("release_1").commit()
    retired(small)
    swept(small)
    assert small.by_iceberg(PLAIN.name, small.release(1).tables[PLAIN.name].snapshot) == [1]


# --- the swap ---


def test_all_or_nothing(small, monkeypatch):
    """Another writer moves one table between staging and swap: no table has changed and no release is expired."""
    monkeypatch.setattr(retention, "KEPT_RELEASES", 1)
    loads(small, 3)
    landing = retention.land

    def late(lake, staged, record):
        table = lake.table(BY_PAYER.name)
        ManageSnapshots(draft := Draft(table)).create_tag(table.refs()["main"].snapshot_id, "theirs").commit()
        landing(lake, [stage(lake, draft)])
        return landing(lake, staged, record)

    monkeypatch.setattr(retention, "land", late)
    with pytest.raises(CatalogError, match="changed by another writer"):
        retired(small)
    small.lake.forget()
    assert small.ledger.expired() == {}
    assert all("release_1" in small.lake.table(spec.name).refs() for spec in SPECS)
    assert contents(small, [1, 2, 3])


def test_a_maintenance_that_was_taken_over_changes_nothing(small, monkeypatch):
    """Before it begins, in the swap, and between deletions."""
    monkeypatch.setattr(retention, "KEPT_RELEASES", 1)
    loads(small, 3)

    def take_over():
        with writing(small.lake.engine) as connection:
            connection.execute(update(LOCK).values(token=LOCK.c.token + 1))

    pointers, landing = small.lake.pointers(), retention.land

    def late(*arguments):
        take_over()
        return landing(*arguments)

    monkeypatch.setattr(retention, "land", late)
    for _ in range(2):
        with pytest.raises(FencedError):
            retired(small)
    assert small.lake.pointers() == pointers and small.ledger.expired() == {}
    stored = files(small)
    with pytest.raises(FencedError):
        swept(small)
    assert files(small) == stored


def test_a_kept_manifest_that_is_lost_stops_it(small):
    """Nothing is expired where it cannot be told what is kept."""
    loads(small, 31)
    Path(openable(small.ledger.releases()[10].manifest)).unlink()
    with pytest.raises(CatalogError, match=r"11-\d+\.json of the release is gone"):
        retired(small)
    assert small.ledger.expired() == {}


def test_the_metadata_log_is_cut_to_what_kept_releases_name(small, monkeypatch):
    """And to the file before the current one, which a reader may be about to open; the others are orphans."""
    monkeypatch.setattr(retention, "KEPT_RELEASES", 2)
    loads(small, 6)
    former = small.lake.pointers()
    retired(small)
    swept(small)
    for spec in SPECS:
        table = small.lake.table(spec.name)
        named = {small.release(number).tables[spec.name].metadata for number in (5, 6)} | {former[spec.name]}
        assert {one.metadata_file for one in table.metadata.metadata_log} == named
        stored = {f"file://{path}" for path in files(small) if path.endswith(".metadata.json") and f"/{spec.short_name}/" in path}
        assert stored == named | {table.metadata_location}


# --- orphans ---


def orphan(small, place, age):
    """A file that nothing refers to, written so long ago."""
    path = small.home / "warehouse" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left behind")
    when = (datetime.now(UTC) - age).timestamp()
    os.utime(path, (when, when))
    return path


_PLACES = (
    "toy/plain/data/x/p0=1/a.parquet",
    "toy/by_payer/metadata/a.avro",
    "_releases/7-3.json",
    "toy/plain/metadata/00009-a.metadata.json",
)


@pytest.mark.parametrize("place", _PLACES)
def test_an_orphan_goes_after_a_day_and_not_before(small, place):
    """By its own time against the given clock; until then it is told as waiting."""
    load(small, 1)
    path = orphan(small, place, timedelta())
    name = "_releases" if place.startswith("_") else ".".join(place.split("/")[:2])
    before = files(small)
    told = swept(small, datetime.now(UTC) + GRACE - timedelta(minutes=1))
    assert (told[name].files, told[name].waiting_files, told[name].waiting_bytes) == (0, 1, 11) and files(small) == before
    told = swept(small, datetime.now(UTC) + GRACE + timedelta(minutes=1))
    assert (told[name].files, told[name].bytes, told[name].waiting_files) == (1, 11, 0)
    assert files(small) == before - {str(path)}


def test_emptied_folders_go_and_others_stay(small):
    """Below a table's data only."""
    load(small, 1)
    orphan(small, "toy/plain/data/x/p0=1/a.parquet", timedelta(days=3))
    (small.home / "warehouse/toy/plain/metadata/mine").mkdir()
    swept(small)
    data = small.home / "warehouse/toy/plain/data"
    assert data.is_dir() and not (data / "x").exists() and (small.home / "warehouse/toy/plain/metadata/mine").is_dir()
    assert contents(small, [1])


def test_nothing_outside_of_the_tables_folders_is_touched(small):
    """Files beside them, of tables that the catalog does not know, and of another folder of the same name's beginning."""
    load(small, 1)
    places = ("loose.parquet", "toy/loose.parquet", "toy/plain2/data/a.parquet", "other/t/data/a.parquet", "_releases2/1.json")
    left = [orphan(small, place, timedelta(days=9)) for place in places]
    assert all(one.files == 0 for one in swept(small).values())
    assert all(path.exists() for path in left)


def test_links_are_not_followed(small, tmp_path):
    """Neither to folders nor to files, nor is a link itself deleted."""
    load(small, 1)
    outside = tmp_path / "outside"
    outside.mkdir()
    precious = outside / "precious.parquet"
    precious.write_bytes(b"mine")
    os.utime(precious, (0, 0))
    data = small.home / "warehouse/toy/plain/data"
    (data / "folder").symlink_to(outside, target_is_directory=True)
    (data / "file.parquet").symlink_to(precious)
    swept(small)
    assert precious.exists() and (data / "folder").is_symlink() and (data / "file.parquet").is_symlink()


@pytest.mark.parametrize("place", ["toy", "toy/plain", "toy/plain/data", "_releases"])
def test_a_folder_behind_a_link_stops_it(small, tmp_path, place):
    """What is referred to is not where the listing looks, so nothing is deleted anywhere."""
    load(small, 1)
    left = orphan(small, "toy/by_payer/data/a.parquet", timedelta(days=9))
    folder = small.home / "warehouse" / place
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved", target_is_directory=True)
    with pytest.raises(CatalogError, match=r"behind a link.*No file was deleted"):
        swept(small)
    assert left.exists()


def manifest_of(small):
    table = small.lake.table(PLAIN.name)
    return Path(openable(table.current_snapshot().manifests(small.lake.io)[0].manifest_path))


def harmed(small, what):
    """The path of one file that a release needs."""
    release = small.release()
    return {
        "manifest list": lambda: Path(openable(small.lake.table(PLAIN.name).current_snapshot().manifest_list)),
        "manifest": lambda: manifest_of(small),
        "metadata": lambda: Path(openable(small.lake.pointers()[PLAIN.name])),
        "metadata of a kept release": lambda: Path(openable(small.release(1).tables[PLAIN.name].metadata)),
        "data file": lambda: Path(release.tables[PLAIN.name].files[0]),
        "release": lambda: next((small.home / "warehouse/_releases").glob("1-*")),
    }[what]()


_READ = ("manifest list", "manifest", "metadata", "release")  # the others only have to be there
_HARMS = [
    *((what, harm) for what in _READ for harm in ("gone", "garbage", "cut off")),
    ("manifest", "emptied"),
    ("metadata of a kept release", "gone"),
    ("data file", "gone"),
]


def header(path):
    """An Avro file with its header and no block of rows, which reads as a sound file without rows."""
    content = path.read_bytes()
    return content[: content.index(content[-16:]) + 16]


@pytest.mark.parametrize(("what", "harm"), _HARMS)
def test_doubt_deletes_nothing(small, what, harm):
    """A file that is referred to is gone, cut off or no such file: told by name, and every orphan stays."""
    loads(small, 2)
    left = [orphan(small, place, timedelta(days=9)) for place in _PLACES]
    path = harmed(small, what)
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes({"garbage": b"no such thing", "cut off": path.read_bytes()[:-20], "emptied": header(path)}[harm])
    stored = files(small)
    with pytest.raises(CatalogError, match=r"No file was deleted") as told:
        swept(small)
    assert path.name in str(told.value)
    assert files(small) == stored and all(one.exists() for one in left)


def test_a_table_that_lies_elsewhere_stops_it(small):
    """Its location is not its folder of the warehouse."""
    load(small, 1)
    path = Path(openable(small.lake.pointers()[PLAIN.name]))
    text = json.loads(path.read_text())
    path.write_text(json.dumps({**text, "location": text["location"] + "2"}))
    with pytest.raises(CatalogError, match=r"toy\.plain lies at .*plain2, not in its folder.*No file was deleted"):
        swept(small)


def test_a_snapshot_of_a_kept_release_that_is_lost_stops_it(small):
    """Another program has expired it."""
    loads(small, 2)
    snapshot = small.release(1).tables[PLAIN.name].snapshot
    table = small.lake.table(PLAIN.name)
    table.manage_snapshots().remove_tag("release_1").commit()
    table.maintenance.expire_snapshots().by_id(snapshot).commit()
    with pytest.raises(CatalogError, match=r"toy\.plain has lost its snapshot of release 1, which is kept"):
        swept(small)


def test_a_file_that_cannot_be_deleted_is_told(small, monkeypatch):
    """What the storage says becomes a message; the next call goes on."""
    load(small, 1)
    orphan(small, _PLACES[0], timedelta(days=9))
    from fsspec.implementations.local import LocalFileSystem

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(LocalFileSystem, "rm_file", refuse)
        with pytest.raises(CatalogError, match=r"a\.parquet cannot be opened: you may not"):
            swept(small)
    assert swept(small)["toy.plain"].files == 1


def test_readers_beside_maintenance_see_whole_releases(small, monkeypatch):
    """Two processes poll while each release is followed by a maintenance that deletes all it may at once."""
    monkeypatch.setattr(retention, "KEPT_RELEASES", 5)
    publish_marker(small, 1)
    command = [sys.executable, "-m", "tests.lakehouse.reader", str(small.home)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [reader.stdout.readline() for reader in readers] == ["reading\n"] * 2
    for number in range(2, 16):
        publish_marker(small, number)
        retired(small)
        swept(small)
    (small.home / "stop").touch()
    for reader in readers:
        told = reader.communicate(timeout=60)[0]
        assert re.match(r"\d+ reads, last \d+", told) and reader.returncode == 0, told
    assert sorted(small.ledger.expired()) == list(range(1, 11))
