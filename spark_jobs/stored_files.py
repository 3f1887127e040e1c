"""The files of the warehouse as the storage lists them: where each lies, its bytes, when it was written; and their deletion.

Never follows a link and never leaves the warehouse.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]  # it ships no types

from medflow.errors import CatalogError, MedflowError, MissingExtraError
from medflow.lakehouse.locations import openable, warehouse_access


@dataclass(frozen=True)
class StoredFile:
    """A file; `path` as every engine opens it."""

    path: str
    bytes: int
    modified: datetime


@dataclass(frozen=True)
class Listing:
    """What lies below a folder, at any depth. `folders` come before those inside them; storages without folders have none."""

    files: tuple[StoredFile, ...] = ()
    folders: tuple[str, ...] = ()


class Warehouse:
    """The storage of the warehouse at a location as tables name it, `file:///…` or `s3://…`.

    Raises:
        MissingExtraError: what reads such a storage is not installed.
    """

    def __init__(self, location: str) -> None:
        scheme = location.partition("://")[0]
        self._is_local = scheme == "file"
        self._root, self._prefix = openable(location), "" if self._is_local else f"{scheme}://"
        try:
            self._storage = fsspec.filesystem(scheme)
        except ImportError:
            raise MissingExtraError(f"the reader of {scheme}:// warehouses", "services") from None

    def below(self, folder: str) -> Listing:
        """What lies below `folder`, a path inside the warehouse; nothing if it is not there, is a link or lies behind one.

        Raises:
            CatalogError: a folder cannot be listed.
        """
        self._storage.invalidate_cache()
        steps = folder.split("/")
        if not all(self._is_folder("/".join(steps[: count + 1])) for count in range(len(steps))):
            return Listing()
        files: list[StoredFile] = []
        folders = [f"{self._root}/{folder}"]
        for place in folders:  # grows
            with warehouse_access(place):
                entries = [one for one in self._storage.ls(place, detail=True) if self._path(one) != place]
            folders += [self._path(one) for one in entries if one["type"] == "directory"]
            files += [_file(self._path(one), one) for one in entries if one["type"] == "file"]
        return Listing(tuple(files), tuple(folders[1:]) if self._is_local else ())

    def delete(self, file: StoredFile) -> None:
        """Delete a file that `below` has listed; one that is gone already is fine.

        Raises:
            CatalogError: it cannot be deleted, or a link now stands in its way.
        """
        if self._is_local and Path(file.path).parent.resolve() != Path(self._root).resolve() / self._inside(file).parent:
            raise CatalogError(f"{file.path} now lies behind a link, which is not followed; put the folder back in its place")
        with warehouse_access(file.path):
            try:
                self._storage.rm_file(file.path)
            except FileNotFoundError:
                return

    def delete_empty(self, folders: tuple[str, ...]) -> None:
        """Delete those of the listed folders that hold nothing."""
        for folder in reversed(folders):
            try:
                Path(folder).rmdir()
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
                    raise

    def _is_folder(self, folder: str) -> bool:
        try:
            found = self._storage.info(f"{self._root}/{folder}")
        except FileNotFoundError:
            return False
        return found["type"] == "directory" and not found.get("islink", False)

    def _path(self, entry: Mapping[str, Any]) -> str:
        return f"{self._prefix}{entry['name'].rstrip('/')}"

    def _inside(self, file: StoredFile) -> Path:
        return Path(file.path).relative_to(self._root)


@contextmanager
def readable(address: str) -> Iterator[None]:
    """Reading a file of the warehouse; whatever its reader stumbles over becomes a CatalogError that names the file."""
    try:
        with warehouse_access(address):
            yield
    except MedflowError:
        raise
    except Exception as error:  # damaged JSON, Avro or metadata: each library has its own errors, and all mean the same
        raise CatalogError(f"{openable(address)} cannot be read ({type(error).__name__}); put back a copy") from error


def _file(path: str, entry: Mapping[str, Any]) -> StoredFile:
    written = entry.get("mtime", entry.get("LastModified"))  # local files, S3
    if isinstance(written, (int, float)):
        written = datetime.fromtimestamp(written, UTC)
    if not isinstance(written, datetime):
        raise CatalogError(f"the storage does not tell when {path} was written, so that nothing in it can be called old")
    return StoredFile(path, int(entry["size"]), written)
