"""A lake on real servers, as tests use it, and the same lake embedded beside it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from medflow.lakehouse.duckdb_files import open_s3
from medflow.lakehouse.releases import Release, read_release
from medflow.lakehouse.storage import Storage
from medflow.settings import Settings, load_settings
from spark_jobs.landing import Landing, land
from spark_jobs.outcome import RunOutcome
from spark_jobs.pipeline import Site, run_pipeline
from spark_jobs.recompute import compared
from tests.support.lake import KEY, ROOT, RUN_DATE, order

_CHECKS = "healthcare.data_quality_log"


@dataclass
class ServiceLake:
    """The lake that an environment names; each command opens it anew, as a process does."""

    environment: Mapping[str, str]

    @cached_property
    def settings(self) -> Settings:
        given: dict[str, Any] = {name.removeprefix("MEDFLOW_").lower(): value for name, value in self.environment.items()}
        return load_settings(**given | {"pseudonym_key": KEY, "memory": "1GB", "threads": 2, "build_engine": "duckdb"})

    @property
    def storage(self) -> Storage:
        return Storage.of(self.settings)

    def site(self) -> Site:
        return Site.open(self.settings)

    def land(self, folder: Path) -> list[Any]:
        site = self.site()
        return land(folder, site.landing, site.knowledge_base.layouts, lambda _: None)

    def put(self, name: str, content: bytes) -> None:
        """An object in the landing prefix, as a payer's upload."""
        files, path = self.storage.filesystem(Landing.of(self.settings).at(name))
        with files.open_output_stream(path) as stream:
            stream.write(content)

    def run(self, run_date: date = RUN_DATE) -> RunOutcome:
        return run_pipeline(self.site(), order(run_date))

    def release(self, number: int | None = None) -> Release:
        return read_release(self.site().database, number, self.storage)


def settled(site: Site) -> dict[str, Counter[str]]:
    """The rows of the current release but for the log of checks, which tells of runs and engines."""
    return {name: rows for name, rows in contents(site, site.release()).items() if name != _CHECKS}


def contents(site: Site, release: Release) -> dict[str, Counter[str]]:
    """Every table's rows as a multiset, over the columns that make rows equal across runs."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    open_s3(database, site.storage)
    return {
        name: _rows(database, table.files, [c.name for c in compared(site.knowledge_base.spec(name))])
        for name, table in release.tables.items()
    }


def _rows(database: duckdb.DuckDBPyConnection, files: list[str], columns: list[str]) -> Counter[str]:
    if not files:
        return Counter()
    rows = database.execute(f"SELECT {', '.join(columns)} FROM read_parquet({files!r}, union_by_name = true)").fetchall()
    return Counter(map(repr, rows))


def generate(folder: Path, claims: int = 300) -> Path:
    """Sample files of three payers with lines in error."""
    size = ["--claims", str(claims), "--seed", "7", "--defects", "0.04", "--out", str(folder)]
    subprocess.run([sys.executable, "-m", "medflow", "generate", *size], check=True, cwd=ROOT, capture_output=True)
    return folder
