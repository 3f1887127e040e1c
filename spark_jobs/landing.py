"""The landing folder: files in, each known by its SHA-256 and never by its name. Nothing here opens a file's content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from medflow.errors import LandingError, UsageError
from medflow.lakehouse.folders import Contents, Folder, LocalFolder, folder
from medflow.lakehouse.ledger_entries import SeenFile
from medflow.lakehouse.storage import Storage
from medflow.settings import Settings

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


@dataclass(frozen=True)
class Landing:
    """The landing folder, and who answers for it."""

    folder: Folder
    storage: Storage

    @classmethod
    def of(cls, settings: Settings) -> Landing:
        """The folder that the setting `landing` names."""
        storage = Storage.of(settings)
        return cls(folder(settings.landing, storage), storage)

    @classmethod
    def local(cls, path: Path) -> Landing:
        """A folder of this machine, laid out as a landing folder is."""
        return cls(LocalFolder(str(path.absolute())), Storage())

    @property
    def address(self) -> str:
        return self.folder.address

    def at(self, name: str) -> str:
        """The address of a file below it."""
        return self.folder.at(name)

    def contents(self) -> Contents | None:
        """What lies below it; None: it is not there. Raises LandingError: it cannot be listed."""
        with self.storage.landing_access(self.address):
            return self.folder.contents()

    def hash_of(self, name: str) -> str:
        """SHA-256 of a file in hex. Raises LandingError: it cannot be read."""
        with self.storage.landing_access(self.at(name)), self.folder.open(name) as stream:
            return HashingReader(stream).hexdigest()

    def holds(self, name: str, sha256: str) -> bool:
        """Whether a file of this name and content lies there. Raises LandingError: it cannot be read."""
        with self.storage.landing_access(self.at(name)):
            try:
                stream = self.folder.open(name)
            except FileNotFoundError:
                return False
            with stream:
                return HashingReader(stream).hexdigest() == sha256


def landing_files(landing: Landing, payers: Collection[str]) -> list[SeenFile]:
    """Every finished file below `<landing>/<payer>/`, hashed, by payer and name.

    Raises:
        LandingError: no such folder, or a file cannot be read.
        UsageError: a folder that is no declared payer, or a file that lies in none.
    """
    contents = landing.contents()
    if contents is None:
        told = "`medflow land DIR` copies payer files there (MEDFLOW_LANDING)"
        raise LandingError(f"there is no landing folder at {landing.address}; {told}")
    tree = _Tree(landing, contents)
    for name in tree.folders(""):
        if name not in payers and tree.holds_payers(name, payers):
            path = landing.at(name)
            raise UsageError(f"{path} lies one level too deep; `medflow land {path}` copies its files to the folders of their payers")
    return list(tree.seen("", payers))


def land(source: Path, landing: Landing, payers: Collection[str], progress: Callable[[str], None]) -> list[Landed]:
    """Copy `source/<payer>/...` (or `source/<any>/<payer>/...`) to the landing folder; a file already there by content is left.

    Raises:
        LandingError: `source` is not a folder, holds nothing to land, or cannot be copied.
        UsageError: a folder that is no declared payer.
    """
    given = Landing.local(source)
    contents = given.contents()
    if contents is None:
        raise LandingError(f"{source} is not a folder; `medflow land DIR` takes a folder with one folder a payer: {', '.join(payers)}")
    there = landing_files(landing, payers) if landing.contents() else []
    shelf = _Shelf(landing, {(file.payer, file.sha256): file.name for file in there})
    tree, done = _Tree(given, contents), []
    for root in tree.roots(payers):
        for file in tree.seen(root, payers):
            progress(PurePosixPath(file.name).name)
            done.append(shelf.take(given, file, file.name.removeprefix(f"{root}/")))
    if not done:
        raise LandingError(f"{source} holds no file to land; a file lies below a folder named after its payer: {', '.join(payers)}")
    return done


@dataclass(frozen=True)
class _Shelf:
    """The landing folder, and what lies there by content."""

    landing: Landing
    here: dict[tuple[str, str], str]

    def take(self, source: Landing, file: SeenFile, name: str) -> Landed:
        """Copy a file, unless its content is there; a file of the same name with other content stays, too."""
        key = (file.payer, file.sha256)
        if key in self.here:
            return Landed(file.payer, self.here[key], file.sha256, copied=False)
        if name in self.here.values():
            path = PurePosixPath(name)
            name = str(path.with_name(f"{path.stem}-{file.sha256[:8]}{path.suffix}"))
        with self.landing.storage.landing_access(self.landing.address), source.folder.open(file.name) as stream:
            self.landing.folder.put(name, stream)
        self.here[key] = name
        return Landed(file.payer, name, file.sha256, copied=True)


@dataclass(frozen=True)
class _Tree:
    """What was listed in a folder, read as payers and days; `root` is a folder inside it, empty for itself."""

    landing: Landing
    contents: Contents

    def folders(self, root: str) -> list[str]:
        """The names of the folders directly in `root`, hidden ones left out."""
        return sorted(name for name in _children(self.contents.folders, root) if not name.startswith("."))

    def holds_payers(self, root: str, payers: Collection[str]) -> bool:
        return any(name in payers for name in self.folders(root))

    def roots(self, payers: Collection[str]) -> list[str]:
        """The folder itself, and its folders of one day each where the payers lie one level down."""
        inner = [name for name in self.folders("") if name not in payers]
        days = [name for name in inner if self.holds_payers(name, payers)]
        if unknown := [name for name in inner if name not in days]:
            raise self._unknown_payer(unknown[0], payers)
        return ["", *days]

    def seen(self, root: str, payers: Collection[str]) -> Iterator[SeenFile]:
        """The finished files of the payers in `root`, hashed."""
        for payer, name in self._payer_files(root, payers):
            yield SeenFile(payer=payer, sha256=self.landing.hash_of(name), name=name, bytes=self.contents.files[name])

    def _payer_files(self, root: str, payers: Collection[str]) -> Iterator[tuple[str, str]]:
        for folder_name in self.folders(root):
            inside = _joined(root, folder_name)
            if folder_name in payers:
                yield from ((folder_name, name) for name in self._files_below(inside))
            elif not self.holds_payers(inside, payers):
                raise self._unknown_payer(inside, payers)
        loose = sorted(name for name in _children(self.contents.files, root) if _finished(name) and name not in _NOT_CLAIMS)
        if loose:
            where = self.landing.at(root) if root else self.landing.address
            raise UsageError(f"{loose[0]} lies directly in {where}; a file lies in the folder of its payer: {', '.join(payers)}")

    def _files_below(self, root: str) -> list[str]:
        found = (name for name in self.contents.files if name.startswith(f"{root}/") and _finished(PurePosixPath(name).name))
        return sorted(found, key=lambda name: name.split("/"))

    def _unknown_payer(self, name: str, payers: Collection[str]) -> UsageError:
        return UsageError(
            f"{self.landing.at(name)} is not the folder of a declared payer; declared: {', '.join(sorted(payers))}. "
            f"Add payers/{PurePosixPath(name).name}.yaml to the knowledge base, or move the folder away"
        )


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


def _children(names: Collection[str], root: str) -> Iterator[str]:
    """The last steps of the names directly in `root`."""
    start = f"{root}/" if root else ""
    return (name.removeprefix(start) for name in names if name.startswith(start) and "/" not in name.removeprefix(start))


def _joined(root: str, name: str) -> str:
    return f"{root}/{name}" if root else name


def _finished(name: str) -> bool:
    return not name.startswith(".") and PurePosixPath(name).suffix not in _UNFINISHED
