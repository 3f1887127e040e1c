"""Compaction: partitions of many small files are rewritten as few, on a branch, proved equal, and published as a release.

The same rows under the same declarations: no file enters the ledger, no figure of the gate changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from medflow.errors import VerificationError
from medflow.lakehouse.batch_ids import derived_batch_id
from medflow.lakehouse.ledger import new_batch
from medflow.lakehouse.lock import WriterLock
from medflow.lakehouse.releases import DataFileInfo, PartitionValue, Release, ReleasedTable
from medflow.specs.table import Column, TableSpec
from spark_jobs.engines.base import BuildEngine
from spark_jobs.pipeline import Order, Site, build_engine
from spark_jobs.publish import Publication, publish
from spark_jobs.writer import BranchWriter, Ref

# To open a file costs a reader about as much as to read on in one it has open: this many bytes.
SMALL_BYTES = 32 << 20
# So many small files are opened side by side without being felt.
SMALL_FILES = 8
# One file of a rewritten partition holds about this much where an engine asks how many to write.
TARGET_BYTES = 128 << 20

PartitionKey = tuple[PartitionValue, ...]
_REFS: tuple[Ref, Ref] = ("main", "branch")


@dataclass(frozen=True)
class Compacted:
    """A table whose partitions were rewritten: files and bytes of those partitions before and after."""

    partitions: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True)
class Compaction:
    """What came of it: batch and release are None where nothing was worth rewriting."""

    batch_id: str | None = None
    release: int | None = None
    tables: Mapping[str, Compacted] = field(default_factory=dict)


def compact(site: Site, order: Order, lock: WriterLock) -> Compaction:
    """Rewrite what is worth it in the current release and publish the result; nothing worth it is no release.

    Raises:
        VerificationError: rows differ before and after; nothing was published.
        FencedError, CatalogError, DeclarationError: as a run; nothing was published.
    """
    if site.ledger.current_release() is None:
        return Compaction()
    release = site.release()
    wanted = {name: partitions for name, table in release.tables.items() if (partitions := _wanted(site, name, table))}
    if not wanted:
        return Compaction()
    context = (release.declarations, release.number)
    batch_id = derived_batch_id("compact", site.ledger.contents(release.number), wanted, context)
    lake = site.lake()
    writer = BranchWriter(lake, batch_id, lock.check)
    with build_engine(site.settings) as engines:
        rewrites = [_Rewrite(writer, site.knowledge_base.spec(name), partitions) for name, partitions in wanted.items()]
        for rewrite in rewrites:
            order.report(f"compacting {rewrite.spec.name}")
            rewrite.write(engines.build, lock)
        rewrites = [rewrite for rewrite in rewrites if rewrite.written]
        if not rewrites:
            return Compaction()
        site.ledger.start_batch(new_batch(batch_id, "compact", order.run_date, release.declarations))
        writer.open([rewrite.spec for rewrite in rewrites])
        tables = {rewrite.spec.name: rewrite.replace() for rewrite in rewrites}
        for rewrite in rewrites:
            order.report(f"proving {rewrite.spec.name}")
            rewrite.prove(engines.verifier)
    heads = {name: writer.head(name, "branch") for name in tables}
    number = publish(lake, site.ledger, lock, replace(_publication(order, release, batch_id, tables), heads=heads))
    return Compaction(batch_id, number, tables)


def scattered(table: ReleasedTable) -> dict[PartitionKey, list[DataFileInfo]]:
    """The partitions worth rewriting, each with all its files.

    One is if its small files are more than 8, and so many that opening them costs more than reading the whole partition: so a
    small file pays for at most 32 MB of rewriting, however large its partition has grown.
    """
    return {key: files for key, files in _by_partition(table.data_files).items() if _is_scattered(files)}


def _by_partition(files: Iterable[DataFileInfo]) -> dict[PartitionKey, list[DataFileInfo]]:
    partitions: dict[PartitionKey, list[DataFileInfo]] = defaultdict(list)
    for file in files:
        partitions[tuple(file.partition.values())].append(file)
    return partitions


def _is_scattered(files: Sequence[DataFileInfo]) -> bool:
    small = sum(file.bytes < SMALL_BYTES for file in files)
    return small > max(SMALL_FILES, sum(file.bytes for file in files) // SMALL_BYTES)


def _wanted(site: Site, name: str, table: ReleasedTable) -> dict[PartitionKey, list[DataFileInfo]]:
    """Nothing of a table that is declared with other columns by now, or not at all: a run gives it those first."""
    declared = {spec.name: set(spec.column_names) for spec in site.knowledge_base.table_specs}
    return scattered(table) if declared.get(name) == {column.name for column in table.columns} else {}


@dataclass
class _Rewrite:
    """One table: its scattered partitions, and those of them that came out with fewer files."""

    writer: BranchWriter
    spec: TableSpec
    scattered: Mapping[PartitionKey, Sequence[DataFileInfo]]
    written: dict[PartitionKey, list[str]] = field(default_factory=dict)

    def write(self, engine: BuildEngine, lock: WriterLock) -> None:
        """Each partition's rows as new files, which nothing refers to yet."""
        target, relation = self.writer.target(self.spec), f"scattered_{self.spec.short_name}"
        for key, files in self.scattered.items():
            lock.check()
            engine.files(relation, _paths(files), self.spec)
            count = 1 + sum(file.bytes for file in files) // TARGET_BYTES
            # Spark would write as many files as it reads; DuckDB writes one
            hint = f"/*+ COALESCE({count}) */ " if engine.name == "spark" else ""
            paths = engine.write(f"SELECT {hint}* FROM {relation}", target)
            engine.drop(relation)
            if len(paths) < len(files):
                self.written[key] = paths

    def replace(self) -> Compacted:
        """On the branch, the new files in the place of the old."""
        name, keys = self.spec.name, list(self.written)
        self.writer.replace(name, [path for paths in self.written.values() for path in paths], keys)
        before, after = (self.writer.files(name, ref, keys) for ref in _REFS)
        return Compacted(len(keys), len(before), len(after), _bytes(before), _bytes(after))

    def prove(self, engine: BuildEngine) -> None:
        """Told from what lies on main and on the branch: the same rows equally often in each partition, no other file touched.

        Raises:
            VerificationError: they differ.
        """
        before, after = (_by_partition(self.writer.files(self.spec.name, ref)) for ref in _REFS)
        untouched = [{key: sorted(_paths(files)) for key, files in one.items() if key not in self.written} for one in (before, after)]
        wrong = [] if untouched[0] == untouched[1] else ["a partition was changed that was not rewritten"]
        for key in self.written:
            engine.files("rows_before", _paths(before[key]), self.spec)
            engine.files("rows_after", _paths(after[key]), self.spec)
            unequal = engine.fetch(_unequal_sql(self.spec))[0]["n"]
            counts = [sum(file.records for file in one[key]) for one in (before, after)]
            if unequal or counts[0] != counts[1]:
                wrong.append(f"a partition of {counts[0]} rows came out with {counts[1]}, {unequal} of them different")
        engine.drop("rows_before", "rows_after")
        if wrong:
            raise VerificationError(
                f"compacting {self.spec.name} would change it: {'; '.join(wrong)}. Nothing was published. "
                "Keep the lake as it is and report this: what was written is not what was read"
            )


