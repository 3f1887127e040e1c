"""A payer's layout compiled: its framed records in, its service lines out, one Spark SQL SELECT.

Every line has the contract's columns, a `<column>__bad` flag (filled, but its parser could not read it), and its identity:
file_id, record_number, line_index, row_id. A damaged record is one line of index 0 with its parse_error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from medflow.specs.contract import Contract
from medflow.specs.payer import PayerLayout
from medflow.sql.parsers import parser_of

IDENTITY = ("payer_id", "file_id", "ingest_date", "record_number", "line_index", "row_id", "parse_error")
NO_LINE = "no service line is filled"
# A control character keeps values apart that a comma could join.
_SEPARATOR = "\x1f"
_KEYS = ("claim_id", "version_key", "version_kind", "line_number")
_QUALIFIERS = "diagnosis_qualifiers"
_DIAGNOSES = "diagnosis_codes"


@dataclass(frozen=True)
class Slot:
    """One use of one file column: the column, the target it feeds, the parser, and a number that names it in SQL."""

    column: str
    target: str
    parser: str
    number: int

    @property
    def value(self) -> str:
        return f"v{self.number}"

    @property
    def bad(self) -> str:
        return f"b{self.number}"


def lines_sql(layout: PayerLayout, contract: Contract) -> str:
    """The SELECT over `raw_<payer>`; its columns are those of `relation_columns`."""
    slots = _slots(layout)
    parsed = ", ".join([*_carried(), "group_number", *_parsed(layout, slots)])
    assembled = ", ".join([*_carried(), "group_number", *_assembled(layout, contract, slots)])
    derived = ", ".join([*_carried(), "group_number", *_replaced(contract, layout.derive), *_flags(contract)])
    defaults = {name: column.default for name, column in contract.columns.items() if column.default and not _given(layout, name)}
    complete = ", ".join([*_identity(layout), *_replaced(contract, defaults), *_flags(contract)])
    return (
        f"WITH records AS ({_records(layout)}), parsed AS (SELECT {parsed} FROM records), "
        f"assembled AS (SELECT {assembled} FROM parsed), derived AS (SELECT {derived} FROM assembled), "
        f"complete AS (SELECT {complete} FROM derived) SELECT complete.*, {', '.join(_texts(contract))} FROM complete"
    )


def relation_columns(contract: Contract) -> tuple[str, ...]:
    """The columns that every payer's lines have, in order: identity, the contract's, its flags, and what set rules compare."""
    return (*IDENTITY, *contract.columns, *_flags(contract), "diagnosis_text", "header_text", "content_hash")


def _texts(contract: Contract) -> list[str]:
    """Diagnoses, header and content, each as one text: what the rules over several lines compare."""
    unreadable = " OR ".join(f"{name}__bad" for name in contract.header_columns)
    content = _joined(contract, [name for name in contract.columns if name not in _KEYS])
    return [
        "ARRAY_JOIN(diagnosis_codes, ',') AS diagnosis_text",
        f"CASE WHEN parse_error IS NULL AND NOT ({unreadable}) THEN {_joined(contract, contract.header_columns)} END AS header_text",
        f"MD5({content}) AS content_hash",
    ]


def _joined(contract: Contract, names: Iterable[str]) -> str:
    return f"CONCAT_WS('{_SEPARATOR}', {', '.join(_as_text(contract, name) for name in names)})"


def _as_text(contract: Contract, name: str) -> str:
    column = contract.columns[name]
    if column.type.startswith("array<"):
        return f"COALESCE(ARRAY_JOIN({name}, ','), '')"
    return f"COALESCE(CAST({column.final or name} AS STRING), '')"


def _slots(layout: PayerLayout) -> list[Slot]:
    uses = [(column, target, parser) for column, feeds in layout.record_columns.items() for target, parser in feeds.items()]
    return [Slot(column, target, parser, number) for number, (column, target, parser) in enumerate(uses)]


def _carried() -> list[str]:
    return ["file_id", "ingest_date", "record_number", "line_index", "parse_error"]


def _records(layout: PayerLayout) -> str:
    """One row a line: the record itself, or one for each line group that has a filled field."""
    shared = [f"`{name}`" for name in layout.columns]
    head = "file_id, ingest_date, _record_number AS record_number, "
    if layout.line_groups is None:
        index = "CASE WHEN _parse_error IS NULL THEN 1 ELSE 0 END AS line_index, 1 AS group_number, "
        return f"SELECT {head}{index}_parse_error AS parse_error, {', '.join(shared)} FROM raw_{layout.payer}"
    selects = []
    for k, names in enumerate(layout.group_names, start=1):
        group = [f"`{name}` AS `{generic}`" for name, generic in zip(names, layout.line_groups.columns, strict=True)]
        columns = ", ".join([*shared, *group])
        selects.append(
            f"SELECT {head}{k} AS line_index, {k} AS group_number, _parse_error AS parse_error, {columns} "
            f"FROM raw_{layout.payer} WHERE _parse_error IS NULL AND {_filled(names)}"
        )
    nothing = [f"CAST(NULL AS STRING) AS `{generic}`" for generic in layout.line_groups.columns]
    none_filled = " AND ".join(f"NOT ({_filled(names)})" for names in layout.group_names)
    selects.append(
        f"SELECT {head}0 AS line_index, 0 AS group_number, COALESCE(_parse_error, '{NO_LINE}') AS parse_error, "
        f"{', '.join([*shared, *nothing])} FROM raw_{layout.payer} WHERE _parse_error IS NOT NULL OR ({none_filled})"
    )
    return " UNION ALL ".join(selects)


def _filled(names: tuple[str, ...]) -> str:
    return "(" + " OR ".join(f"COALESCE(TRIM(`{name}`), '') <> ''" for name in names) + ")"


def _parsed(layout: PayerLayout, slots: list[Slot]) -> list[str]:
    found = []
    for slot in slots:
        parser = parser_of(slot.parser, layout.code_maps)
        blanks = ["", *(layout.nulls if parser.is_date else ())]
        trimmed = f"TRIM(`{slot.column}`)"
        listed = ", ".join(f"'{blank}'" for blank in blanks)
        text = f"CASE WHEN {trimmed} IN ({listed}) THEN NULL ELSE {trimmed} END"
        value = parser.sql(trimmed) if len(blanks) == 1 and parser.name != "text" else parser.sql(f"({text})")
        if parser.name.startswith("list:"):
            value = f"CASE WHEN {trimmed} NOT IN ({listed}) THEN {parser.sql(trimmed)} END"
        found.append(f"{value} AS {slot.value}")
        found.append("FALSE AS " + slot.bad if slot.parser == "text" else f"({text}) IS NOT NULL AND ({value}) IS NULL AS {slot.bad}")
    return found


def _assembled(layout: PayerLayout, contract: Contract, slots: list[Slot]) -> list[str]:
    by_target: dict[str, list[Slot]] = {}
    for slot in slots:
        by_target.setdefault(slot.target, []).append(slot)
    found = []
    for name, column in contract.columns.items():
        if name == "principal_diagnosis":
            value = _principal(by_target)
        elif name == "line_number" and layout.line_groups is not None:
            value = "CASE WHEN line_index > 0 THEN group_number END"
        elif name == _DIAGNOSES:
            value = _diagnoses(by_target)
        elif column.type.startswith("array<"):
            value = _array(by_target.get(name, []), column.type)
        else:
            value = by_target[name][0].value if name in by_target else f"CAST(NULL AS {column.type})"
        found.append(f"{value} AS {name}")
    if "claim_number" in by_target:
        found.append(f"{by_target['claim_number'][0].value} AS claim_number")
    for name in [*contract.columns, _QUALIFIERS]:
        found.append(f"{_any_bad(by_target.get(name, []))} AS {name}__bad")
    return found


def _any_bad(slots: list[Slot]) -> str:
    read = [slot.bad for slot in slots if slot.parser != "text"]
    return "(" + " OR ".join(read) + ")" if read else "FALSE"


def _array(slots: list[Slot], kind: str) -> str:
    if not slots:
        return f"CAST(ARRAY() AS {kind})"
    if slots[0].parser.startswith("list:"):
        return f"COALESCE({slots[0].value}, CAST(ARRAY() AS {kind}))"
    first = slots[0].value
    rest = [slot.value for slot in slots[1:]]
    if not rest:
        return f"CASE WHEN {first} IS NULL THEN CAST(ARRAY() AS {kind}) ELSE ARRAY({first}) END"
    many = f"FILTER(ARRAY({', '.join([first, *rest])}), i -> i IS NOT NULL)"
    nothing_more = " AND ".join(f"{value} IS NULL" for value in rest)
    # Most lines fill the first slot or none: the lambda is left to those that fill more.
    none = f"CASE WHEN {first} IS NULL THEN CAST(ARRAY() AS {kind}) ELSE ARRAY({first}) END"
    return f"CASE WHEN {nothing_more} THEN {none} ELSE {many} END"


def _principal(by_target: dict[str, list[Slot]]) -> str:
    codes, qualifiers = by_target.get(_DIAGNOSES, []), by_target.get(_QUALIFIERS, [])
    if not codes:
        return "CAST(NULL AS STRING)"
    if codes[0].parser.startswith("list:"):
        return f"CASE WHEN SIZE({codes[0].value}) > 0 THEN {codes[0].value}[0] END"
    if not qualifiers:
        return codes[0].value
    pairs = zip(codes, qualifiers, strict=True)
    return "CASE " + " ".join(f"WHEN {q.value} = 'principal' AND {c.value} IS NOT NULL THEN {c.value}" for c, q in pairs) + " END"


def _diagnoses(by_target: dict[str, list[Slot]]) -> str:
    """The codes with the principal one first."""
    codes, qualifiers = by_target.get(_DIAGNOSES, []), by_target.get(_QUALIFIERS, [])
    in_order = _array(codes, "array<string>")
    if not qualifiers:
        return in_order
    reordered = []
    for index, (code, qualifier) in enumerate(zip(codes, qualifiers, strict=True)):
        others = ", ".join(["CAST(NULL AS STRING)", *(other.value for place, other in enumerate(codes) if place != index)])
        lead = f"CONCAT(ARRAY({code.value}), FILTER(ARRAY({others}), i -> i IS NOT NULL))"
        reordered.append(f"WHEN {qualifier.value} = 'principal' AND {code.value} IS NOT NULL THEN {in_order if index == 0 else lead}")
    return f"CASE {' '.join(reordered)} ELSE {in_order} END"


def _replaced(contract: Contract, expressions: dict[str, str]) -> list[str]:
    return [f"{expressions[name]} AS {name}" if name in expressions else name for name in contract.columns]


def _flags(contract: Contract) -> list[str]:
    return [f"{name}__bad" for name in [*contract.columns, _QUALIFIERS]]


def _given(layout: PayerLayout, name: str) -> bool:
    return name in layout.fed or name in layout.derive


def _identity(layout: PayerLayout) -> list[str]:
    row_id = "SHA2(CONCAT(file_id, ':', CAST(record_number AS STRING), ':', CAST(line_index AS STRING)), 256) AS row_id"
    carried = [row_id if name == "row_id" else name for name in IDENTITY[1:]]
    return [f"'{layout.payer}' AS payer_id", *carried]
