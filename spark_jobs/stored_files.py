"""The files of the warehouse as the storage lists them: where each lies, its bytes, when it was written; and their deletion.

Never follows a link and never leaves the warehouse.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from medflow.errors import CatalogError, MedflowError
from medflow.lakehouse.locations import openable
from medflow.lakehouse.storage import S3, Storage, is_remote


@dataclass(frozen=True)
class StoredFile:
    """A file; `path` as every engine opens it."""

    path: str
    bytes: int
    modified: datetime


@dataclass(frozen=True)
class Listing:
    """What lies below a folder, at any depth. `folders` come before those inside them."""

    files: tuple[StoredFile, ...] = ()
    folders: tuple[str, ...] = ()


class Warehouse(Protocol):
    """The warehouse's files. Every method raises CatalogError where the storage does not do what is asked."""

    def below(self, folder: str) -> Listing:
        """What lies below `folder`, a path inside the warehouse; nothing if it is not there, is a link or lies behind one."""

    def delete(self, file: StoredFile) -> None:
        """Delete a file that `below` has listed; one that is gone already is fine, one behind a link by now is not."""

    def delete_empty(self, folders: tuple[str, ...]) -> None:
        """Delete those of the listed folders that hold nothing."""


def warehouse(location: str, storage: Storage) -> Warehouse:
    """The warehouse at a location as tables name it, `file:///…` or `s3://…`."""
    return S3Warehouse(location, storage) if is_remote(location) else LocalWarehouse(openable(location), storage)


@dataclass(frozen=True)
class LocalWarehouse:
    root: str
    storage: Storage

    def below(self, folder: str) -> Listing:
        steps = folder.split("/")
        if not all(_is_own_folder(Path(self.root, *steps[: count + 1])) for count in range(len(steps))):
            return Listing()
        files: list[StoredFile] = []
        folders = [f"{self.root}/{folder}"]
        for place in folders:  # grows
            with self.storage.warehouse_access(place), os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: entry.name)
                folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
                files += [_stored(entry) for entry in entries if entry.is_file(follow_symlinks=False)]
        return Listing(tuple(files), tuple(folders[1:]))

    def delete(self, file: StoredFile) -> None:
        inside = Path(file.path).relative_to(self.root)
        if Path(file.path).parent.resolve() != Path(self.root).resolve() / inside.parent:
            raise CatalogError(f"{file.path} now lies behind a link, which is not followed; put the folder back in its place")
        with self.storage.warehouse_access(file.path):
            Path(file.path).unlink(missing_ok=True)

    def delete_empty(self, folders: tuple[str, ...]) -> None:
        for folder in reversed(folders):
            try:
                Path(folder).rmdir()
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
                    raise


@dataclass(frozen=True)
class S3Warehouse:
    location: str
    storage: Storage

    def below(self, folder: str) -> Listing:
        from pyarrow.fs import FileSelector, FileType

        address = f"{self.location}/{folder}"
        files, root = self.storage.filesystem(address)
        with self.storage.warehouse_access(address):
            found = files.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
        stored = (StoredFile(f"{S3}{info.path}", info.size, info.mtime) for info in found if info.type == FileType.File)
        folders = sorted(f"{S3}{info.path}" for info in found if info.type == FileType.Directory)
        return Listing(tuple(stored), tuple(folders))

    def delete(self, file: StoredFile) -> None:
        files, path = self.storage.filesystem(file.path)
        with self.storage.warehouse_access(file.path):
            try:
                files.delete_file(path)  # where it was the last of its folder, an empty object stands for that
            except FileNotFoundError:
                return

    def delete_empty(self, folders: tuple[str, ...]) -> None:
        from pyarrow.fs import FileSelector

        for folder in reversed(folders):
            files, path = self.storage.filesystem(folder)
            with self.storage.warehouse_access(folder):
                if not files.get_file_info(FileSelector(path, allow_not_found=True)):
                    files.delete_dir(path)


@contextmanager
def readable(storage: Storage, address: str) -> Iterator[None]:
    """Reading a file of the warehouse; whatever its reader stumbles over becomes a CatalogError that names the file."""
    try:
        with storage.warehouse_access(address):
            yield
    except MedflowError:
        raise
    except Exception as error:  # damaged JSON, Avro or metadata: each library has its own errors, and all mean the same
        raise CatalogError(f"{openable(address)} cannot be read ({type(error).__name__}); put back a copy") from error


def _is_own_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _stored(entry: os.DirEntry[str]) -> StoredFile:
    written = entry.stat(follow_symlinks=False)
    return StoredFile(entry.path, written.st_size, datetime.fromtimestamp(written.st_mtime, UTC))
