"""Replies that are lost and processes that are killed: each release is whole, old or new, and counted once."""

import subprocess
import sys

import pyarrow as pa
import pytest
from sqlalchemy.exc import OperationalError

from medflow.errors import CatalogError
from medflow.lakehouse.database import connect
from medflow.lakehouse.ledger import Ledger
from medflow.lakehouse.releases import read_release
from tests.lakehouse.small_lake import BY_MONTH, PLAIN, SPECS, SmallLake, markers, row
from tests.lakehouse.test_publish import ready, state_of, stranger
from tests.support.lost_replies import lose_reply


def test_a_publish_whose_reply_is_lost_is_counted_once(small):
    """The pointers are ours, so it is done; the next release builds on it."""
    small.load(1)
    _, publication = ready(small)
    lose_reply(small.lake.engine, "INSERT INTO medflow_releases", landed=True)
    assert small.publish(publication) == 2
    assert [entry.release for entry in small.ledger.releases()] == [1, 2]
    assert small.load(3) == 3
    assert [markers(small.release().tables[spec.name].files) for spec in SPECS] == [[1, 2, 3]] * 3


def test_a_publish_that_did_not_land_is_an_error_and_may_be_repeated(small):
    """Nothing has changed, no SQL in the message, and the same publication goes through."""
    small.load(1)
    _, publication = ready(small)
    before = state_of(small)
    lose_reply(small.lake.engine, "INSERT INTO medflow_releases", landed=False)
    with pytest.raises(CatalogError, match="nothing was written") as error:
        small.publish(publication)
    assert "INSERT" not in str(error.value)
    assert state_of(small) == before
    assert small.publish(publication) == 2


def test_a_restore_whose_reply_is_lost_is_counted_once(small):
    """As a publish."""
    small.load(1)
    small.load(2)
    lose_reply(small.lake.engine, "INSERT INTO medflow_releases", landed=True)
    assert small.restore(1) == 3
    assert markers(small.release().tables[PLAIN.name].files) == [1]


@pytest.mark.parametrize("landed", [True, False])
def test_a_branch_commit_whose_reply_is_lost_lands_once(small, landed):
    """Landed: the writer goes on from it. Not landed: an error, and the rows are not there."""
    writer, _ = ready(small, 1)
    path = small.write(writer, PLAIN.name, [row(2)])
    lose_reply(small.lake.engine, "UPDATE iceberg_tables", landed=landed)
    if landed:
        writer.append(PLAIN.name, [path])
    else:
        with pytest.raises(CatalogError, match="nothing was written"):
            writer.append(PLAIN.name, [path])
        writer.append(PLAIN.name, [path])
    writer.append(PLAIN.name, [small.write(writer, PLAIN.name, [row(3)])])
    assert markers([file.path for file in writer.files(PLAIN.name, "branch")]) == [1, 2, 3]


def test_new_tables_whose_reply_is_lost_are_there_once(small):
    """Creation is found again by its pointer."""
    lose_reply(small.lake.engine, "INSERT INTO iceberg_tables", landed=True)
    assert small.load(1) == 1


def put_on_main(small, name):
    """Another program commits a snapshot without rows to main; the snapshot's id."""
    table = stranger(small).load_table(name)
    table.append(table.schema().as_arrow().empty_table())
    return table.current_snapshot().snapshot_id


@pytest.mark.parametrize("name", [spec.name for spec in SPECS])
def test_a_publish_whose_reply_is_lost_is_known_below_another_writers_commit(small, name):
    """The stranger built on our pointers, so they stood: done, and both commits are kept."""
    small.load(1)
    _, publication = ready(small)
    foreign = []
    lose_reply(small.lake.engine, "INSERT INTO medflow_releases", landed=True, then=lambda: foreign.append(put_on_main(small, name)))
    assert small.publish(publication) == 2
    assert small.lake.table(name).refs()["main"].snapshot_id == foreign[0]
    assert [markers(small.release().tables[spec.name].files) for spec in SPECS] == [[1, 2]] * 3


def test_a_restore_whose_reply_is_lost_is_known_below_another_writers_commit(small):
    """As a publish; given again, it would be a release too many."""
    small.load(1)
    small.load(2)
    lose_reply(small.lake.engine, "INSERT INTO medflow_releases", landed=True, then=lambda: put_on_main(small, PLAIN.name))
    assert small.restore(1) == 3


