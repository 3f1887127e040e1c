"""What `medflow.lakehouse.staging` relies on in PyIceberg 0.12 without a promise of PyIceberg's.

If one of these fails after an upgrade, read `staging.py` against the new source before the pin in pyproject is moved.
"""

import inspect
import uuid

import pyiceberg
import pytest
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.sql import ICEBERG_TABLE_TYPE, IcebergTables, SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.schema import Schema
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import CreateTableTransaction, Transaction
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update import AssertCreate, AssertRefSnapshotId, SetPropertiesUpdate
from pyiceberg.table.update.snapshot import (
    ManageSnapshots,
    _FastAppendFiles,
    _ManifestMergeManager,
    _OverwriteFiles,
    _SnapshotProducer,
)
from pyiceberg.types import LongType, NestedField
from sqlalchemy import select


@pytest.fixture
def catalog(tmp_path):
    catalog = SqlCatalog("lake", uri=f"sqlite:///{tmp_path / 'lake.db'}", warehouse=f"file://{tmp_path}/warehouse", schema_version="v1")
    catalog.create_namespace("toy")
    yield catalog
    catalog.close()


@pytest.fixture
def table(catalog):
    return catalog.create_table("toy.t", Schema(NestedField(1, "a", LongType(), required=False)))


def names(function):
    return list(inspect.signature(function).parameters)


def test_the_version_is_the_one_that_was_read():
    """Private calls are pinned to one minor version."""
    assert pyiceberg.__version__.startswith("0.12.")


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (MetastoreCatalog._update_and_stage_table, ["self", "current_table", "table_identifier", "requirements", "updates"]),
        (MetastoreCatalog._write_metadata, ["metadata", "io", "metadata_path"]),
        (
            MetastoreCatalog._create_staged_table,
            ["self", "identifier", "schema", "location", "partition_spec", "sort_order", "properties"],
        ),
        (_SnapshotProducer.__init__, ["self", "operation", "transaction", "io", "commit_uuid", "snapshot_properties", "branch"]),
        (_SnapshotProducer._process_manifests, ["self", "manifests"]),
        (
            _ManifestMergeManager.__init__,
            ["self", "target_size_bytes", "min_count_to_merge", "merge_enabled", "snapshot_producer"],
        ),
        (CreateTableTransaction.__init__, ["self", "table"]),
        (ManageSnapshots.__init__, ["self", "transaction"]),
    ],
)
def test_signatures_are_as_they_are_called(function, parameters):
    """Names and order of the parameters."""
    assert names(function) == parameters


def test_staging_makes_new_metadata_and_leaves_the_pointer(catalog, table):
    """Unique names with the next version number, readable once written, and nothing in the catalog moves."""
    update = (SetPropertiesUpdate(updates={"k": "v"}),)
    staged = [catalog._update_and_stage_table(table, table.name(), (), update) for _ in range(2)]
    assert staged[0].metadata_location != staged[1].metadata_location
    version, _, rest = staged[0].metadata_location.rsplit("/", 1)[1].partition("-")
    assert version == "00001" and uuid.UUID(rest.removesuffix(".metadata.json"))
    catalog._write_metadata(metadata=staged[0].metadata, io=table.io, metadata_path=staged[0].metadata_location)
    read = FromInputFile.table_metadata(table.io.new_input(staged[0].metadata_location))
    assert read.properties["k"] == "v" and read.metadata_log[-1].metadata_file == table.metadata_location
    assert catalog.load_table("toy.t").metadata_location == table.metadata_location


def test_unmet_requirements_are_commit_failures(catalog, table):
    """A branch that moved, a table that exists."""
    for requirement in (AssertRefSnapshotId(ref="main", snapshot_id=1), AssertCreate()):
        with pytest.raises(CommitFailedException):
            catalog._update_and_stage_table(table, table.name(), (requirement,), ())


def test_a_transaction_collects_updates_and_commits_nothing_by_itself(catalog, table):
    """`_table`, `_updates` and `_requirements` hold what is to be staged; each change makes a new tuple of updates."""
    draft = Transaction(table)
    assert (draft._table, draft._updates, draft._requirements) == (table, (), ())
    before = draft._updates
    with draft.update_snapshot().fast_append() as first:
        assert first.snapshot_id
    assert draft._updates is not before and draft._requirements
    staged = draft._updates
    ManageSnapshots(draft).create_tag(first.snapshot_id, "empty").create_branch(first.snapshot_id, "audit").commit()
    assert draft._updates is not staged and set(draft.table_metadata.refs) == {"main", "empty", "audit"}
    assert catalog.load_table("toy.t").metadata_location == table.metadata_location


def test_the_metadata_of_a_transaction_is_read_through_one_property():
    """So that working it out once per change covers all that PyIceberg does with it."""
    assert isinstance(Transaction.table_metadata, property) and "table_metadata" not in vars(CreateTableTransaction)
    assert "update_table_metadata(self._table.metadata, self._updates)" in inspect.getsource(Transaction.table_metadata.fget)


def test_a_staged_new_table_is_made_from_its_updates(catalog):
    """Without a current table, the collected updates alone give the whole metadata, with one snapshot on main."""
    draft = CreateTableTransaction(catalog._create_staged_table("toy.fresh", Schema(NestedField(1, "a", LongType()))))
    draft.update_snapshot().fast_append().commit()
    made = catalog._update_and_stage_table(None, draft._table.name(), (AssertCreate(),), draft._updates)
    assert draft._table.name() == ("toy", "fresh") and made.metadata.current_snapshot() is not None
    assert made.metadata.format_version == 2


@pytest.mark.parametrize("kind", [_FastAppendFiles, _OverwriteFiles])
def test_manifests_pass_through_the_hook_before_they_are_listed(table, kind):
    """`_process_manifests` may drop and merge; the new snapshot lists what it returns."""
    passed = []

    class Watched(kind):
        def _process_manifests(self, manifests):
            passed.append(manifests)
            return []

    draft = Transaction(table)
    Watched(Operation.APPEND, draft, table.io, branch="main", snapshot_properties={"medflow.batch-id": "b"}).commit()
    snapshot = draft.table_metadata.current_snapshot()
    assert passed == [[]] and snapshot.manifests(table.io) == [] and snapshot.summary.get("medflow.batch-id") == "b"


def test_a_manifest_says_who_made_it_and_whether_a_file_in_it_lives():
    """What is needed to leave dead manifests behind."""
    source = inspect.getsource(_FastAppendFiles._existing_manifests)
    assert "has_added_files()" in source and "has_existing_files()" in source and "added_snapshot_id" in source


def test_pointers_are_rows_of_iceberg_tables(catalog, table):
    """The columns that the swap writes, and their values."""
    with catalog.engine.connect() as connection:
        row = connection.execute(select(IcebergTables.__table__)).one()
    assert row._asdict() == {
        "catalog_name": "lake",
        "table_namespace": "toy",
        "table_name": "t",
        "metadata_location": table.metadata_location,
        "previous_metadata_location": None,
        "iceberg_type": ICEBERG_TABLE_TYPE,
    }


def test_the_catalog_takes_another_engine(catalog):
    """Its only connection to the database is `engine`."""
    used = [name for name, value in vars(catalog).items() if type(value).__name__ == "Engine"]
    assert used == ["engine"]
