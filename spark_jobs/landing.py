"""The landing folder: files in, each known by its SHA-256 and never by its name. Nothing here opens a file's content."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from medflow.errors import LandingError, UsageError
from medflow.lakehouse.ledger_entries import SeenFile

_CHUNK = 4 << 20
_UNFINISHED = (".part", ".tmp", ".crdownload")
_NOT_CLAIMS = frozenset({"truth.json"})


@dataclass(frozen=True)
class Landed:
    """What `land` did with one file."""

    payer: str
    name: str
    sha256: str
    copied: bool


def landing_files(landing: Path, payers: Collection[str]) -> list[SeenFile]:
    """Every finished file below `landing/<payer>/`, hashed, by payer and name.

    Raises:
        LandingError: no such folder, or a file cannot be read.
        UsageError: a folder that is no declared payer, or a file that lies in none.
    """
    if not landing.is_dir():
        raise LandingError(f"there is no landing folder at {landing}; `medflow land DIR` copies payer files there (MEDFLOW_LANDING)")
    for folder in _folders(landing):
        if folder.name not in payers and _holds_payers(folder, payers):
            raise UsageError(f"{folder} lies one level too deep; `medflow land {folder}` copies its files to the folders of their payers")
    return [_seen(landing, payer, path) for payer, path in _payer_files(landing, payers)]


def land(source: Path, landing: Path, payers: Collection[str], progress: Callable[[str], None]) -> list[Landed]:
    """Copy `source/<payer>/...` (or `source/<any>/<payer>/...`) to the landing folder; a file already there by content is left.

    Raises:
        LandingError: `source` is not a folder, holds nothing to land, or cannot be copied.
        UsageError: a folder that is no declared payer.
    """
    if not source.is_dir():
        raise LandingError(f"{source} is not a folder; `medflow land DIR` takes a folder with one folder a payer: {', '.join(payers)}")
    try:
        landing.mkdir(parents=True, exist_ok=True)
        shelf = _Shelf(landing, {(file.payer, file.sha256): file.name for file in landing_files(landing, payers)})
        done = []
        for folder in _roots(source, payers):
            for payer, path in _payer_files(folder, payers):
                progress(path.name)
                done.append(_land_one(payer, path, path.relative_to(folder).as_posix(), shelf))
    except OSError as error:
        raise LandingError(f"cannot copy to {landing}: {error.strerror}; check the disk and the permissions of MEDFLOW_LANDING") from error
    if not done:
        raise LandingError(f"{source} holds no file to land; a file lies below a folder named after its payer: {', '.join(payers)}")
    return done


@dataclass(frozen=True)
class _Shelf:
    """The landing folder, and what lies there by content."""

    landing: Path
    here: dict[tuple[str, str], str]


class HashingReader:
    """A stream that hashes what is read through it, so that a file changed since it was discovered is noticed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._digest.update(data)
        return data

    def hexdigest(self) -> str:
        """The hash of the whole file: reads what is left."""
        while self.read(_CHUNK):
            pass
        return self._digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _roots(source: Path, payers: Collection[str]) -> list[Path]:
    """`source` itself, or its folders of one day each where the payers lie one level down."""
    inner = [path for path in _folders(source) if path.name not in payers]
    days = [path for path in inner if _holds_payers(path, payers)]
    unknown = [path for path in inner if path not in days]
    if unknown:
        raise _unknown_payer(unknown[0], payers)
    return [source, *days]


def _payer_files(folder: Path, payers: Collection[str]) -> Iterator[tuple[str, Path]]:
    for payer_folder in _folders(folder):
        if payer_folder.name in payers:
            files = (path for path in sorted(payer_folder.rglob("*")) if path.is_file() and _finished(path))
            yield from ((payer_folder.name, path) for path in files)
        elif not _holds_payers(payer_folder, payers):
            raise _unknown_payer(payer_folder, payers)
    loose = [path.name for path in sorted(folder.iterdir()) if path.is_file() and _finished(path) and path.name not in _NOT_CLAIMS]
    if loose:
        raise UsageError(f"{loose[0]} lies directly in {folder}; a file lies in the folder of its payer: {', '.join(payers)}")


def _holds_payers(folder: Path, payers: Collection[str]) -> bool:
    return any(child.name in payers for child in _folders(folder))


def _folders(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))


def _finished(path: Path) -> bool:
    return not path.name.startswith(".") and path.suffix not in _UNFINISHED


def _unknown_payer(folder: Path, payers: Collection[str]) -> UsageError:
    return UsageError(
        f"{folder} is not the folder of a declared payer; declared: {', '.join(sorted(payers))}. "
        f"Add payers/{folder.name}.yaml to the knowledge base, or move the folder away"
    )


def _seen(landing: Path, payer: str, path: Path) -> SeenFile:
    name = path.relative_to(landing).as_posix()
    try:
        return SeenFile(payer=payer, sha256=file_hash(path), name=name, bytes=path.stat().st_size)
    except OSError as error:
        raise LandingError(f"{name} cannot be read: {error.strerror}; check its permissions and run again") from error


def _land_one(payer: str, path: Path, name: str, shelf: _Shelf) -> Landed:
    digest = _seen(path.parent, payer, path).sha256
    if (payer, digest) in shelf.here:
        return Landed(payer, shelf.here[payer, digest], digest, copied=False)
    target = shelf.landing / name
    if target.exists():  # the same name with other content: both are kept
        target = target.with_name(f"{target.stem}-{digest[:8]}{target.suffix}")
    _copy_whole(path, target)
    shelf.here[payer, digest] = target.relative_to(shelf.landing).as_posix()
    return Landed(payer, shelf.here[payer, digest], digest, copied=True)


def _copy_whole(path: Path, target: Path) -> None:
    """A reader of the landing folder sees the whole file or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.copyfile(path, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
