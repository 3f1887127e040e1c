"""The lake: Iceberg tables of the catalog `lake` at their current pointers. Reads; `staging` swaps pointers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cached_property
from typing import cast

from pyiceberg.catalog.sql import IcebergTables, SqlCatalog, SqlCatalogBaseTable
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, ManifestContent, ManifestFile
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import Table
from pyiceberg.typedef import EMPTY_DICT, Properties
from sqlalchemy import Engine, or_, select
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import IntegrityError

from medflow.errors import CatalogError
from medflow.lakehouse.data_files import Partition, iceberg_partitions, partition_of
from medflow.lakehouse.database import connect, make_tables
from medflow.lakehouse.locations import warehouse_location
from medflow.lakehouse.storage import Storage
from medflow.settings import Settings

CATALOG = "lake"
POINTERS = cast(SqlTable, IcebergTables.__table__)


class _Catalog(SqlCatalog):
    """PyIceberg's catalog, whose tables reach their files as the lake does."""

    files: FileIO

    def _load_file_io(self, properties: Properties = EMPTY_DICT, location: str | None = None) -> FileIO:
        return self.files


class Lake:
    """Tables behind one catalog database and one warehouse. Metadata files and manifests never change: each is read once."""

    def __init__(self, engine: Engine, warehouse: str, storage: Storage | None = None) -> None:
        self.engine = engine
        self.storage = storage or Storage()
        self.warehouse = warehouse_location(warehouse)
        self._read: dict[str, Table] = {}
        self._manifests: dict[str, list[DataFile]] = {}

    @classmethod
    def open(cls, settings: Settings) -> Lake:
        """The lake of the settings `catalog` and `warehouse`. Raises CatalogError: it cannot be used."""
        return cls(connect(settings.catalog), settings.warehouse, Storage.of(settings))

    @cached_property
    def catalog(self) -> SqlCatalog:
        """PyIceberg's catalog on our engine: with our transactions, and errors that say what to do."""
        make_tables(self.engine, SqlCatalogBaseTable.metadata)
        url = self.engine.url.render_as_string(hide_password=False)
        catalog = _Catalog(CATALOG, uri=url, warehouse=self.warehouse, schema_version="v1", init_catalog_tables="false")
        catalog.engine.dispose()
        catalog.engine, catalog.files = self.engine, self.io
        return catalog

    @cached_property
    def io(self) -> FileIO:
        """Where files of the warehouse are read and written."""
        return self.storage.file_io(self.warehouse)

    def make_namespace(self, name: str) -> None:
        """Make a namespace if it is missing."""
        with suppress(IntegrityError):  # another writer has made it since we looked
            self.catalog.create_namespace_if_not_exists(name)

    def pointers(self) -> dict[str, str]:
        """Name -> location of the current metadata, of every table."""
        kind = POINTERS.c.iceberg_type
        query = select(POINTERS).where(POINTERS.c.catalog_name == self.catalog.name, or_(kind == "TABLE", kind.is_(None)))
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(POINTERS.c.table_namespace, POINTERS.c.table_name)).all()
        return {f"{row.table_namespace}.{row.table_name}": row.metadata_location for row in rows}

    def tables(self, names: Collection[str] | None = None) -> dict[str, Table]:
        """The tables of these names that exist (all), read by one SELECT."""
        return {name: self._at(name, place) for name, place in self.pointers().items() if names is None or name in names}

    def table(self, name: str) -> Table:
        """Raises CatalogError: there is no such table."""
        if found := self.tables([name]):
            return found[name]
        raise CatalogError(f"there is no table {name} in the catalog; `medflow run` makes the declared tables")

    def data_files(self, table: Table, snapshot_id: int, partitions: Collection[Partition] | None = None) -> Iterator[DataFile]:
        """The live data files of a snapshot, of all partitions or of these.

        Raises:
            CatalogError: no such snapshot, or another writer has left row-level deletes, which file lists cannot show.
        """
        name, snapshot = ".".join(table.name()), table.metadata.snapshot_by_id(snapshot_id)
        wanted = None if partitions is None else iceberg_partitions(table, partitions)
        if snapshot is None:
            raise CatalogError(f"{name} has no snapshot {snapshot_id}: it was expired, or an older catalog was put back")
        with self.storage.warehouse_access(snapshot.manifest_list):
            manifests = snapshot.manifests(table.io)
        for manifest in manifests:
            if manifest.content != ManifestContent.DATA:
                raise CatalogError(f"{name} holds row-level deletes of another writer; compact the table with that writer")
            for file in self._listed(manifest):
                if wanted is None or partition_of(table, file) in wanted:
                    yield file

    def size(self, path: str) -> int | None:
        """Bytes of a file of the warehouse; None: it is not there. Raises CatalogError: the storage does not tell."""
        with self.storage.warehouse_access(path):
            try:
                return len(self.io.new_input(path))
            except FileNotFoundError:
                return None

    def keep(self, table: Table) -> None:
        """Remember a table whose metadata was just written, so that it is not read back."""
        self._read[table.metadata_location] = table

    def forget(self) -> None:
        """Read the metadata of tables from the warehouse again."""
        self._read.clear()

    def _listed(self, manifest: ManifestFile) -> list[DataFile]:
        path = manifest.manifest_path
        if path not in self._manifests:
            with self.storage.warehouse_access(path):
                entries = manifest.fetch_manifest_entry(self.io, discard_deleted=True)
            self._manifests[path] = [entry.data_file for entry in entries]
        return self._manifests[path]

    def _at(self, name: str, location: str) -> Table:
        if location not in self._read:
            with self.storage.warehouse_access(location):
                metadata = FromInputFile.table_metadata(self.io.new_input(location))
            self._read[location] = Table(tuple(name.split(".")), metadata, location, self.io, self.catalog)
        return self._read[location]
