"""Data files as Iceberg's metadata describes them: their partitions, and the form in which readers know them. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.types import DateType

from medflow.lakehouse.locations import openable
from medflow.lakehouse.releases import DataFileInfo, PartitionValue

Partition = tuple[Any, ...]  # one value per partition field: Iceberg's own, or any date within a day, month or year
_EPOCH = date(1970, 1, 1)


def described(table: Table, file: DataFile) -> DataFileInfo:
    """A data file as readers know it."""
    names = [field.name for field in table.specs()[file.spec_id].fields]
    partition = dict(zip(names, partition_of(table, file), strict=True))
    return DataFileInfo(openable(file.file_path), partition, file.record_count, file.file_size_in_bytes)


def partition_of(table: Table, file: DataFile) -> tuple[PartitionValue, ...]:
    """The partition's values as Iceberg keeps them: days, months or years since 1970, else the column's own value."""
    return tuple(file.partition[position] for position in range(len(table.specs()[file.spec_id].fields)))


def iceberg_partitions(table: Table, partitions: Collection[Partition]) -> set[tuple[PartitionValue, ...]]:
    """Partitions with every date as Iceberg's own value of it."""
    transforms = [field.transform.transform(DateType()) for field in table.spec().fields]
    return {
        tuple(
            transform((value - _EPOCH).days) if isinstance(value, date) else value
            for transform, value in zip(transforms, values, strict=True)
        )
        for values in partitions
    }
