"""Whether a release is whole: every file that it names lies where it says, with its bytes. Reads names and sizes, no content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Engine

from medflow.errors import CatalogError
from medflow.lakehouse.folders import folder
from medflow.lakehouse.locations import openable
from medflow.lakehouse.releases import MEND, Release, ReleasedTable, read_release
from medflow.lakehouse.storage import Storage, is_remote


def read_whole_release(engine: Engine, number: int | None = None, storage: Storage | None = None) -> Release:
    """As `read_release`. Raises CatalogError besides: a file that the release names is gone, so that only half of it could be read."""
    release = read_release(engine, number, storage)
    check_whole(release, storage or Storage())
    return release


def check_whole(release: Release, storage: Storage) -> None:
    """Raises CatalogError: files that the release names are gone or cut off; how many, the first of them, and what to do."""
    named = {table.metadata: -1 for table in release.tables.values() if table.metadata}  # a table of plain files has none
    named |= {file.path: file.bytes for table in release.tables.values() for file in table.data_files}
    sizes: dict[str, int] = {}
    for table in release.tables.values():
        sizes |= _sizes(table, storage)
    gone = [path for path, size in named.items() if size not in (sizes.get(openable(path)), -1) or openable(path) not in sizes]
    if gone:
        raise CatalogError(
            f"release {release.number} is not whole: {len(gone)} of the {len(named)} files that it names are gone or cut off, "
            f"{openable(gone[0])} first. Nothing is read from half a lake. {MEND}"
        )


def _sizes(table: ReleasedTable, storage: Storage) -> Mapping[str, int]:
    """Address -> bytes of the table's files that are there: in a bucket one listing tells them all."""
    paths = [openable(path) for path in (table.metadata, *table.files) if path]
    if not is_remote(table.metadata):
        return {path: Path(path).stat().st_size for path in paths if Path(path).is_file()}
    place = folder(table.metadata.rpartition("/metadata/")[0], storage)
    with storage.warehouse_access(place.address):
        contents = place.contents()
    return {place.at(name): size for name, size in contents.files.items()} if contents else {}
