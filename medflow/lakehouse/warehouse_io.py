"""PyIceberg's way to the files of the warehouse: through our storage, so that addresses and keys have one reading."""

from __future__ import annotations

from typing import Any

from pyarrow.fs import FileSystem
from pyiceberg.io.pyarrow import PyArrowFileIO

from medflow.lakehouse.storage import Storage


class WarehouseIO(PyArrowFileIO):
    """Arrow's file systems for `file://` and `s3://`. It has no properties, so nothing secret can be copied from it."""

    def __init__(self, storage: Storage) -> None:
        super().__init__({})
        self.storage = storage

    def _initialize_s3_fs(self, netloc: str | None) -> FileSystem:
        return self.storage.filesystem(f"s3://{netloc}")[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return WarehouseIO, (self.storage,)
