"""What a table must become to hold what is declared: columns are added, nothing else about its shape changes."""

from __future__ import annotations

from collections.abc import Iterator

from pyiceberg.table import Table, Transaction
from pyiceberg.transforms import IdentityTransform

from medflow.lakehouse.schema import (
    iceberg_schema,
    iceberg_type,
    normal_type,
    partition_name,
    sort_order,
    spark_type,
    table_properties,
)
from medflow.specs.table import TableSpec


def conflicts(spec: TableSpec, table: Table) -> Iterator[str]:
    """Why the table cannot hold what is declared, one sentence each."""
    schema = table.schema()
    declared = {column.name: normal_type(column.type) for column in spec.columns}
    iceberg_schema(spec)  # raises for types that do not exist
    for field in schema.columns:
        stored = spark_type(field.field_type)
        if field.name not in declared:
            yield f"{spec.name}.{field.name}: the table has this column; keep it declared, columns are only ever added"
        elif declared[field.name] != stored:
            yield f"{spec.name}.{field.name}: the table holds {stored}, not {declared[field.name]}; declare a new column"
    stored_partition = [field.name for field in table.spec().fields]
    if stored_partition != [partition_name(field) for field in spec.partition]:
        yield f"{spec.name}: the table is partitioned by {', '.join(stored_partition) or 'nothing'}; declare a new table"


def evolve(spec: TableSpec, transaction: Transaction) -> None:
    """Collect in the transaction what is missing: columns, sort order, properties."""
    schema = transaction.table_metadata.schema()
    missing = [column for column in spec.columns if column.name not in schema.column_names]
    if missing:
        with transaction.update_schema() as update:
            for column in missing:
                update.add_column(column.name, iceberg_type(column.type), doc=column.about or None)
    schema = transaction.table_metadata.schema()
    if sort_order(spec, schema).fields != transaction.table_metadata.sort_order().fields:
        with transaction.update_sort_order() as sort:
            for name in spec.sort:
                sort.asc(name, IdentityTransform())
    stored = transaction.table_metadata.properties
    changed = {name: value for name, value in table_properties(spec, schema).items() if stored.get(name) != value}
    changed.pop("format-version", None)  # kept by the metadata itself, not among its properties
    if changed:
        transaction.set_properties(changed)
