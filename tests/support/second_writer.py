"""A second writer that knows no lock: a foreign program with the stock PyIceberg catalog, kept open as a session is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.schema import Schema
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.types import NestedField, StringType

from medflow.settings import Settings

Change = Literal["property", "branch", "main", "new table"]
CHANGES: tuple[Change, ...] = ("property", "branch", "main")
OWN_TABLE = "healthcare.notes_of_another_writer"
_MARK = "second-writer"


@dataclass
class SecondWriter:
    """A foreign program with the stock PyIceberg catalog, for one commit: it takes no lock and compares and swaps."""

    settings: Settings
    turns: int = 0
    told: list[tuple[str, Change]] = field(default_factory=list)

    def change(self, table: str, change: Change) -> None:
        """Commit a property, a branch, a snapshot on main (without rows) or a new table; in `told` if it was told that it is done."""
        self.turns += 1
        with self._catalog() as catalog, suppress(CommitFailedException):
            if change == "new table":
                catalog.create_namespace_if_not_exists("healthcare")
                catalog.create_table(table, schema=Schema(NestedField(1, "note", StringType(), required=False)))
            elif change == "property":
                with catalog.load_table(table).transaction() as transaction:
                    transaction.set_properties({_MARK: "told that this is done"})
            elif change == "branch":
                held = catalog.load_table(table)
                held.manage_snapshots().create_branch(held.current_snapshot().snapshot_id, _MARK).commit()
            else:
                held = catalog.load_table(table)
                held.append(held.schema().as_arrow().empty_table(), snapshot_properties={_MARK: "told that this is done"})
            self.told.append((table, change))

    def missing(self) -> list[tuple[str, Change]]:
        """What it was told is done and cannot be reached from the table's current metadata."""
        with self._catalog() as catalog:
            return [(table, change) for table, change in self.told if not _is_kept(catalog, table, change)]

    @contextmanager
    def _catalog(self) -> Iterator[SqlCatalog]:
        catalog = SqlCatalog("lake", uri=self.settings.catalog, warehouse=self.settings.warehouse, schema_version="v1")
        yield catalog
        catalog.engine.dispose()


def _is_kept(catalog: SqlCatalog, name: str, change: Change) -> bool:
    if change == "new table":
        return catalog.table_exists(name)
    table = catalog.load_table(name)
    if change == "property":
        return _MARK in table.properties
    if change == "branch":
        return _MARK in table.refs()
    heads = [table.metadata.snapshot_by_id(ref.snapshot_id) for ref in table.refs().values()]
    reached = (snapshot for head in heads for snapshot in ancestors_of(head, table.metadata))
    return any(snapshot.summary and snapshot.summary.get(_MARK) for snapshot in reached)
