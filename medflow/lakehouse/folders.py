"""A folder behind an address: what lies below it by name, read, written whole, deleted. The scheme picks folder or bucket.

Names are paths below the folder with `/` between their steps. A writer's file is seen whole or not at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from medflow.lakehouse.locations import openable
from medflow.lakehouse.storage import Storage, is_remote

_CHUNK = 8 << 20
_LINKED_STEPS = 2  # a day's folder, a payer's folder: these may be links


@dataclass(frozen=True)
class Contents:
    """Everything below a folder, at any depth: files with their bytes, and folders."""

    files: Mapping[str, int] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()


class Folder(Protocol):
    """What callers may do with a folder. Every method may raise OSError."""

    @property
    def address(self) -> str:
        """Where it is, as people and engines name it."""

    def contents(self) -> Contents | None:
        """What lies below it; None where there is no such folder, or in a bucket nothing below it."""

    def at(self, name: str) -> str:
        """The address of a name below it."""

    def open(self, name: str) -> BinaryIO:
        """A file's bytes, to be read once and closed."""

    def put(self, name: str, source: BinaryIO) -> None:
        """Write a file, in the place of one of this name; whoever lists the folder sees all of it or nothing."""


def folder(address: str, storage: Storage) -> Folder:
    """The folder at an address."""
    return S3Folder(address.rstrip("/"), storage) if is_remote(address) else LocalFolder(str(Path(openable(address)).absolute()))


@dataclass(frozen=True)
class LocalFolder:
    """A folder of this machine. Links to folders are followed for its first two steps and no further."""

    address: str

    def contents(self) -> Contents | None:
        if not self._path.is_dir():
            return None
        files: dict[str, int] = {}
        folders = set()
        for path in _below(self._path, _LINKED_STEPS):
            name = path.relative_to(self._path).as_posix()
            if path.is_dir():
                folders.add(name)
            elif path.is_file():
                files[name] = path.stat().st_size
        return Contents(files, frozenset(folders))

    def at(self, name: str) -> str:
        return str(self._path / name)

    def open(self, name: str) -> BinaryIO:
        return (self._path / name).open("rb")

    def put(self, name: str, source: BinaryIO) -> None:
        target = self._path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as stream:
                shutil.copyfileobj(source, stream, _CHUNK)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return Path(self.address)


def _below(folder: Path, linked_steps: int) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and (linked_steps or not path.is_symlink()):
            with suppress(PermissionError):
                yield from _below(path, max(0, linked_steps - 1))


@dataclass(frozen=True)
class S3Folder:
    """A prefix of a bucket."""

    address: str
    storage: Storage

    def contents(self) -> Contents | None:
        from pyarrow.fs import FileSelector, FileType

        files, root = self.storage.filesystem(self.address)
        found = files.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
        names = {info.path.removeprefix(f"{root}/"): info for info in found}
        if not names:
            return None
        return Contents(
            {name: info.size for name, info in names.items() if info.type == FileType.File},
            frozenset(name for name, info in names.items() if info.type == FileType.Directory),
        )

    def at(self, name: str) -> str:
        return f"{self.address}/{name}"

    def open(self, name: str) -> BinaryIO:
        return self.storage.open(self.at(name))

    def put(self, name: str, source: BinaryIO) -> None:
        files, target = self.storage.filesystem(self.at(name))
        folder, _, last = target.rpartition("/")
        # Arrow completes what it has begun to write even where its source fails, so that it never writes at the name itself.
        part = f"{folder}/.{last}.{os.getpid()}.part"
        try:
            with files.open_output_stream(part) as stream:
                for chunk in iter(partial(source.read, _CHUNK), b""):
                    stream.write(chunk)
            files.copy_file(part, target)
        finally:
            with suppress(OSError):  # hidden from whoever lists the folder
                files.delete_file(part)
