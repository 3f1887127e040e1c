"""A table's columns as Arrow writes them to Parquet: types and field ids."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from pyiceberg.schema import Schema
from pyiceberg.types import DecimalType, IcebergType, ListType, MapType, StructType

_ATOMS = {
    "string": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", "UTC"),
}


def arrow_schema(schema: Schema, names: Iterable[str]) -> pa.Schema:
    """The Arrow schema of data files with these columns of the table; strings and lists of less than 2 GiB a batch."""
    columns = [schema.find_field(name) for name in names]
    return pa.schema([_field(column.name, column.field_id, column.field_type) for column in columns])


def _field(name: str, number: int, kind: IcebergType, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, _type(kind), nullable, {b"PARQUET:field_id": str(number).encode()})


def _type(kind: IcebergType) -> pa.DataType:
    if isinstance(kind, DecimalType):
        return pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, ListType):
        return pa.list_(_field("element", kind.element_id, kind.element_type))
    if isinstance(kind, MapType):
        key = _field("key", kind.key_id, kind.key_type, nullable=False)
        return pa.map_(key, _field("value", kind.value_id, kind.value_type))
    if isinstance(kind, StructType):
        return pa.struct([_field(field.name, field.field_id, field.field_type) for field in kind.fields])
    return _ATOMS[str(kind)]
