"""Going back to an older release, and forth again."""

import pytest

from medflow.errors import UsageError, VerificationError
from spark_jobs import restore as restore_module
from tests.lakehouse.small_lake import PLAIN, SPECS, markers, table


def contents(small, number=None):
    release = small.release(number)
    return {name: markers(found.files) for name, found in release.tables.items()}


def three(small):
    for number in (1, 2, 3):
        small.load(number)


def test_a_restore_is_a_new_release_with_the_old_content(small):
    """Tables, by both engines; parent and restored; the files of later releases are withdrawn."""
    three(small)
    assert small.restore(1) == 4
    assert contents(small) == {spec.name: [1] for spec in SPECS}
    assert [small.by_iceberg(spec.name) for spec in SPECS] == [[1]] * 3
    release = small.release()
    assert (release.number, release.parent, release.restored, release.kind) == (4, 1, 1, "restore")
    states = {name: state for name, (state, _) in small.states().items()}
    assert states == {"1.csv": "published", "2.csv": "withdrawn", "3.csv": "withdrawn"}
    assert [entry.release for entry in small.ledger.lineage()] == [4, 1]
    assert small.ledger.release_of_batch("b3") is None
    assert small.ledger.batch(release.batch_id).state == "published"


def test_what_was_left_stays_readable_and_may_come_back(small):
    """The former release keeps its rows and tag; restoring it publishes its files again."""
    three(small)
    small.restore(1)
    assert contents(small, 3) == {spec.name: [1, 2, 3] for spec in SPECS}
    assert small.restore(3) == 5
    assert contents(small) == {spec.name: [1, 2, 3] for spec in SPECS}
    assert small.states() == {"1.csv": ("published", 1), "2.csv": ("published", 2), "3.csv": ("published", 3)}
    assert [entry.release for entry in small.ledger.lineage()] == [5, 3, 2, 1]


def test_the_next_batch_builds_on_what_was_restored(small):
    """Also the withdrawn file itself, when it is released for retry: the same batch id, counted once."""
    three(small)
    small.restore(1)
    small.ledger.retry(f"bluecross:{3:064x}")
    assert [entry.name for entry in small.ledger.candidates({"bluecross": "declared"})] == ["bluecross/3.csv"]
    assert small.load(3) == 5
    assert contents(small) == {spec.name: [1, 3] for spec in SPECS}
    assert small.restore(3) == 6
    assert contents(small) == {spec.name: [1, 2, 3] for spec in SPECS}
    assert small.states()["3.csv"] == ("published", 3)


def test_a_table_made_later_is_empty_again(small):
    """It goes back to its first snapshot."""
    small.load(1)
    fresh = table("toy.fresh")
    small.load(2, specs=[*SPECS, fresh])
    small.restore(1)
    assert contents(small)["toy.fresh"] == [] == small.by_iceberg("toy.fresh")
    small.restore(2)
    assert contents(small)["toy.fresh"] == [2]


def test_wrong_numbers_are_wrong_usage(small):
    """The current release, none, and one that was cleaned away."""
    three(small)
    for number, said in ((3, "is the current one"), (9, "there is no release 9"), (0, "there is no release 0")):
        with pytest.raises(UsageError, match=said):
            small.restore(number)
    table_now = small.lake.table(PLAIN.name)
    gone = small.release(1).tables[PLAIN.name].snapshot
    with table_now.transaction() as transaction, transaction.update_snapshot().fast_append():
        pass
    table_now.manage_snapshots().remove_tag("release_1").commit()
    table_now.maintenance.expire_snapshots().by_id(gone).commit()
    with pytest.raises(UsageError, match=r"release 1 is no longer kept: toy.plain"):
        small.restore(1)
    assert small.release().number == 3


def test_a_restore_is_proved(small, monkeypatch):
    """If a table is not where it should be afterwards, the message says how to take the release back."""
    three(small)
    monkeypatch.setattr(restore_module, "main_of", lambda _: 0)
    with pytest.raises(VerificationError, match=r"release 4 is visible but not proved.*restore 3"):
        small.restore(1)


def test_each_restore_is_a_batch_of_its_own(small):
    """Back, forth and back again: three batches."""
    three(small)
    ids = set()
    for number in (1, 3, 1):
        small.restore(number)
        ids.add(small.release().batch_id)
    assert len(ids) == 3
