"""A table as declared: name, grain, owner, columns, partition. Values only; nothing is read or written here."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

Transform = Literal["identity", "day", "month", "year"]
_PARTITION = re.compile(r"(?:(day|month|year)\((\w+)\)|(\w+))\Z")


class Declared(BaseModel):
    """Base of every declaration: frozen, and unknown keys are problems."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(Declared):
    """One column; `type` is a Spark SQL type such as `decimal(12,2)` or `array<string>`."""

    name: str
    type: str
    about: str = ""
    private: bool = False
    additive: bool = False


class PartitionField(Declared):
    """One partition field: a column and the Iceberg transform of it."""

    column: str
    transform: Transform

    @classmethod
    def parse(cls, text: str) -> PartitionField:
        """`month(service_month)` or `payer_id`.

        Raises:
            ValueError: neither form.
        """
        match = _PARTITION.match(text.strip())
        if not match:
            raise ValueError(f"a partition is a column, or day|month|year(column), not {text!r}")
        transform, inner, plain = match.groups()
        return cls.model_validate({"column": inner or plain, "transform": transform or "identity"})


class TableSpec(Declared):
    """A declared table; `name` is `namespace.table`, `file` where it is declared, below the knowledge base."""

    name: str
    about: str
    grain: tuple[str, ...]
    owner: str
    columns: tuple[Column, ...]
    partition: tuple[PartitionField, ...] = ()
    sort: tuple[str, ...] = ()
    file: str = ""

    @property
    def namespace(self) -> str:
        return self.name.split(".")[0]

    @property
    def short_name(self) -> str:
        """The name without its namespace: what the build's SQL calls it."""
        return self.name.split(".")[1]

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)
