"""The version that kept plans and tables carry: a digest of all that makes them, besides question, policy and release."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import medflow
from rag_backend.cache.keys import digest

_SOURCES = tuple(Path(package).parent for package in (medflow.__file__, __file__))


def version_of(knowledge_base: Path) -> str:
    """A digest of the code and of every declaration. To be taken before these are read: what is kept then never bears a later version."""
    return digest(_code(), _content((path for path in knowledge_base.rglob("*") if path.is_file()), knowledge_base))


@cache
def _code() -> str:
    return digest(*(_content(source.rglob("*.py"), source) for source in _SOURCES))


def _content(files: Iterable[Path], root: Path) -> str:
    named = sorted((path.relative_to(root).as_posix(), path) for path in files)
    return digest(*(part for name, path in named for part in (name, path.read_bytes())))
