"""Addresses of files in the warehouse: one spelling for Iceberg, one that every engine opens. Touches no catalog."""

from __future__ import annotations

import errno
from pathlib import Path
from urllib.parse import unquote

from medflow.errors import UsageError

_LOCAL = "file://"
LOCAL_PROBLEMS = {
    errno.ENOSPC: "cannot be written: the disk is full. Free some space and run again; what was published is safe",
    errno.EDQUOT: "cannot be written: the disk quota is used up. Free some space and run again; what was published is safe",
    errno.EACCES: "cannot be opened: you may not. Ask for the right to read and write it",
    errno.EROFS: "cannot be written: the file system is read-only",
}
_UNSAFE = "#?*["  # cut off by URI parsers, or taken as a pattern by the engines


def warehouse_location(setting: str) -> str:
    """The warehouse as tables name it: `file:///a b` (never percent-encoded, PyIceberg does not decode) or `s3://…`.

    Raises:
        UsageError: the address holds a character that URI parsers or engines read as something else.
    """
    place = setting.rstrip("/")
    if place.startswith(_LOCAL):
        place = _LOCAL + unquote(place.removeprefix(_LOCAL))
    elif "://" not in place:
        place = f"{_LOCAL}{Path(place).absolute()}"
    if found := [mark for mark in _UNSAFE if mark in place]:
        raise UsageError(f"MEDFLOW_WAREHOUSE holds {' '.join(found)}, which is not allowed in it; choose another folder: {place}")
    return place


def openable(address: str) -> str:
    """The address as DuckDB, Arrow and Python open it: a plain path if it is local, else unchanged."""
    return address.removeprefix(_LOCAL)
