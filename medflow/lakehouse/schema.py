"""Declared tables as Iceberg sees them: types, partition, sort order, properties; and back to Spark's type names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import DayTransform, IdentityTransform, MonthTransform, Transform, YearTransform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

from medflow.errors import DeclarationError
from medflow.specs.table import PartitionField as DeclaredPartition
from medflow.specs.table import TableSpec

_ATOMS: dict[str, IcebergType] = {
    "string": StringType(),
    "int": IntegerType(),
    "bigint": LongType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
    "date": DateType(),
    "timestamp": TimestamptzType(),  # sessions run in UTC
}
_NAMES = {str(atom): name for name, atom in _ATOMS.items()}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)\Z")
_NESTED = re.compile(r"(array|map|struct)<(.+)>\Z")
_TRANSFORMS: dict[str, Transform[Any, Any]] = {
    "identity": IdentityTransform(),
    "day": DayTransform(),
    "month": MonthTransform(),
    "year": YearTransform(),
}
_ALLOWED = f"{', '.join(_ATOMS)}, decimal(p,s), array<…>, map<…,…>, struct<name:…>"


def iceberg_schema(spec: TableSpec) -> Schema:
    """All columns, optional, with the ids that a new table gives them.

    Raises:
        DeclarationError: types that are not allowed, all at once.
    """
    fields, problems = [], []
    for number, column in enumerate(spec.columns, start=1):
        try:
            fields.append(NestedField(number, column.name, iceberg_type(column.type), required=False, doc=column.about or None))
        except ValueError as error:
            problems.append(f"{spec.name}.{column.name}: {error}")
    if problems:
        raise DeclarationError(problems)
    return assign_fresh_schema_ids(Schema(*fields))


def iceberg_type(text: str) -> IcebergType:
    """A Spark type as Iceberg's; nested ids are placeholders until the schema assigns them.

    Raises:
        ValueError: not an allowed type.
    """
    name = normal_type(text)
    if name in _ATOMS:
        return _ATOMS[name]
    if match := _DECIMAL.match(name):
        return DecimalType(int(match[1]), int(match[2]))
    if match := _NESTED.match(name):
        return _nested(match[1], list(_split(match[2])))
    raise ValueError(f"{text} is not a type; allowed: {_ALLOWED}")


def spark_type(kind: IcebergType) -> str:
    """The Spark name of an Iceberg type, in the spelling of `normal_type`."""
    if isinstance(kind, DecimalType):
        return f"decimal({kind.precision},{kind.scale})"
    if isinstance(kind, ListType):
        return f"array<{spark_type(kind.element_type)}>"
    if isinstance(kind, MapType):
        return f"map<{spark_type(kind.key_type)},{spark_type(kind.value_type)}>"
    if isinstance(kind, StructType):
        return f"struct<{','.join(f'{field.name}:{spark_type(field.field_type)}' for field in kind.fields)}>"
    return _NAMES.get(str(kind), str(kind))


def normal_type(text: str) -> str:
    """One spelling of a type: lower case, no blanks."""
    return "".join(text.lower().split())


def partition_spec(spec: TableSpec, schema: Schema) -> PartitionSpec:
    """The declared partition with the field names that Spark gives: `payer_id`, `claim_service_date_month`."""
    return PartitionSpec(
        *(
            PartitionField(
                source_id=schema.find_field(field.column).field_id,
                field_id=PARTITION_FIELD_ID_START + number,
                transform=_TRANSFORMS[field.transform],
                name=partition_name(field),
            )
            for number, field in enumerate(spec.partition)
        )
    )


def partition_name(field: DeclaredPartition) -> str:
    """The name of a partition field."""
    return field.column if field.transform == "identity" else f"{field.column}_{field.transform}"


def sort_order(spec: TableSpec, schema: Schema) -> SortOrder:
    """The declared sort, ascending."""
    return SortOrder(*(SortField(schema.find_field(name).field_id, transform=IdentityTransform()) for name in spec.sort))


def table_properties(spec: TableSpec, schema: Schema) -> dict[str, str]:
    """Properties of the table; statistics of private columns stay out of Iceberg's metadata, which anyone may list."""
    private = {column.name for column in spec.columns if column.private}
    hidden = [name for name in schema.column_names if name.split(".")[0] in private]
    return {
        "format-version": "2",
        "write.parquet.compression-codec": "zstd",
        "write.metadata.delete-after-commit.enabled": "false",  # releases name their metadata files
        **{f"write.metadata.metrics.column.{name}": "none" for name in hidden},
    }


def _nested(kind: str, parts: list[str]) -> IcebergType:
    if kind == "array" and len(parts) == 1:
        return ListType(0, iceberg_type(parts[0]), element_required=False)
    if kind == "map" and len(parts) == 2:
        return MapType(0, iceberg_type(parts[0]), 0, iceberg_type(parts[1]), value_required=False)
    if kind == "struct" and all(":" in part for part in parts):
        pairs = [part.split(":", 1) for part in parts]
        return StructType(*(NestedField(n, name, iceberg_type(text), required=False) for n, (name, text) in enumerate(pairs)))
    raise ValueError(f"{kind}<{','.join(parts)}> is not a type; allowed: {_ALLOWED}")


def _split(text: str) -> Iterator[str]:
    """Parts between the commas that stand outside of brackets."""
    depth, start = 0, 0
    for position, mark in enumerate(text):
        depth += (mark in "<(") - (mark in ">)")
        if mark == "," and depth == 0:
            yield text[start:position]
            start = position + 1
    yield text[start:]
