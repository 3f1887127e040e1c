"""DuckDB's way to files on S3: its wheel has no client of its own, so that it asks ours, by the interface of fsspec."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from duckdb import DuckDBPyConnection
from fsspec import AbstractFileSystem  # type: ignore[import-untyped]  # it ships no types

from medflow.lakehouse.storage import S3, Storage

# DuckDB opens a file for every look at it: what is this small is fetched once, and so much is kept.
_WHOLE_BYTES = 16 << 20
_KEPT_BYTES = 256 << 20
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


class DuckDBFiles(AbstractFileSystem):  # type: ignore[misc]  # of no known type
    """What DuckDB asks of a file system, for addresses that name one file each. A data file never changes."""

    protocol = "s3"
    cachable = False

    def __init__(self, storage: Storage) -> None:
        super().__init__()
        self._files = storage.filesystem(S3)[0]
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._turn = threading.Lock()

    def open(self, path: str, mode: str = "rb", *_: Any, **__: Any) -> Any:
        """A file to read from; small ones from memory."""
        name = path.removeprefix(S3)
        with self._turn:
            if name in self._kept:
                self._kept.move_to_end(name)
                return BytesIO(self._kept[name])
        file = self._files.open_input_file(name)
        self._sizes[name] = file.size()
        if self._sizes[name] > _WHOLE_BYTES:
            return file
        with file:
            content = file.read()
        self._keep(name, content)
        return BytesIO(content)

    def _keep(self, name: str, content: bytes) -> None:
        with self._turn:
            self._kept[name] = content
            while sum(map(len, self._kept.values())) > _KEPT_BYTES:
                self._kept.popitem(last=False)

    def size(self, path: str) -> int:
        """Bytes of a file."""
        name = path.removeprefix(S3)
        if name not in self._sizes:
            self.open(path).close()
        return self._sizes[name]

    def modified(self, path: str) -> datetime:
        """One instant for all: a name is never used again."""
        return _NEVER

    def exists(self, path: str, **_: Any) -> bool:
        """Told by opening it."""
        return True

    def glob(self, path: str, **_: Any) -> list[str]:
        """The address itself: a table names its files, so nothing is looked for."""
        return [path]


def open_s3(database: DuckDBPyConnection, storage: Storage) -> None:
    """Let a DuckDB database read `s3://` addresses as long as it lives."""
    database.register_filesystem(DuckDBFiles(storage))


def s3_problem(error: BaseException, storage: Storage) -> str | None:
    """What kept DuckDB from a data file on S3 and what to do, as a sentence; None: another error. Its own text is a traceback of ours."""
    text = str(error)
    if "AWS Error" not in text and not ("pyarrow" in text and "FileNotFoundError" in text):
        return None
    told = FileNotFoundError(text) if "FileNotFoundError" in text else OSError(text)
    problem = storage.problem(told, S3) or "cannot be read or written"
    return f"a data file of the warehouse {problem}. It is named by MEDFLOW_WAREHOUSE; nothing was published"
