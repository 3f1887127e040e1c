"""A lake of a test's own, driven by the functions that the command calls, and read as a user of its releases would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from medflow.lakehouse.database import connect
from medflow.lakehouse.releases import Release, read_release
from medflow.settings import Settings, load_settings, packaged_knowledge_base
from medflow.specs.knowledge_base import load_knowledge_base
from spark_jobs.outcome import RunOutcome
from spark_jobs.pipeline import Order, Site, run_pipeline
from tests.support.claims import put

RUN_DATE = date(2026, 7, 1)
ROOT = Path(__file__).parents[2]
KEY = "a key for tests only"
_NOT_COMPARED = {"batch_id", "resolved_by_batch"}


@dataclass
class Lake:
    """One lake below `home`."""

    home: Path
    knowledge_base: Path = field(default_factory=packaged_knowledge_base)
    engine: str = "duckdb"
    catalog: str | None = None  # None = SQLite below `home`

    @property
    def settings(self) -> Settings:
        given = {"home": self.home, "knowledge_base": self.knowledge_base, "build_engine": self.engine}
        return load_settings(**given, catalog=self.catalog, pseudonym_key=KEY, memory="1GB", threads=2)

    @property
    def landing(self) -> Path:
        return self.settings.landing_folder

    def site(self) -> Site:
        return Site.open(self.settings)

    def put(self, payer: str, name: str, content: bytes) -> Path:
        return put(self.landing, payer, name, content)

    def generate(self, claims: int) -> None:
        """The sample of seed 7 as the command writes it, in the landing folder."""
        size = ["--claims", str(claims), "--seed", "7", "--out", str(self.landing)]
        subprocess.run([sys.executable, "-m", "medflow", "generate", *size], check=True, cwd=ROOT, capture_output=True)

    def run(self, run_date: date = RUN_DATE) -> RunOutcome:
        return run_pipeline(self.site(), order(run_date))

    def release(self, number: int | None = None) -> Release:
        return read_release(connect(self.settings.catalog), number)

    def rows(self, table: str, columns: str = "*", where: str = "TRUE") -> list[dict[str, Any]]:
        """Rows of a table of the current release, by DuckDB on its data files."""
        files = self.release().tables[table].files
        if not files:
            return []
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        result = connection.execute(f"SELECT {columns} FROM read_parquet($1, union_by_name = true) WHERE {where} ORDER BY ALL", [files])
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def content(self, tables: Iterable[str] | None = None) -> dict[str, list[str]]:
        """Every compared table as a sorted multiset of rows, by the identity of PIPELINE 3."""
        release = self.release()
        chosen = tables or [name for name in release.tables if name != "healthcare.data_quality_log"]
        return {name: sorted(map(repr, self._compared(name, release))) for name in chosen}

    def _compared(self, table: str, release: Release) -> list[tuple[Any, ...]]:
        names = [c.name for c in release.tables[table].columns if c.name not in _NOT_COMPARED and not c.name.endswith("_at")]
        chosen = ", ".join(f'"{name}"' for name in names)
        return [tuple(row.values()) for row in self.rows(table, chosen)]

    def command(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """The real command in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "medflow", *arguments],
            env=self.environment() | (environment or {}),
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        """What a process needs to work on this lake."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MEDFLOW_")}
        mine = {"HOME": str(self.home), "KNOWLEDGE_BASE": str(self.knowledge_base), "PSEUDONYM_KEY": KEY, "MEMORY": "1GB"}
        mine |= {"BUILD_ENGINE": self.engine, "THREADS": "2"} | ({"CATALOG": self.catalog} if self.catalog else {})
        return kept | {"PYTHONPATH": str(ROOT)} | {f"MEDFLOW_{name}": value for name, value in mine.items()}


def order(run_date: date = RUN_DATE) -> Order:
    """An order at a fixed clock."""
    return Order(run_date=run_date, clock=lambda: datetime(run_date.year, run_date.month, run_date.day, 6, tzinfo=UTC))


def copied_knowledge_base(target: Path) -> Path:
    """The packaged declarations, copied so that a test can change them."""
    import shutil

    shutil.copytree(packaged_knowledge_base(), target)
    return target


def knowledge_base_payers(path: Path) -> list[str]:
    return sorted(load_knowledge_base(path).payers)
