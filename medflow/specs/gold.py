"""A gold table as declared: one SQL file whose comment header says grain, owner, columns, partition, what touches it and
how it is verified, followed by one SELECT in Spark SQL."""

from __future__ import annotations

import re
from typing import Literal

from medflow.specs.table import Column, Declared, PartitionField, TableSpec

_FILE = re.compile(r"\A/\*\n(?P<header>.*?)\n\*/\n(?P<query>.+)\Z", re.DOTALL)

TouchedBy = Literal["claim_service_date", "received_date", "service_year"]


class GoldColumn(Declared):
    """One column; `additive`: its values add up over rows, so verification ties them to claims_clean."""

    type: str
    about: str
    additive: bool = False


class GoldHeader(Declared):
    """The header as written."""

    table: str
    about: str
    grain: tuple[str, ...]
    owner: str
    partition: str
    touched_by: TouchedBy
    reads_codes: tuple[str, ...] = ()
    columns: dict[str, GoldColumn]
    ties: dict[str, str]
    ties_from: str = "claims_clean"
    checks: tuple[str, ...] = ()


class GoldTable(Declared):
    """A gold table: its spec, its query over claims_clean and code lists, and how it is verified.

    `ties`: each additive column as an aggregate over the lines of claims_clean (`ties_from`), by partition and payer:
    written by hand a second time, so that verification does not repeat the query. `checks` hold in each row.
    """

    spec: TableSpec
    query: str
    touched_by: TouchedBy
    reads_codes: tuple[str, ...]
    ties: dict[str, str]
    ties_from: str
    checks: tuple[str, ...]

    @classmethod
    def of(cls, header: GoldHeader, query: str, file: str = "") -> GoldTable:
        columns = tuple(Column(name=n, type=c.type, about=c.about, additive=c.additive) for n, c in header.columns.items())
        spec = TableSpec(
            name=header.table,
            about=header.about,
            grain=header.grain,
            owner=header.owner,
            columns=columns,
            partition=(PartitionField.parse(header.partition),),
            file=file,
        )
        return cls(
            spec=spec,
            query=query,
            touched_by=header.touched_by,
            reads_codes=header.reads_codes,
            ties=header.ties,
            ties_from=header.ties_from,
            checks=header.checks,
        )


def split_file(text: str) -> tuple[str, str] | None:
    """The header's YAML and the query, or None when the file has not this form."""
    match = _FILE.match(text)
    return (match["header"], match["query"]) if match else None
