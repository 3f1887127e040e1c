"""Publishing: all tables, the ledger and the release row at once; proved afterwards."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import StaticTable
from sqlalchemy import update

from medflow.errors import CatalogError, FencedError, VerificationError
from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.database import writing
from medflow.lakehouse.ledger_tables import LOCK
from medflow.lakehouse.releases import Release
from spark_jobs import release as release_steps
from tests.lakehouse.small_lake import BY_MONTH, BY_PAYER, DAY, NOW, PLAIN, SPECS, markers, row, sha, table


def state_of(small):
    """Everything that a failed publish must leave as it was."""
    return pickle.dumps((small.lake.pointers(), small.ledger.releases(), small.ledger.files(), small.ledger.batch("b2")))


def ready(small, number=2):
    """A batch whose branches hold one new row a table."""
    writer = small.begin(f"b{number}", number)
    for spec in SPECS:
        writer.append(spec.name, [small.write(writer, spec.name, [row(number)])])
    return writer, small.publication(writer, f"b{number}", number)


def stranger(small):
    """Another program with the stock catalog on the same database."""
    url = small.lake.engine.url.render_as_string()
    return SqlCatalog("lake", uri=url, warehouse=small.lake.warehouse)


def between(monkeypatch, act):
    """Let `act` happen after the metadata was staged and before the swap."""
    write = release_steps._write_manifest

    def written_late(*arguments):
        act()
        return write(*arguments)

    monkeypatch.setattr(release_steps, "_write_manifest", written_late)


def test_a_release_is_read_back_by_both_engines(small):
    """PyIceberg from the catalog and from the manifest's metadata, DuckDB from the manifest's files: the same rows."""
    assert (small.load(1), small.load(2)) == (1, 2)
    release = small.release()
    for spec in SPECS:
        found = release.tables[spec.name]
        assert markers(found.files) == [1, 2] == small.by_iceberg(spec.name)
        pinned = StaticTable.from_metadata(found.metadata).scan(snapshot_id=found.snapshot).to_arrow()
        assert sorted(pinned["marker"].to_pylist()) == [1, 2] and found.records == 2
    assert release.tables[BY_PAYER.name].data_files[0].partition == {"payer": "bluecross"}


def test_a_release_tells_what_it_is(small):
    """Number, parent, batch, dates, declarations, fingerprints, columns; ledger and batch agree."""
    small.load(1)
    small.load(2)
    release = small.release()
    assert (release.number, release.parent, release.restored, release.batch_id, release.kind) == (2, 1, None, "b2", "load")
    assert (release.run_date, release.created_at, release.declarations) == (DAY, NOW, "declared")
    assert release.fingerprints == {"gold": "f1"}
    columns = [(column.name, column.type) for column in release.tables[PLAIN.name].columns]
    assert columns == [("payer", "string"), ("day", "date"), ("marker", "bigint")]
    assert small.states() == {"1.csv": ("published", 1), "2.csv": ("published", 2)}
    batch = small.ledger.batch("b2")
    assert (batch.state, batch.release, batch.result) == ("published", 2, {"rows": 3})
    assert small.ledger.release_of_batch("b2").release == 2
    assert Release.from_json(release.to_json()) == release


def test_an_old_release_stays_readable(small):
    """Its rows are what they were, after tables were replaced."""
    small.load(1)
    writer = small.begin("b2", 2)
    for spec in SPECS:
        writer.replace(spec.name, [small.write(writer, spec.name, [row(2)])], None)
    small.publish(small.publication(writer, "b2", 2))
    assert [markers(small.release(1).tables[spec.name].files) for spec in SPECS] == [[1], [1], [1]]
    assert [small.by_iceberg(spec.name, small.release(1).tables[spec.name].snapshot) for spec in SPECS] == [[1], [1], [1]]
    assert [markers(small.release().tables[spec.name].files) for spec in SPECS] == [[2], [2], [2]]


def test_branches_go_and_tags_stay(small):
    """After the publish each table has main, its first tag and one tag a release."""
    small.load(1)
    small.load(2)
    for spec in SPECS:
        refs = small.lake.table(spec.name).refs()
        assert sorted(refs) == ["empty", "main", "release_1", "release_2"]
        assert refs["release_2"].snapshot_id == refs["main"].snapshot_id == small.release().tables[spec.name].snapshot


def test_tables_that_a_batch_does_not_touch_belong_to_its_release(small):
    """They are tagged and listed as they are."""
    small.load(1)
    small.load(2, specs=[PLAIN])
    release = small.release()
    assert markers(release.tables[PLAIN.name].files) == [1, 2]
    assert release.tables[BY_MONTH.name].snapshot == small.release(1).tables[BY_MONTH.name].snapshot
    assert markers(release.tables[BY_MONTH.name].files) == [1]
    assert "release_2" in small.lake.table(BY_MONTH.name).refs()


def test_a_release_may_bring_no_files(small):
    """A rebuild publishes tables only."""
    small.load(1)
    writer = small.begin("r1", specs=[PLAIN])
    writer.replace(PLAIN.name, [small.write(writer, PLAIN.name, [row(9)])], None)
    assert small.publish(small.publication(writer, "r1", specs=[PLAIN])) == 2
    assert small.ledger.contents(2) == small.ledger.contents(1) != {}


def test_what_another_attempt_left_on_a_branch_is_not_published(small):
    """A table that this attempt did not verify keeps its main, and loses the stale branch."""
    small.load(1)
    ready(small)
    writer = small.begin("b2", 2, specs=[PLAIN])
    small.publish(small.publication(writer, "b2", 2, specs=[PLAIN]))
    assert small.by_iceberg(BY_PAYER.name) == [1]
    assert "audit_b2" not in small.lake.table(BY_PAYER.name).refs()


def test_only_the_verified_head_is_published(small):
    """A commit after the verification stops the publish."""
    small.load(1)
    writer, publication = ready(small)
    writer.append(PLAIN.name, [small.write(writer, PLAIN.name, [row(3)])])
    before = state_of(small)
    with pytest.raises(VerificationError, match=r"branch of toy.plain is not at the head that was verified"):
        small.publish(publication)
    with pytest.raises(VerificationError, match=r"toy.none"):
        small.publish(replace(publication, heads={**small.publication(writer, "b2").heads, "toy.none": 1}))
    assert state_of(small) == before


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"PAR1")], ids=["missing", "cut off"])
def test_a_harmed_data_file_stops_the_publish(small, harm):
    """Every file of the release is looked at before anybody can see it."""
    small.load(1)
    writer, publication = ready(small)
    harm(Path(writer.files(PLAIN.name, "branch")[0].path))
    before = state_of(small)
    with pytest.raises(VerificationError, match="missing or cut off"):
        small.publish(publication)
    assert state_of(small) == before


def test_another_writer_moving_one_table_rolls_everything_back(small, monkeypatch):
    """Compare-and-swap of every table: one stale pointer, and nothing of the release exists."""
    small.load(1)
    _, publication = ready(small)
    seen = []

    def move():
        with stranger(small).load_table(BY_MONTH.name).transaction() as transaction:
            transaction.set_properties({"owner": "stranger"})
        seen.append(state_of(small))

    between(monkeypatch, move)
    with pytest.raises(CatalogError, match=r"toy.by_month was changed by another writer"):
        small.publish(publication)
    assert [state_of(small)] == seen
    assert small.release().number == 1


def test_a_strangers_commit_to_the_branch_is_noticed_not_merged(small):
    """The writer swaps the pointer that it left; a foreign append in between is an error."""
    writer, _ = ready(small, 1)
    foreign = stranger(small).load_table(PLAIN.name)
    foreign.append(foreign.scan(snapshot_id=writer.head(PLAIN.name, "branch")).to_arrow(), branch="audit_b1")
    with pytest.raises(CatalogError, match=r"toy.plain was changed by another writer"):
        writer.append(PLAIN.name, [small.write(writer, PLAIN.name, [row(7)])])
    assert small.lake.table(PLAIN.name).refs()["audit_b1"].snapshot_id != writer.head(PLAIN.name, "branch")


def test_a_strangers_commit_before_the_verification_is_found_by_the_proof(small):
    """Rows of another writer below the verified head are told, with the way back."""
    small.load(1)
    writer, _ = ready(small)
    foreign = stranger(small).load_table(PLAIN.name)
    foreign.append(foreign.scan().to_arrow(), branch="audit_b2", snapshot_properties={"medflow.batch-id": "other"})
    fresh = small.publication(writer, "b2", 2)
    heads = {**fresh.heads, PLAIN.name: small.lake.table(PLAIN.name).refs()["audit_b2"].snapshot_id}
    with pytest.raises(VerificationError, match=r"release 2 is visible but not proved: toy.plain holds .* another.*restore 1"):
        small.publish(replace(fresh, heads=heads))


def test_a_takeover_during_the_publish_leaves_nothing_visible(small, monkeypatch):
    """The token is part of the transaction."""
    small.load(1)
    _, publication = ready(small)
    before = state_of(small)

    def take_over():
        with writing(small.lake.engine) as connection:
            connection.execute(update(LOCK).values(token=99))

    between(monkeypatch, take_over)
    with pytest.raises(FencedError):
        small.publish(publication)
    assert state_of(small) == before
    with pytest.raises(FencedError):
        small.publish(publication)


def test_a_run_that_was_taken_over_cannot_overwrite_the_manifest_of_its_successor(small, monkeypatch):
    """Both make release 2; each writes a manifest of its own, and the row names the right one."""
    small.load(1)
    _, publication = ready(small)

    def take_over():
        small.lock._file.close()  # as if the first process had died
        with small.lock.__class__(small.lake.engine, small.home / "write.lock", small.lock._clock).acquire("b3") as lock:
            monkeypatch.undo()
            successor = small.__class__(small.home, Lake(small.lake.engine, small.lake.warehouse), small.ledger, lock)
            assert successor.load(3) == 2

    between(monkeypatch, take_over)
    with pytest.raises(FencedError):
        small.publish(publication)
    assert small.release().batch_id == "b3" and len(list((small.home / "warehouse" / "_releases").iterdir())) == 3


def test_a_batch_or_file_unknown_to_the_ledger_is_not_published(small):
    """The ledger's part of the transaction must hit its rows."""
    small.load(1)
    _, publication = ready(small)
    before = state_of(small)
    with pytest.raises(CatalogError, match="not in the ledger"):
        small.publish(replace(publication, files=[("bluecross", sha(77))]))
    assert state_of(small) == before
    assert small.publish(publication) == 2


def test_a_new_table_is_part_of_the_next_release(small):
    """It joins with its first rows; older releases do not have it."""
    small.load(1)
    fresh = table("other.fresh", "month(day)")
    small.load(2, specs=[*SPECS, fresh])
    assert markers(small.release().tables["other.fresh"].files) == [2]
    assert "other.fresh" not in small.release(1).tables


def test_a_lost_manifest_does_not_stop_the_next_release(small):
    """Everything is listed anew."""
    small.load(1)
    for path in (small.home / "warehouse" / "_releases").iterdir():
        path.unlink()
    with pytest.raises(CatalogError, match="is gone"):
        small.release()
    small.load(2)
    assert markers(small.release().tables[PLAIN.name].files) == [1, 2]
