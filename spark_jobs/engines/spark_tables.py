"""Private Iceberg tables of a run: metadata in a scratch folder of the driver, data files wherever they are given or wanted.

Executors are sent the table and the addresses of its data files, and never open its metadata. The lake's catalog is never open
in the JVM, so that no commit of Spark can touch it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pyiceberg.io import FileIO, load_file_io
from pyiceberg.serializers import FromInputFile, ToOutputFile
from pyiceberg.table.metadata import TableMetadata
from pyspark.sql import SparkSession

from spark_jobs.engines.spark_session import WORK_CATALOG, work_catalog_folder


@dataclass(frozen=True)
class PrivateTable:
    """One table, by the name that Spark knows and the folder of its metadata."""

    name: str
    folder: Path

    @property
    def io(self) -> FileIO:
        """Where its metadata are read and written."""
        return load_file_io({}, str(self.folder))

    def create(self, metadata: TableMetadata) -> None:
        """Make the table as these metadata say, but for where they lie."""
        placed = metadata.model_copy(update={"location": str(self.folder)})
        ToOutputFile.table_metadata(placed, self.io.new_output(self._metadata_path("1")))
        self._version.write_text("1", encoding="utf-8")

    def read(self) -> TableMetadata:
        """Its metadata as Spark left them."""
        version = self._version.read_text(encoding="utf-8").strip()
        return FromInputFile.table_metadata(self.io.new_input(self._metadata_path(version)))

    @property
    def _version(self) -> Path:
        return self.folder / "metadata" / "version-hint.text"

    def _metadata_path(self, version: str) -> str:
        return str(self.folder / "metadata" / f"v{version}.metadata.json")


class PrivateTables:
    """The tables of one run, in a namespace of their own that goes with it."""

    def __init__(self, session: SparkSession, namespace: str) -> None:
        self.session, self._namespace = session, namespace
        self._folder = work_catalog_folder(session) / namespace

    def table(self, name: str) -> PrivateTable:
        """The place of a table that may not be there yet."""
        return PrivateTable(f"{WORK_CATALOG}.{self._namespace}.{name}", self._folder / name)

    def close(self) -> None:
        """Forget them; data files stay."""
        shutil.rmtree(self._folder, ignore_errors=True)
