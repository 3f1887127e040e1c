"""Retention: kept releases and branches stay whole, those that are not kept go with their files, all of it or nothing."""

from datetime import timedelta
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
from medflow.lakehouse.storage import Storage
from spark_jobs import retention
from spark_jobs.orphans import Swept
from spark_jobs.retention import Retired, past_releases
from spark_jobs.writer import BranchWriter
from tests.lakehouse.maintenance import MUCH_LATER, contents, day, files, load, loads, retired, swept
from tests.lakehouse.small_lake import BY_MONTH, BY_PAYER, DAY, NOW, PLAIN, SPECS, markers, row


def size(small):
    return sum(Path(path).stat().st_size for path in files(small))


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
    read = Storage.read_text

    def expiring(storage, address):
        monkeypatch.setattr(Storage, "read_text", read)
        retired(small)
        swept(small)
        return read(storage, address)

    monkeypatch.setattr(Storage, "read_text", expiring)
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
