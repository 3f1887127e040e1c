"""Months as partitions. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

_EPOCH_YEAR = 1970


def month_number(month: date) -> int:
    """Iceberg's month value: months since January 1970."""
    return (month.year - _EPOCH_YEAR) * 12 + month.month - 1


def month_partitions(months: Collection[date]) -> set[tuple[object, ...]]:
    """Partition tuples of a table that is partitioned by month alone."""
    return {(month_number(month),) for month in months}
