"""New metadata of tables, written first and swapped in together by one transaction of the catalog database.

The only place that uses PyIceberg's private staging calls; tests/contract/test_pyiceberg_staging.py holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pyiceberg.catalog.sql import ICEBERG_TABLE_TYPE
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table import CreateTableTransaction, Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update import AssertCreate, TableUpdate, update_table_metadata
from pyiceberg.table.update.snapshot import _FastAppendFiles, _ManifestMergeManager, _OverwriteFiles
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from medflow.errors import CatalogError
from medflow.lakehouse.catalog import POINTERS, Lake
from medflow.lakehouse.database import writing
from medflow.lakehouse.ledger_tables import LOCK
from medflow.lakehouse.schema import iceberg_schema, partition_spec, sort_order, table_properties
from medflow.lakehouse.warehouse_io import WarehouseIO
from medflow.specs.table import TableSpec

Record = Callable[[Connection], None]
_MERGE_AT = 10  # manifests
_MANIFEST_BYTES = 8 << 20


@dataclass(frozen=True)
class Replacement:
    """Data files that a snapshot drops and adds."""

    dropped: Sequence[DataFile]
    added: Sequence[DataFile]


class _WorkedOutOnce:
    """PyIceberg copies the whole metadata at every look of a transaction; here it is worked out once per change."""

    _table: Table
    _updates: tuple[TableUpdate, ...]
    _seen: tuple[tuple[TableUpdate, ...], TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """The metadata with the changes so far. Not to be changed."""
        if not self._updates:
            return self._table.metadata
        if self._seen is None or self._seen[0] is not self._updates:
            self._seen = (self._updates, update_table_metadata(self._table.metadata, self._updates))
        return self._seen[1]


class Draft(_WorkedOutOnce, Transaction):
    """Changes to a table, to be staged; never committed by itself."""


class NewTable(_WorkedOutOnce, CreateTableTransaction):
    """A table to be, with further changes, to be staged."""


@dataclass(frozen=True)
class Staged:
    """A table with its new metadata; `former` is the pointer that the swap must still find (None: no such table yet)."""

    table: Table
    former: str | None

    @property
    def name(self) -> str:
        return ".".join(self.table.name())


class _Tidy:
    _snapshot_id: int

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        mine = self._snapshot_id
        live = [one for one in manifests if one.added_snapshot_id == mine or one.has_added_files() or one.has_existing_files()]
        merging: _ManifestMergeManager[Any] = _ManifestMergeManager(_MANIFEST_BYTES, _MERGE_AT, True, cast(Any, self))
        return merging.merge_manifests(live)


class _Append(_Tidy, _FastAppendFiles):
    pass


class _Replace(_Tidy, _OverwriteFiles):
    pass


def new_table(lake: Lake, spec: TableSpec) -> NewTable:
    """A declared table that is not in the catalog yet; its namespace must be."""
    schema = iceberg_schema(spec)
    shape = (None, partition_spec(spec, schema), sort_order(spec, schema), table_properties(spec, schema))
    return NewTable(lake.catalog._create_staged_table(spec.name, schema, *shape))


def add_snapshot(draft: Draft, branch: str, properties: dict[str, str], files: Replacement) -> None:
    """One snapshot on a branch that drops and adds data files.

    Manifests without a live file are left behind and many small ones merged, so that listing a table stays quick.
    """
    kind, operation = (_Replace, Operation.OVERWRITE) if files.dropped else (_Append, Operation.APPEND)
    producer = kind(operation, draft, draft._table.io, snapshot_properties=properties, branch=branch)
    for file in files.dropped:
        producer.delete_data_file(file)
    for file in files.added:
        producer.append_data_file(file)
    with cast(WarehouseIO, draft._table.io).storage.warehouse_access(draft._table.location()):
        producer.commit()


def stage(lake: Lake, transaction: Draft | NewTable, log: Collection[str] | None = None) -> Staged | None:
    """Write the metadata of the changes collected in a transaction, which itself is never committed; None: no change.

    `log` = the older metadata files that the table goes on to name, beside the one that this replaces; None = all.

    Raises:
        CatalogError: the table is not as the transaction found it.
    """
    table, updates = transaction._table, transaction._updates
    if not updates:
        return None
    new = isinstance(transaction, NewTable)
    requirements = (AssertCreate(),) if new else transaction._requirements
    try:
        made = lake.catalog._update_and_stage_table(None if new else table, table.name(), requirements, updates)
    except CommitFailedException as error:
        raise CatalogError(f"{'.'.join(table.name())} was changed by another writer ({error}); run again") from error
    metadata = made.metadata
    if log is not None:
        named = [entry for entry in metadata.metadata_log if entry.metadata_file in (table.metadata_location, *log)]
        metadata = metadata.model_copy(update={"metadata_log": named})
    with lake.storage.warehouse_access(made.metadata_location):
        lake.catalog._write_metadata(metadata=metadata, io=lake.io, metadata_path=made.metadata_location)
    staged = Table(table.name(), metadata, made.metadata_location, lake.io, lake.catalog)
    return Staged(staged, None if new else table.metadata_location)


def land(lake: Lake, staged: Sequence[Staged], record: Record = lambda _: None) -> None:
    """Swap all pointers in one transaction, after `record` in the same one; all or nothing.

    If the reply to the commit is lost, the catalog is read again: staged names are unique, so a table that is at its staged
    metadata, or that another writer has since moved on from it, means done.

    Raises:
        CatalogError: another writer has moved a table, or the catalog fails; FencedError and others from `record`.
    """
    if not staged:
        return
    try:
        with writing(lake.engine) as connection:
            record(connection)
            for one in staged:
                _swap(lake, connection, one)
    except Exception as error:
        if not _landed(lake, staged):
            if isinstance(error, SQLAlchemyError):
                raise CatalogError("the catalog broke off a commit; nothing was written. Run again") from error
            raise
    for one in staged:
        lake.keep(one.table)


def forget_tables(lake: Lake, names: Collection[str], record: Record) -> None:
    """Take tables out of the catalog, after `record` in the same transaction; their files, if there are any, stay."""
    with writing(lake.engine) as connection:
        record(connection)
        for name in names:
            namespace, _, table = name.rpartition(".")
            found = (POINTERS.c.catalog_name == lake.catalog.name, POINTERS.c.table_namespace == namespace, POINTERS.c.table_name == table)
            connection.execute(delete(POINTERS).where(*found))
    lake.forget()


def _swap(lake: Lake, connection: Connection, staged: Staged) -> None:
    namespace, name = staged.table.name()
    row = {"catalog_name": lake.catalog.name, "table_namespace": namespace, "table_name": name}
    pointers = {"metadata_location": staged.table.metadata_location, "previous_metadata_location": staged.former}
    if staged.former is None:
        try:
            connection.execute(insert(POINTERS).values(**row, **pointers, iceberg_type=ICEBERG_TABLE_TYPE))
        except IntegrityError:
            raise CatalogError(f"{staged.name} was created by another writer; nothing was written. Run again") from None
        return
    found = [POINTERS.c[column] == value for column, value in row.items()]
    swap = update(POINTERS).where(*found, POINTERS.c.metadata_location == staged.former).values(pointers)
    if connection.execute(swap).rowcount != 1:
        raise CatalogError(f"{staged.name} was changed by another writer; nothing was written. Run again")


def _landed(lake: Lake, staged: Sequence[Staged]) -> bool:
    """Whether our pointers stood. Waits, by the lock's row, for a commit that the server may still be at work on."""
    with writing(lake.engine) as connection:
        connection.execute(select(LOCK.c.token).with_for_update()).all()
    tables = lake.tables([one.name for one in staged])
    # one transaction: where one table was moved, all were
    return any(one.name in tables and _comes_from(tables[one.name], one.table.metadata_location) for one in staged)


def _comes_from(table: Table, location: str) -> bool:
    """Whether a table is at this metadata or was, before another writer who knows no lock built on it."""
    return location in (table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log))
