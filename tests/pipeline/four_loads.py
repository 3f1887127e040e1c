"""A lake of four loads that can be set up again, maintained in this process, and read release by release."""

from __future__ import annotations

import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb

from medflow.cli import _run
from spark_jobs.maintain import MaintainOutcome, maintain
from spark_jobs.pipeline import Order
from tests.support.claims import Line, Version, bluecross, unitedhealth
from tests.support.lake import RUN_DATE, Lake, order

LOADS = 4
RAW = "healthcare.claims_raw"


@dataclass
class Scene:
    """A lake of four loads, kept so that it can be set up again at the same place; and every row of its releases."""

    lake: Lake
    kept: Path
    expected: dict[int, dict[str, list[tuple[Any, ...]]]] = field(default_factory=dict)

    def set_up(self) -> Lake:
        shutil.rmtree(self.lake.home)
        shutil.copytree(self.kept, self.lake.home)
        return self.lake


def made_scene(folder: Path) -> Scene:
    """Four loads of two payers into the same partitions, and replacements among them."""
    lake = Lake(folder / "lake")
    for number in range(1, LOADS + 1):
        claims = [Version(f"C{number}-{n}", service=date(2026, 1 + n % 2, 5)) for n in range(5)]
        again = [Version(f"C{number - 1}-0", sequence=1, lines=(Line(), Line(2)))] if number > 1 else []
        lake.put("bluecross", f"{number}.csv", bluecross([*claims, *again]))
        lake.put("unitedhealth", f"{number}.txt", unitedhealth(claims))
        assert lake.run().release == number
    kept = folder / "kept"
    shutil.copytree(lake.home, kept)
    made = Scene(lake, kept)
    made.expected = {number: whole(lake, number) for number in range(1, LOADS + 1)}
    return made


def whole(lake: Lake, number: int) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of a release, sorted, by DuckDB from the files that its manifest names."""
    connection = duckdb.connect()
    read = "SELECT COLUMNS(*)::VARCHAR FROM read_parquet($1, union_by_name = true, hive_partitioning = false) ORDER BY ALL"
    tables = lake.release(number).tables
    return {name: connection.execute(read, [table.files]).fetchall() if table.files else [] for name, table in tables.items()}


def two_days_later(run_date: date = RUN_DATE) -> Order:
    """All files that lie there now are old by this order's clock."""
    return replace(order(run_date), clock=lambda: datetime.now(UTC) + timedelta(days=2))


def maintained(lake: Lake, run_date: date = RUN_DATE) -> MaintainOutcome:
    return maintain(lake.site(), two_days_later(run_date))


@dataclass
class Told:
    """What the command said, and how it ended."""

    code: int
    out: str
    err: str


def command(lake: Lake, *arguments: str) -> Told:
    """The command in this process, which has imported all that it needs."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = _run(["--home", str(lake.home), "--knowledge-base", str(lake.knowledge_base), *arguments])
    return Told(code, out.getvalue(), err.getvalue())


def data_files(lake: Lake) -> set[Path]:
    return set((lake.home / "warehouse").rglob("*.parquet"))
