"""The silver contract as declared: the columns that every payer's line becomes, and the rules that it must keep."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medflow.specs.table import Column, Declared

Severity = Literal["warn", "error"]


class ContractColumn(Declared):
    """One column of the contract.

    `header`: a fact of the whole claim, the same on all its lines. `default`: Spark SQL where a payer's layout gives
    nothing. `final`: Spark SQL applied after the rules.
    """

    type: str
    about: str
    required: bool = False
    header: bool = False
    private: bool = False
    default: str = ""
    final: str = ""


class Rule(Declared):
    """A rule fails a line when `fails_when` (Spark SQL) is true; `{column}` stands for each of `columns` in turn."""

    id: str
    severity: Severity
    columns: tuple[str, ...] = Field(min_length=1)
    fails_when: str
    message: str
    reason: str
    only_fed: bool = False

    def condition(self, column: str) -> str:
        return self.fails_when.replace("{column}", column)

    def told(self, column: str) -> str:
        return self.message.replace("{column}", column)


class SiblingRule(Declared):
    """What a sound line of a claim version in error is given."""

    id: str
    message: str


class Contract(Declared):
    """The whole contract, in the order of the file."""

    contract: str
    columns: dict[str, ContractColumn]
    rules: tuple[Rule, ...]
    version_warnings: dict[str, str]
    sibling_rule: SiblingRule

    def as_columns(self) -> tuple[Column, ...]:
        return tuple(Column(name=name, type=c.type, about=c.about, private=c.private) for name, c in self.columns.items())

    @property
    def header_columns(self) -> tuple[str, ...]:
        return tuple(name for name, column in self.columns.items() if column.header)
