"""What a way has written: its tables' Parquet files in; rows, bytes, sums in cents and contents out, so that ways are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from medflow.bench.plain_files import GOLD, TABLES
from medflow.lakehouse.database import connect
from medflow.lakehouse.releases import read_release

_SUMMED = ("billed_amount", "allowed_amount", "paid_amount", "denied_amount")
_DIGITS = 10  # of a double: engines add in different orders


@dataclass(frozen=True)
class Figures:
    """One table: rows, Parquet bytes, and sums of its amounts in cents."""

    rows: int
    bytes: int
    cents: Mapping[str, int]


@dataclass(frozen=True)
class Outputs:
    """The data files of each table."""

    files: Mapping[str, Sequence[Path]]

    @classmethod
    def of_folder(cls, folder: Path) -> Outputs:
        """What a plain way wrote: one folder a table."""
        return cls({table: sorted((folder / table).rglob("*.parquet")) for table in TABLES})

    @classmethod
    def of_lake(cls, home: Path) -> Outputs:
        """What the current release of the lake at `home` holds."""
        release = read_release(connect(f"sqlite:///{home / 'lake.db'}", create=False))
        tables = {name.rpartition(".")[2]: table for name, table in release.tables.items()}
        return cls({table: [Path(path) for path in tables[table].files] for table in TABLES})

    @cached_property
    def figures(self) -> Mapping[str, Figures]:
        """The figures of every table."""
        return {table: _figures(files) for table, files in self.files.items()}

    @property
    def bytes(self) -> int:
        return sum(table.bytes for table in self.figures.values())

    def contents(self, table: str) -> Counter[Any]:
        """Rows as a multiset: whole ones of a gold table, row ids of the others."""
        if table not in GOLD:
            return Counter(value for file in self.files[table] for value in pq.read_table(file, columns=["row_id"])["row_id"].to_pylist())
        rows = (row for file in self.files[table] for row in pq.read_table(file, partitioning=None).to_pylist())
        return Counter(tuple((name, _comparable(row[name])) for name in sorted(row)) for row in rows)


def differences(one: Outputs, other: Outputs, *, deep: bool) -> list[str]:
    """What two ways disagree about, in sentences without any value of the data; `deep` compares row by row."""
    found = []
    for table in TABLES:
        mine, theirs = one.figures[table], other.figures[table]
        if mine.rows != theirs.rows:
            found.append(f"{table}: {mine.rows:,} and {theirs.rows:,} rows")
        elif mine.cents != theirs.cents:
            unequal = [name for name in {**mine.cents, **theirs.cents} if mine.cents.get(name) != theirs.cents.get(name)]
            found.append(f"{table}: sums of {', '.join(unequal)} differ")
        elif deep and (unlike := (one.contents(table) - other.contents(table)).total()):
            found.append(f"{table}: {unlike:,} of {mine.rows:,} {'rows' if table in GOLD else 'row ids'} differ")
    return found


def _figures(files: Iterable[Path]) -> Figures:
    rows = size = 0
    cents: Counter[str] = Counter()
    for path in files:
        with pq.ParquetFile(path) as file:
            rows += file.metadata.num_rows
            summed = [name for name in _SUMMED if name in file.schema_arrow.names]
            for batch in file.iter_batches(columns=summed) if summed else ():
                cents.update({name: int((pc.sum(batch[name]).as_py() or 0) * 100) for name in summed})
        size += path.stat().st_size
    return Figures(rows, size, dict(cents))


def _comparable(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    return value.normalize() if isinstance(value, Decimal) else value
