"""A folder of declarations, read with every problem kept: each loader of `medflow.specs` takes its files from here.

What comes in is the folder; what goes out are typed values, the hash of every file that was read, and all problems together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from medflow.digests import sha256_of
from medflow.errors import DeclarationError
from medflow.specs.source import Model, Problems, Source, read_source


class Declarations:
    """The files below `root`: `hashes` has the SHA-256 of each one that was read, by its path below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems = Problems(root)
        self.hashes: dict[str, str] = {}

    def files(self, folder: str, suffix: str = "yaml") -> list[Path]:
        """The files of a folder in the order of their names; a folder that is not there has none."""
        return sorted((self.root / folder).glob(f"*.{suffix}"))

    def read(self, path: Path) -> Source | None:
        """One YAML file, or None with the problem kept."""
        return read_source(path, self.problems) if self.hashed(path) else None

    def hashed(self, path: Path, advice: str = "") -> bool:
        """Keep the hash of a file; a missing one is a problem, told with `advice`."""
        if not path.is_file():
            self.problems.add(path, 1, f"is missing{advice}")
            return False
        self.hashes[path.relative_to(self.root).as_posix()] = sha256_of(path)
        return True

    def built(self, path: Path, model: type[Model]) -> tuple[Source | None, Model | None]:
        """One YAML file as a typed value, with the source that knows its lines."""
        source = self.read(path)
        return source, None if source is None else source.build(model, source.data)

    def each(self, folder: str, model: type[Model]) -> Iterator[tuple[Source, Model]]:
        """Every file of a folder that is a sound declaration; what is wrong with the others is kept."""
        for path in self.files(folder):
            source, value = self.built(path, model)
            if source is not None and value is not None:
                yield source, value

    def raise_problems(self) -> None:
        """Raises DeclarationError: all problems, each as `file:line: what`."""
        if self.problems.found:
            raise DeclarationError(self.problems.found)


def digest_of(hashes: Mapping[str, str]) -> str:
    """SHA-256 over the hashes of files, whatever their order."""
    return digest(*(f"{name}={value}" for name, value in sorted(hashes.items())))


def digest(*parts: str) -> str:
    """SHA-256 over lines of text."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
