"""Replies that are lost and processes that are killed: each release is whole, old or new, and counted once."""

import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import event

from medflow.errors import CatalogError
from medflow.lakehouse.database import connect
from medflow.lakehouse.ledger import Ledger
from medflow.lakehouse.releases import read_release
from tests.lakehouse.small_lake import PLAIN, SPECS, SmallLake, markers, row
from tests.lakehouse.test_publish import ready, state_of


def lose_reply(engine, beginning, *, landed):
    """The next COMMIT after a statement that begins so raises, having taken effect or not."""
    armed = [False]
    commit, rollback = engine.dialect.do_commit, engine.dialect.do_rollback

    def statement(_connection, _cursor, text, *_):
        armed[0] = armed[0] or text.startswith(beginning)

    def do_commit(connection):
        if not armed[0]:
            return commit(connection)
        engine.dialect.do_commit = commit
        event.remove(engine, "before_cursor_execute", statement)
        (commit if landed else rollback)(connection)
        raise sqlite3.OperationalError("server closed the connection unexpectedly")

    event.listen(engine, "before_cursor_execute", statement)
    engine.dialect.do_commit = do_commit


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