def test_a_branch_commit_below_another_writers_is_an_error_that_says_so(small):
    """It landed, so nothing is told that is not so; the next commit finds the table moved."""
    writer, _ = ready(small, 1)
    path = small.write(writer, PLAIN.name, [row(2)])
    lose_reply(small.lake.engine, "UPDATE iceberg_tables", landed=True, then=lambda: put_on_main(small, PLAIN.name))
    writer.append(PLAIN.name, [path])
    with pytest.raises(CatalogError, match=r"toy.plain was changed by another writer"):
        writer.append(PLAIN.name, [path])


@pytest.mark.parametrize("name", [PLAIN.name, BY_MONTH.name])
def test_main_moved_by_another_writer_stops_the_publish(small, name):
    """Also of a table that the batch has not written: its branch does not hold that commit, and would drop it."""
    small.load(1)
    writer = small.begin("b2", 2)
    writer.append(PLAIN.name, [small.write(writer, PLAIN.name, [row(2)])])
    publication = small.publication(writer, "b2", 2)
    foreign, before = put_on_main(small, name), small.ledger.releases()
    with pytest.raises(CatalogError, match=rf"main of {name} was changed by another writer"):
        small.publish(publication)
    assert small.ledger.releases() == before
    assert small.lake.table(name).refs()["main"].snapshot_id == foreign


def test_a_restore_keeps_what_another_writer_put_on_main(small):
    """A commit that no release has stays under a tag of its own."""
    small.load(1)
    small.load(2)
    foreign = put_on_main(small, PLAIN.name)
    assert small.restore(1) == 3
    assert small.lake.table(PLAIN.name).refs()["before_release_3"].snapshot_id == foreign
    assert "before_release_3" not in small.lake.table(BY_MONTH.name).refs()


def test_tables_of_other_programs_are_left_alone(small):
    """A catalog may hold them, with or without a snapshot: no release takes, moves or tags them."""
    catalog = stranger(small)
    catalog.create_namespace_if_not_exists("toy")
    rows = pa.table({"note": ["not ours"]})
    catalog.create_table("toy.without_rows", schema=rows.schema)
    catalog.create_table("toy.with_rows", schema=rows.schema).append(rows)
    small.load(1)
    small.load(2)
    assert small.restore(1) == 3
    assert set(small.release().tables) == {spec.name for spec in SPECS}
    assert list(catalog.load_table("toy.without_rows").refs()) == []
    assert list(catalog.load_table("toy.with_rows").refs()) == ["main"]


@pytest.mark.parametrize("action", ["exclude", "reject", "retry"])
def test_a_decision_whose_reply_is_lost_may_be_repeated(small, action):
    """The file is as after one decision."""
    small.begin("b1", 1)
    small.ledger.reject("0", "a reason")
    decide = getattr(small.ledger, action)
    reason = () if action == "retry" else ("another reason",)
    lose_reply(small.lake.engine, "UPDATE medflow_files", landed=True)
    with pytest.raises(OperationalError):
        decide("0", *reason)
    once = small.ledger.files()
    assert [decide("0", *reason)] == once == small.ledger.files()


def seen(home):
    """What a fresh reader sees: release, markers of every table, state of file 2."""
    engine = connect(f"sqlite:///{home / 'lake.db'}")
    release = read_release(engine)
    state = {entry.name: entry.state for entry in Ledger(engine).files()}["bluecross/2.csv"]
    rows = [markers(release.tables[spec.name].files) for spec in SPECS]
    engine.dispose()
    return release.number, rows, state


def test_a_process_killed_anywhere_in_the_publish_leaves_a_whole_release(tmp_path):
    """kill -9 before each statement of the transaction, before its COMMIT and after it; each attempt takes up the lock."""
    small = SmallLake.at(tmp_path)
    small.load(1)
    small.lock.release()
    small.lake.engine.dispose()
    command = [sys.executable, "-m", "tests.lakehouse.crash", str(tmp_path)]
    ended = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crasher:
        while not ended or ended[-1][1][0] == 1:
            crasher.stdin.write("again\n")
            crasher.stdin.flush()
            ended.append((crasher.stdout.readline().strip(), seen(tmp_path)))
            assert len(ended) < 20
        crasher.stdin.close()
    for outcome, (number, rows, state) in ended:
        assert outcome == "killed"
        assert (rows, state) == (([[1]] * 3, "discovered") if number == 1 else ([[2]] * 3, "published"))
    assert len(ended) == 10  # lock, release, batch, file twice, three tables, before and after COMMIT
    again = SmallLake.at(tmp_path)
    assert again.lake.table(PLAIN.name).refs()["main"].snapshot_id == again.release().tables[PLAIN.name].snapshot
    assert again.load(3) == 3
    again.lock.release()
