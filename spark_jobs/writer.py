"""The one module that writes Iceberg tables: declared tables and Parquet files in, commits on a batch's branch out.

Never touches `main` but to give a new table its first, empty snapshot; `publish` alone moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.update.snapshot import ManageSnapshots

from medflow.errors import CatalogError, DeclarationError
from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.data_files import Partition, described, iceberg_partitions, partition_of
from medflow.lakehouse.evolution import conflicts, evolve
from medflow.lakehouse.footers import FooterReader, data_location
from medflow.lakehouse.locations import openable
from medflow.lakehouse.releases import DataFileInfo
from medflow.lakehouse.staging import Draft, NewTable, Replacement, add_snapshot, land, new_table, stage
from medflow.lakehouse.storage import each
from medflow.specs.table import TableSpec
from spark_jobs.engines.base import WriteTarget

BATCH_PROPERTY = "medflow.batch-id"
EMPTY_TAG = "empty"  # keeps every table's first snapshot: a restore goes back to it where a table did not exist yet
Ref = Literal["branch", "main"]


def branch_of(batch_id: str) -> str:
    """The branch that a batch writes to."""
    return f"audit_{batch_id}"


class BranchWriter:
    """Writes tables on the branch of one batch; `fence` raises when a newer run has taken over.

    Tables are held as this writer left them and each commit swaps exactly that pointer, so another writer's commit,
    to whatever branch, is an error here and never merged.
    """

    def __init__(self, lake: Lake, batch_id: str, fence: Callable[[], None]) -> None:
        self._lake, self._batch_id, self._fence = lake, batch_id, fence
        self._branch = branch_of(batch_id)
        self._tables: dict[str, Table] = {}

    def open(self, specs: Sequence[TableSpec]) -> None:
        """Make missing tables, add declared columns, and put the branch at current main: one commit for all.

        Raises:
            DeclarationError: a table cannot become what is declared; all problems at once.
        """
        self._fence()
        existing = self._lake.tables([spec.name for spec in specs])
        problems = [problem for spec in specs if spec.name in existing for problem in conflicts(spec, existing[spec.name])]
        if problems:
            raise DeclarationError(problems)
        for namespace in sorted({spec.namespace for spec in specs if spec.name not in existing}):
            self._lake.make_namespace(namespace)
        self._tables.update(existing)
        self._land([self._evolved(spec, existing[spec.name]) if spec.name in existing else self._created(spec) for spec in specs])

    def reset(self, tables: Collection[str], heads: Mapping[str, int] | None = None) -> None:
        """The branch of these tables back to `heads`, where a table is named there, else to main; one commit for all."""
        self._fence()
        wanted = {name: (heads or {}).get(name, self.head(name, "main")) for name in tables}
        self._land([self._branched(Draft(self._table(name)), snapshot) for name, snapshot in wanted.items()])

    def head(self, table: str, ref: Ref) -> int:
        """The snapshot that a ref points at. Raises CatalogError: the batch has no branch of this table."""
        name = self._branch if ref == "branch" else MAIN_BRANCH
        found = self._table(table).refs().get(name)
        if found is None:
            raise CatalogError(f"{table} has no branch {name}; a batch opens its tables before it uses them")
        return found.snapshot_id

    def files(self, table: str, ref: Ref, partitions: Collection[Partition] | None = None) -> list[DataFileInfo]:
        """The data files at a ref, of all partitions or of these."""
        held = self._table(table)
        return [described(held, file) for file in self._lake.data_files(held, self.head(table, ref), partitions)]

    def target(self, spec: TableSpec) -> WriteTarget:
        """Where an engine writes the table's Parquet files: any names and subfolders below the target's folder."""
        table = self._table(spec.name)
        return WriteTarget(spec, data_location(table), table.metadata)

    def append(self, table: str, paths: Sequence[str]) -> None:
        """Add Parquet files; files without rows are left out, and nothing to add is no commit."""
        self._commit(table, Replacement((), self._described(table, paths)))

    def replace(self, table: str, paths: Sequence[str], partitions: Collection[Partition] | None) -> None:
        """One snapshot that drops every file of these partitions (None = all) and adds `paths`.

        Raises:
            CatalogError: an added file lies in another partition, whose rows it would double.
        """
        held, added = self._table(table), self._described(table, paths)
        wanted = None if partitions is None else iceberg_partitions(held, partitions)
        if strays := [file.file_path for file in added if wanted is not None and partition_of(held, file) not in wanted]:
            raise CatalogError(f"{openable(strays[0])} lies outside of the partitions of {table} that are to be replaced")
        dropped = list(self._lake.data_files(held, self.head(table, "branch"), partitions))
        self._commit(table, Replacement(dropped, added))

    def _described(self, table: str, paths: Sequence[str]) -> list[DataFile]:
        reader = FooterReader(self._table(table))
        return [file for file in each(self._lake.warehouse, reader.describe, list(dict.fromkeys(paths))) if file]

    def _commit(self, table: str, files: Replacement) -> None:
        self._fence()
        if not files.dropped and not files.added:
            return
        self.head(table, "branch")
        draft = Draft(self._table(table))
        add_snapshot(draft, self._branch, {BATCH_PROPERTY: self._batch_id}, files)
        self._land([draft])

    def _land(self, transactions: Sequence[Draft | NewTable]) -> None:
        staged = [one for transaction in transactions if (one := stage(self._lake, transaction))]
        land(self._lake, staged)
        self._tables.update({one.name: one.table for one in staged})

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            self._tables[name] = self._lake.table(name)
        return self._tables[name]

    def _evolved(self, spec: TableSpec, table: Table) -> Draft | NewTable:
        transaction = Draft(table)
        evolve(spec, transaction)
        return self._branched(transaction, self.head(spec.name, "main"))

    def _created(self, spec: TableSpec) -> Draft | NewTable:
        transaction = new_table(self._lake, spec)
        first = transaction.update_snapshot({BATCH_PROPERTY: self._batch_id}).fast_append()
        snapshot = first.snapshot_id  # PyIceberg cannot branch a table that has no snapshot
        with self._lake.storage.warehouse_access(f"{self._lake.warehouse}/{spec.namespace}"):
            first.commit()
        ManageSnapshots(transaction).create_tag(snapshot, EMPTY_TAG).commit()
        return self._branched(transaction, snapshot)

    def _branched(self, transaction: Draft | NewTable, snapshot: int) -> Draft | NewTable:
        branch = transaction.table_metadata.refs.get(self._branch)
        if branch is None or branch.snapshot_id != snapshot:
            ManageSnapshots(transaction).create_branch(snapshot, self._branch).commit()
        return transaction