def _unequal_sql(spec: TableSpec) -> str:
    """How many different rows are not equally often in `rows_before` and `rows_after`."""
    columns = ", ".join(f"{_comparable(column)} AS {column.name}" for column in spec.columns)
    sides = f"SELECT {columns}, 1 AS side FROM rows_before UNION ALL SELECT {columns}, -1 AS side FROM rows_after"
    names = ", ".join(spec.column_names)
    return f"SELECT COUNT(*) AS n FROM (SELECT {names} FROM ({sides}) AS sides GROUP BY {names} HAVING SUM(side) <> 0) AS unequal"


def _comparable(column: Column) -> str:
    # Spark groups by no map
    return f"ARRAY_SORT(MAP_ENTRIES({column.name}))" if column.type.lower().startswith("map<") else column.name


def _paths(files: Sequence[DataFileInfo]) -> list[str]:
    return [file.path for file in files]


def _bytes(files: Sequence[DataFileInfo]) -> int:
    return sum(file.bytes for file in files)


def _publication(order: Order, release: Release, batch_id: str, tables: Mapping[str, Compacted]) -> Publication:
    """Of what the current release was built from, so that no rebuild comes due and none is forgotten; heads are to come."""
    return Publication(
        batch_id=batch_id,
        kind="compact",
        heads={},
        run_date=order.run_date,
        created_at=order.clock(),
        declarations=release.declarations,
        fingerprints=release.fingerprints,
        result={"compacted": {name: asdict(table) for name, table in tables.items()}},
    )
