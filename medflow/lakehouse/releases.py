"""Releases as readers see them: one row of the catalog names a manifest that lists every table and data file.

Reads; never writes, and needs neither PyIceberg nor an engine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, inspect, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from medflow.errors import CatalogError, UsageError
from medflow.lakehouse.ledger_entries import BatchKind
from medflow.lakehouse.ledger_tables import EXPIRED, RELEASES
from medflow.lakehouse.locations import openable
from medflow.lakehouse.storage import Storage

# What to do where the catalog names files that are not there.
MEND = (
    "Put it back, or name the right places in MEDFLOW_WAREHOUSE and MEDFLOW_CATALOG; if it is lost, `medflow run --recover` "
    "builds the lake anew from the landing files"
)
PartitionValue = str | int | bool | None


@dataclass(frozen=True)
class DataFileInfo:
    """A Parquet file of a table. `path` opens in every engine; a date in `partition` is days, months or years since 1970."""

    path: str
    partition: Mapping[str, PartitionValue]
    records: int
    bytes: int


@dataclass(frozen=True)
class ReleasedColumn:
    """A column by its Iceberg field id, which older files keep under any name, and its Spark type."""

    id: int
    name: str
    type: str


@dataclass(frozen=True)
class ReleasedTable:
    """A table of a release. Files written before a column was added lack it: read them by name, absent = NULL."""

    snapshot: int
    metadata: str
    columns: tuple[ReleasedColumn, ...]
    data_files: tuple[DataFileInfo, ...]

    @property
    def files(self) -> list[str]:
        return [file.path for file in self.data_files]

    @property
    def records(self) -> int:
        return sum(file.records for file in self.data_files)


@dataclass(frozen=True)
class Release:
    """One whole state of the lake; nothing in it ever changes."""

    number: int
    parent: int | None
    restored: int | None
    batch_id: str
    kind: BatchKind
    run_date: date
    created_at: datetime
    declarations: str
    fingerprints: Mapping[str, str]
    tables: Mapping[str, ReleasedTable]

    def to_json(self) -> str:
        """The manifest's text."""
        content = {**asdict(self), "run_date": self.run_date.isoformat(), "created_at": self.created_at.isoformat()}
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Release:
        """The inverse of `to_json`."""
        content = json.loads(text)
        dates = {"run_date": date.fromisoformat(content["run_date"]), "created_at": datetime.fromisoformat(content["created_at"])}
        return cls(**{**content, **dates, "tables": {name: _table(table) for name, table in content["tables"].items()}})


def read_release(engine: Engine, number: int | None = None, storage: Storage | None = None) -> Release:
    """Release `number`, or the current one; `storage` is asked where its manifest lies on S3.

    Raises:
        CatalogError: there is no release yet, or its manifest is gone.
        UsageError: there is no such release, or it is no longer kept.
    """
    address, files = str(_row(engine, number).manifest), storage or Storage()
    _refuse_expired(engine, number)
    try:
        return Release.from_json(files.read_text(address))
    except FileNotFoundError as error:
        _refuse_expired(engine, number)  # while we were reading
        raise CatalogError(f"the manifest {openable(address)} of the release {files.problem(error, address)}. {MEND}") from None
    except OSError as error:
        problem = files.problem(error, address) or f"cannot be read ({type(error).__name__}); put back a copy"
        raise CatalogError(f"the manifest {openable(address)} of the release {problem}. It lies in MEDFLOW_WAREHOUSE") from None
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogError(f"the manifest {openable(address)} cannot be read ({type(error).__name__}); put back a copy") from None


def release_stamp(engine: Engine, number: int | None = None) -> tuple[int, datetime]:
    """Number and instant of release `number`, or of the current one: cheap to ask, and in another lake another.

    Raises:
        CatalogError: there is no release yet.
        UsageError: there is no such release.
    """
    row = _row(engine, number)
    return row.release, row.created_at


def _row(engine: Engine, number: int | None) -> Any:
    columns = (RELEASES.c.release, RELEASES.c.created_at, RELEASES.c.manifest)
    query = select(*columns).order_by(RELEASES.c.release.desc()).limit(1)
    if number is not None:
        query = query.where(RELEASES.c.release == number)
    try:
        with engine.connect() as connection:
            row = connection.execute(query).one_or_none()
    except (OperationalError, ProgrammingError):  # the ledger has never been made
        row = None
    if row:
        return row
    if number is None:
        raise CatalogError("there is no release yet: `medflow run` makes one from the files in the landing folder")
    raise UsageError(f"there is no release {number}; `medflow releases list` shows those that there are")


def _refuse_expired(engine: Engine, number: int | None) -> None:
    # the current release never expires; a catalog that an older version made has no such table yet
    if number is None or not inspect(engine).has_table(EXPIRED.name):
        return
    with engine.connect() as connection:
        day = connection.execute(select(EXPIRED.c.expired_on).where(EXPIRED.c.release == number)).scalar_one_or_none()
    if day is not None:
        raise UsageError(
            f"release {number} is no longer kept: `medflow maintain` expired it on {day}. Choose a later one; "
            "`medflow releases list` shows which are kept"
        )


def _table(content: Mapping[str, Any]) -> ReleasedTable:
    columns = tuple(ReleasedColumn(**column) for column in content["columns"])
    data_files = tuple(DataFileInfo(**file) for file in content["data_files"])
    return ReleasedTable(content["snapshot"], content["metadata"], columns, data_files)
