"""The releases that an engine on the lake's own tables serves: each manifest is read once, and tells rows and snapshots."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from medflow.lakehouse.releases import Release, read_release
from medflow.lakehouse.storage import Storage
from medflow.settings import Settings
from rag_backend.engines.base import ReadPolicy


class Releases:
    """The manifests of one lake. Safe for several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._read: dict[int, Release] = {}

    def release(self, number: int) -> Release:
        """The release of this number.

        Raises:
            UsageError: there is none, or it is no longer kept. CatalogError: the catalog or the manifest cannot be read.
        """
        with self._lock:
            if number not in self._read:
                self._read[number] = self._found(number)
            return self._read[number]

    def row_counts(self, number: int, policy: ReadPolicy) -> Mapping[str, int]:
        """Rows of the release's tables that the policy names."""
        tables = self.release(number).tables
        return {name: tables[name].records for name in policy.tables if name in tables}

    def _found(self, number: int) -> Release:
        from medflow.lakehouse.database import connect

        engine = connect(self._settings.catalog, create=False)
        try:
            return read_release(engine, number, Storage.of(self._settings))
        finally:
            engine.dispose()
