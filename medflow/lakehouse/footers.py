"""Parquet files on their way into a table: each is described by its footer. Reads footers; commits nothing."""

from __future__ import annotations

import os
from typing import Any, cast

from pyarrow import parquet
from pyiceberg.io.fileformat import DataFileStatistics
from pyiceberg.io.pyarrow import (
    MetricModeTypes,
    StatisticsCollector,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    match_metrics_mode,
    parquet_path_to_id_mapping,
    pyarrow_to_schema,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import Table

from medflow.errors import CatalogError
from medflow.lakehouse.locations import openable
from medflow.lakehouse.schema import spark_type
from medflow.lakehouse.storage import is_remote
from medflow.lakehouse.warehouse_io import WarehouseIO

_STATISTICS = ("value_counts", "null_value_counts", "nan_value_counts", "lower_bounds", "upper_bounds")


def data_location(table: Table) -> str:
    """The folder below which the table's data files are written, as every engine opens it."""
    return openable(f"{table.location()}/data")


class FooterReader:
    """Describes Parquet files of one table, as it is now, for a commit."""

    def __init__(self, table: Table) -> None:
        self._table, self._schema, self._spec = table, table.schema(), table.spec()
        self._name, self._storage = ".".join(table.name()), cast(WarehouseIO, table.io).storage
        self._paths = parquet_path_to_id_mapping(self._schema)
        self._plan = compute_statistics_plan(self._schema, table.properties)
        self._hidden = {number for number, column in self._plan.items() if column.mode.type == MetricModeTypes.NONE}
        self._checked: parquet.ParquetSchema | None = None
        for field in self._spec.fields:
            # bounds of a private column stay out of the metadata, yet its partition is found from them
            if field.source_id in self._hidden:
                self._plan[field.source_id] = _in_full(self._plan[field.source_id])

    def describe(self, path: str) -> DataFile | None:
        """The file at `path`, below the table's data location; None if it holds no row.

        Raises:
            CatalogError: it is missing, lies elsewhere, spans two partitions, or its columns are not the table's.
        """
        address = self._address(path)
        footer, size = self._read(address)
        if self._checked is None or not footer.schema.equals(self._checked):
            self._check_columns(path, footer)
        if not footer.num_rows:
            return None
        statistics = data_file_statistics_from_parquet_metadata(footer, self._plan, self._paths)
        file = DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=address,
            file_format=FileFormat.PARQUET,
            partition=self._partition(path, statistics),
            file_size_in_bytes=size,
            sort_order_id=None,
            spec_id=self._spec.spec_id,
            equality_ids=None,
            key_metadata=None,
            **self._shown(statistics),
        )
        file.spec_id = self._spec.spec_id  # from_args leaves the property unset
        return file

    def _address(self, path: str) -> str:
        folder = f"{data_location(self._table)}/"
        if not openable(path).startswith(folder):
            raise CatalogError(f"{openable(path)} cannot become part of {self._name}: its files are written below {folder}")
        return f"{self._table.location()}/data/{openable(path).removeprefix(folder)}"

    def _read(self, address: str) -> tuple[parquet.FileMetaData, int]:
        file = self._table.io.new_input(address)
        try:
            with file.open() as stream:
                return parquet.read_metadata(stream), stream.seek(0, os.SEEK_END)
        except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
            problem = self._storage.problem(error, address) if is_remote(address) else None
            told = problem or f"is no whole Parquet file ({type(error).__name__}); write it again"
            raise CatalogError(f"{openable(address)} {told}") from None

    def _check_columns(self, path: str, footer: parquet.FileMetaData) -> None:
        try:
            written = pyarrow_to_schema(footer.schema.to_arrow_schema())
        except (ValueError, TypeError):
            raise CatalogError(f"{openable(path)} has columns without field ids or of no known type; write it anew") from None
        declared = {field.field_id: field for field in self._schema.columns}
        wrong = [
            f"{field.name} (id {field.field_id}, {spark_type(field.field_type)})"
            for field in written.columns
            if (own := declared.get(field.field_id)) is None or (own.name, own.field_type) != (field.name, field.field_type)
        ]
        if wrong:
            raise CatalogError(f"{openable(path)} does not fit {self._name}: name, id or type differs in {', '.join(wrong)}")
        self._checked = footer.schema

    def _partition(self, path: str, statistics: DataFileStatistics) -> Any:
        for field in self._spec.fields:
            bounds = statistics.column_aggregates.get(field.source_id)
            absent = statistics.null_value_counts.get(field.source_id)
            empty = bounds is None or bounds.current_min is None
            if absent not in (0, statistics.record_count) or (empty and absent != statistics.record_count):
                raise self._mixed(path, field.name)
        try:
            return statistics.partition(self._spec, self._schema)
        except ValueError:  # its text shows the values
            raise self._mixed(path, ", ".join(field.name for field in self._spec.fields)) from None

    def _mixed(self, path: str, field: str) -> CatalogError:
        return CatalogError(f"{openable(path)} is not in one partition of {self._name}: {field} has several values or no bounds")

    def _shown(self, statistics: DataFileStatistics) -> dict[str, Any]:
        shown = statistics.to_serialized_dict()
        for kind in _STATISTICS:
            shown[kind] = {number: value for number, value in shown[kind].items() if number not in self._hidden}
        return shown


def _in_full(column: StatisticsCollector) -> StatisticsCollector:
    return StatisticsCollector(column.field_id, column.iceberg_type, match_metrics_mode("full"), column.column_name)
