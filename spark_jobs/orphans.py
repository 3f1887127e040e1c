"""Orphans: files of the warehouse that nothing refers to any more, told from what is stored now, deleted once they are a day old.

Looks below `<warehouse>/<namespace>/<table>/`, `<warehouse>/_releases/` and `<warehouse>/_work/` only, and follows no link. What
cannot be read, is missing or lies elsewhere stops it before the first deletion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyiceberg.table import Table

from medflow.errors import CatalogError
from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.ledger import Ledger
from medflow.lakehouse.locations import openable
from medflow.lakehouse.lock import WriterLock
from medflow.lakehouse.releases import Release
from spark_jobs.retention import current_tables, kept_releases
from spark_jobs.stored_files import Listing, StoredFile, readable, warehouse

RELEASES_FOLDER = "_releases"
WORK_FOLDER = "_work"  # what executors of a cluster leave for each other; a run that died leaves it behind
# A run at work writes files long before it commits them, and a reader may still be at what was just let go.
GRACE = timedelta(hours=24)
_CHECK_EVERY = 100  # deletions between two looks at the lock
_NOTHING_DELETED = "No file was deleted; `medflow maintain` again when it is mended"


@dataclass(frozen=True)
class Swept:
    """One folder: what was deleted, and what nothing refers to but is younger than the grace period."""

    files: int = 0
    bytes: int = 0
    waiting_files: int = 0
    waiting_bytes: int = 0


@dataclass(frozen=True)
class References:
    """Files that are referred to. `needed` must be there, with so many bytes where that is known; `logged` may be gone."""

    needed: Mapping[str, int | None]
    logged: frozenset[str]

    def __contains__(self, path: str) -> bool:
        return path in self.needed or path in self.logged


def sweep(lake: Lake, ledger: Ledger, lock: WriterLock, now: datetime) -> dict[str, Swept]:
    """Delete the orphans that are older than the grace period at `now`; per table, `_releases` and `_work`, what went and what waits.

    Raises:
        CatalogError: something that is referred to cannot be read or is not where it should be; nothing was deleted.
        FencedError: a newer run has taken over; what was deleted until then were orphans.
    """
    lock.check()
    stored = warehouse(lake.warehouse, lake.storage)
    try:
        listings = {name: stored.below(folder) for name, folder in _folders(lake).items()}
        listings |= {WORK_FOLDER: left} if (left := stored.below(WORK_FOLDER)).files else {}
        references = _references(lake, ledger)
        _check_presence(references, listings)
    except CatalogError as error:
        raise CatalogError(f"{error}. {_NOTHING_DELETED}") from error
    orphans = {name: [file for file in listing.files if file.path not in references] for name, listing in listings.items()}
    old = {name: [file for file in files if now - file.modified > GRACE] for name, files in orphans.items()}
    for count, file in enumerate(file for files in old.values() for file in files):
        if count % _CHECK_EVERY == 0:
            lock.check()
        stored.delete(file)
    for name, listing in listings.items():
        if name != RELEASES_FOLDER:
            stored.delete_empty(tuple(folder for folder in listing.folders if "/data/" in folder.removeprefix(_folder(lake, name))))
    return {name: _told(orphans[name], old[name]) for name in listings}


def _folders(lake: Lake) -> dict[str, str]:
    """Each table's folder inside the warehouse, and that of the releases' manifests."""
    return {**{name: name.replace(".", "/") for name in lake.pointers()}, RELEASES_FOLDER: RELEASES_FOLDER}


def _references(lake: Lake, ledger: Ledger) -> References:
    releases, expired = kept_releases(lake, ledger), ledger.expired()
    needed: dict[str, int | None] = {openable(entry.manifest): None for entry in ledger.releases() if entry.release not in expired}
    logged: set[str] = set()
    for name, table in current_tables(lake).items():
        if table.location() != f"{lake.warehouse}/{name.replace('.', '/')}":
            raise CatalogError(f"{name} lies at {openable(table.location())}, not in its folder of the warehouse")
        needed |= dict(_of_table(lake, table))
        needed |= dict(_of_releases(table, releases))
        logged |= {openable(entry.metadata_file) for entry in table.metadata.metadata_log}
    return References(needed, frozenset(logged))


def _of_table(lake: Lake, table: Table) -> Iterator[tuple[str, int | None]]:
    """What the current metadata refers to, at any remove, with the bytes that it states of manifests."""
    yield openable(table.metadata_location), None
    for statistics in (*table.metadata.statistics, *table.metadata.partition_statistics):
        yield openable(statistics.statistics_path), None
    read: set[str] = set()
    for snapshot in table.metadata.snapshots:
        yield openable(snapshot.manifest_list), None
        with readable(lake.storage, snapshot.manifest_list):
            manifests = snapshot.manifests(lake.io)
        for manifest in manifests:
            if manifest.manifest_path in read:
                continue
            read.add(manifest.manifest_path)
            yield openable(manifest.manifest_path), manifest.manifest_length
            with readable(lake.storage, manifest.manifest_path):
                entries = manifest.fetch_manifest_entry(lake.io)
            yield from ((openable(entry.data_file.file_path), None) for entry in entries)


def _of_releases(table: Table, releases: Sequence[Release]) -> Iterator[tuple[str, int | None]]:
    """What the manifests of kept releases name of this table; each of its snapshots must still be known to the table."""
    name = ".".join(table.name())
    for release in releases:
        if released := release.tables.get(name):
            if table.metadata.snapshot_by_id(released.snapshot) is None:
                raise CatalogError(f"{name} has lost its snapshot of release {release.number}, which is kept")
            yield openable(released.metadata), None
            yield from ((path, None) for path in released.files)


def _check_presence(references: References, listings: Mapping[str, Listing]) -> None:
    """If anything needed is not among the listed files, paths do not mean what they seem to, and no file is safe."""
    stored = {file.path: file.bytes for listing in listings.values() for file in listing.files}
    for path, size in references.needed.items():
        if path not in stored:
            raise CatalogError(f"{path} is referred to but does not lie there (missing, or behind a link)")
        if size not in (None, stored[path]):
            raise CatalogError(f"{path} has {stored[path]} bytes where {size} were written")


def _folder(lake: Lake, name: str) -> str:
    return openable(f"{lake.warehouse}/{name.replace('.', '/')}")


def _told(orphans: Sequence[StoredFile], old: Sequence[StoredFile]) -> Swept:
    size, old_size = sum(file.bytes for file in orphans), sum(file.bytes for file in old)
    return Swept(len(old), old_size, len(orphans) - len(old), size - old_size)
