"""Identities of batches: the same files, or the same intent on the same lake, give the same id. Hashes only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

FileKey = tuple[str, str]  # payer, SHA-256
_DIGITS = 16


def batch_id(files: Iterable[FileKey]) -> str:
    """16 hex digits for the accepted files of a load, in any order."""
    return _digest(_spelled(files))


def derived_batch_id(kind: str, files: Iterable[FileKey], tables: Iterable[str], context: tuple[str, int]) -> str:
    """16 hex digits for a rebuild, restore or recovery.

    `context` is the hash of the declarations and the number of the release it starts from (0 = none).
    """
    declarations, release = context
    return _digest([kind, *_spelled(files), *sorted(tables), declarations, str(release)])


def _spelled(files: Iterable[FileKey]) -> list[str]:
    return sorted(f"{payer}:{sha256}" for payer, sha256 in files)


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_DIGITS]
