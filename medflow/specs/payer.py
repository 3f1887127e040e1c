"""A payer's layout as declared: how its files are written, and which column feeds which silver column by which parser."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medflow.specs.table import Declared
from medflow.sql.parsers import CodeMaps, parser_of

Feeds = dict[str, str]
# Targets beside the contract's columns: used by `derive` and to find the principal diagnosis.
HELPER_TARGETS = frozenset({"claim_number", "diagnosis_qualifiers"})


class FileShape(Declared):
    """How a file is written. `trailer`: first field of a last line `<trailer>|<rows>|<signed billed cents>`."""

    delimiter: str = Field(min_length=1, max_length=1)
    quote: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    trailer: str | None = None


class LineGroups(Declared):
    """Service lines that stand side by side in one record: `{k}` in a name is 1 to `count`."""

    count: int = Field(ge=2, le=99)
    columns: dict[str, Feeds]


class PayerLayout(Declared):
    """One layout. `columns` in file order; `derive` is Spark SQL over the parsed targets, in order."""

    payer: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: str
    grain: str
    file: FileShape
    columns: dict[str, Feeds]
    line_groups: LineGroups | None = None
    optional: tuple[str, ...] = ()
    other_columns: Literal["warn", "keep"] = "warn"
    nulls: tuple[str, ...] = ()
    codes: dict[str, dict[str, str]] = Field(default_factory=dict)
    derive: dict[str, str] = Field(default_factory=dict)

    @property
    def code_maps(self) -> CodeMaps:
        return self.codes

    @property
    def header_names(self) -> tuple[str, ...]:
        """Every declared header name in file order, line groups written out."""
        return (*self.columns, *(name for group in self.group_names for name in group))

    @property
    def group_names(self) -> tuple[tuple[str, ...], ...]:
        """The header names of each line group, or nothing."""
        if self.line_groups is None:
            return ()
        numbers = range(1, self.line_groups.count + 1)
        return tuple(tuple(name.replace("{k}", str(k)) for name in self.line_groups.columns) for k in numbers)

    @property
    def record_columns(self) -> dict[str, Feeds]:
        """What one line is read from: the columns, and those of its group under their `{k}` names."""
        return {**self.columns, **(self.line_groups.columns if self.line_groups else {})}

    @property
    def fed(self) -> frozenset[str]:
        """Targets that a column of the file feeds."""
        return frozenset(target for feeds in self.record_columns.values() for target in feeds)

    def problems(self, targets: frozenset[str], required: frozenset[str]) -> list[tuple[tuple[str, ...], str]]:
        """What is wrong against the contract, as (key path, sentence)."""
        found = [problem for name, feeds in self.columns.items() for problem in self._feed_problems(("columns", name), feeds, targets)]
        if self.line_groups:
            for name, feeds in self.line_groups.columns.items():
                found += self._feed_problems(("line_groups", "columns", name), feeds, targets)
                if "{k}" not in name:
                    found.append((("line_groups", "columns", name), f"{name}: the name of a group's column holds {{k}}"))
        given = self.fed | set(self.derive) | ({"line_number"} if self.line_groups else set())
        found += [(("columns",), f"no column feeds {name}; it is required") for name in sorted(required - given)]
        unknown = [name for name in self.optional if name not in self.header_names]
        found += [(("optional",), f"optional names {name}, which is no declared column") for name in unknown]
        found += [(("derive", name), f"{name} is not a silver column") for name in self.derive if name not in targets]
        return found

    def _feed_problems(self, spot: tuple[str, ...], feeds: Feeds, targets: frozenset[str]) -> list[tuple[tuple[str, ...], str]]:
        found = []
        for target, parser in feeds.items():
            if target not in targets | HELPER_TARGETS:
                found.append(((*spot, target), f"{target} is not a silver column"))
            try:
                parser_of(parser, self.codes)
            except ValueError as error:
                found.append(((*spot, target), str(error)))
        return found
