"""Bronze and silver table files: YAML in, a `TableSpec` out. `contract: claim_line` stands for all columns of the contract,
`from: claim_line` takes a column's description from it."""

from __future__ import annotations

from typing import Any

from medflow.specs.contract import Contract
from medflow.specs.source import Source
from medflow.specs.table import Column, Declared, PartitionField, TableSpec


class TableFile(Declared):
    """A table file as written."""

    table: str
    about: str
    grain: tuple[str, ...]
    owner: str
    partition: tuple[str, ...]
    sort: tuple[str, ...] = ()
    columns: dict[str, Any]


class WrittenColumn(Declared):
    """One column as written."""

    type: str
    about: str = ""
    private: bool = False


def table_spec(source: Source, contract: Contract | None) -> TableSpec | None:
    """The table of one file, or None with its problems reported."""
    file = source.build(TableFile, source.data)
    if file is None:
        return None
    columns = _columns(source, file, contract)
    names = {column.name for column in columns}
    for key, listed in (("grain", file.grain), ("sort", file.sort)):
        for name in listed:
            if name not in names:
                source.problem((key,), f"{key}: {name} is not a column of {file.table}")
    partition = [field for text in file.partition if (field := _partition_field(source, text, names)) is not None]
    return TableSpec(
        name=file.table,
        about=file.about,
        grain=file.grain,
        owner=file.owner,
        columns=columns,
        partition=tuple(partition),
        sort=file.sort,
        file=source.name,
    )


def _partition_field(source: Source, text: str, names: set[str]) -> PartitionField | None:
    try:
        field = PartitionField.parse(text)
    except ValueError as error:
        source.problem(("partition",), str(error))
        return None
    if field.column not in names:
        source.problem(("partition",), f"partition: {field.column} is not a column")
        return None
    return field


def _columns(source: Source, file: TableFile, contract: Contract | None) -> tuple[Column, ...]:
    found: list[Column] = []
    for name, written in file.columns.items():
        if name == "contract" and contract:
            found += contract.as_columns()
        elif (column := _column(source, name, written, contract)) is not None:
            found.append(column)
    return tuple(found)


def _column(source: Source, name: str, written: Any, contract: Contract | None) -> Column | None:
    spot = ("columns", name)
    if not isinstance(written, dict) or "from" not in written:
        plain = source.build(WrittenColumn, written, spot)
        return None if plain is None else Column(name=name, type=plain.type, about=plain.about, private=plain.private)
    origin = contract.columns.get(name) if contract and written["from"] == contract.contract else None
    if contract is None or origin is None:
        source.problem(spot, f"{name}: {written['from']} has no such column")
        return None
    if written.get("type") != origin.type:
        source.problem(spot, f"{name}: type {written.get('type')} here, {origin.type} in {contract.contract}")
    return Column(name=name, type=origin.type, about=origin.about, private=origin.private)
