"""A payer's layout compiled: its framed records in, its service lines out, one Spark SQL SELECT.

Every line has the contract's columns, a `<column>__bad` flag (filled, but its parser could not read it), and its identity:
file_id, record_number, line_index, row_id. A damaged record is one line of index 0 with its parse_error.
"""

from __future__ import annotations

from dataclasses import dataclass

from medflow.specs.contract import Contract
from medflow.specs.payer import PayerLayout
from medflow.sql.parsers import parser_of

_CARRIED = ("file_id", "ingest_date", "record_number", "line_index", "parse_error")
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
    text: str

    @property
    def value(self) -> str:
        return f"v{self.number}"

    @property
    def bad(self) -> str:
        """Filled, but the parser could not read it."""
        return f"{self.text} IS NOT NULL AND {self.value} IS NULL"


def lines_sql(layout: PayerLayout, contract: Contract) -> str:
    """The SELECT over `raw_<payer>`; its columns are those of `relation_columns`."""
    slots = _slots(layout)
    carried = ", ".join([*_CARRIED, "group_number"])
    defaults = {name: column.default for name, column in contract.columns.items() if column.default and not _given(layout, name)}
    levels = {
        "trimmed": f"SELECT {carried}, {', '.join(_trimmed(layout))} FROM ({_records(layout)}) AS records",
        "parsed": f"SELECT trimmed.*, {', '.join(_parsed(layout, slots))} FROM trimmed",
        "assembled": f"SELECT {carried}, {', '.join(_assembled(layout, contract, slots))} FROM parsed",
        "derived": f"SELECT {carried}, {', '.join([*_replaced(contract, layout.derive), *_flags(contract)])} FROM assembled",
        "complete": f"SELECT {', '.join([*_identity(layout), *_replaced(contract, defaults), *_flags(contract)])} FROM derived",
    }
    named = ", ".join(f"{name} AS ({sql})" for name, sql in levels.items())
    return f"WITH {named} SELECT complete.*, ARRAY_JOIN({_DIAGNOSES}, ',') AS diagnosis_text FROM complete"


def relation_columns(contract: Contract) -> tuple[str, ...]:
    """The columns that every payer's lines have, in order: identity, the contract's, its flags, and what set rules compare."""
    return (*IDENTITY, *contract.columns, *_flags(contract), "diagnosis_text")


def no_lines_sql(contract: Contract) -> str:
    """A relation of lines without any: the batch holds reference files only."""
    types = {"ingest_date": "DATE", "record_number": "BIGINT", "line_index": "INT"}
    types |= {name: column.type for name, column in contract.columns.items()} | dict.fromkeys(_flags(contract), "BOOLEAN")
    typed = (f"CAST(NULL AS {types.get(name, 'STRING')}) AS {name}" for name in relation_columns(contract))
    return f"SELECT {', '.join(typed)} WHERE FALSE"


def header_values(contract: Contract) -> list[str]:
    """What the lines of a claim version share, as SQL over lines; a list as its text."""
    own = {name: contract.columns[name].final or name for name in contract.header_columns} | {_DIAGNOSES: "diagnosis_text"}
    return [own[name] for name in contract.header_columns]


def content_sql(contract: Contract, relation: str) -> str:
    """A line's own values, without its keys, as one text: equal content, equal text."""
    names = [name for name in contract.columns if name not in _KEYS]
    return f"CONCAT_WS('{_SEPARATOR}', {', '.join(_as_text(contract, name, f'{relation}.') for name in names)})"


def _as_text(contract: Contract, name: str, prefix: str) -> str:
    column = contract.columns[name]
    if column.type.startswith("array<"):
        return f"COALESCE(ARRAY_JOIN({prefix}{name}, ','), '')"
    return f"COALESCE(CAST({column.final or prefix + name} AS STRING), '')"


def _slots(layout: PayerLayout) -> list[Slot]:
    sources = {name: _source(number) for number, name in _fed_columns(layout).items()}
    uses = [(column, target, parser) for column, feeds in layout.record_columns.items() for target, parser in feeds.items()]
    slots = []
    for number, (column, target, parser) in enumerate(uses):
        dated = layout.nulls and parser_of(parser, layout.code_maps).is_date
        slots.append(Slot(column, target, parser, number, f"t{number}" if dated else sources[column]))
    return slots


def _records(layout: PayerLayout) -> str:
    """One row a line: the record itself, or one for each line group that has a filled field."""
    head = "file_id, ingest_date, _record_number AS record_number"
    shared = [f"`{name}`" for name in layout.columns]
    if layout.line_groups is None:
        index = "CASE WHEN _parse_error IS NULL THEN 1 ELSE 0 END AS line_index"
        return f"SELECT {head}, {index}, 1 AS group_number, {', '.join(['_parse_error AS parse_error', *shared])} FROM raw_{layout.payer}"
    filled = [f"CASE WHEN {_filled(names)} THEN {k} END" for k, names in enumerate(layout.group_names, start=1)]
    numbers = f"FILTER(ARRAY({', '.join(filled)}), i -> i IS NOT NULL)"
    none = "ARRAY(0)"
    grouped = (
        f"SELECT raw.*, EXPLODE(CASE WHEN _parse_error IS NOT NULL OR SIZE({numbers}) = 0 THEN {none} ELSE {numbers} END) AS group_number "
        f"FROM raw_{layout.payer} AS raw"
    )
    error = f"CASE WHEN group_number = 0 THEN COALESCE(_parse_error, '{NO_LINE}') END AS parse_error"
    columns = ", ".join([error, *shared, *_group_fields(layout)])
    return f"SELECT {head}, group_number AS line_index, group_number, {columns} FROM ({grouped}) AS grouped"


def _group_fields(layout: PayerLayout) -> list[str]:
    """The columns of a row's own group under their `{k}` names; null where the record has no group."""
    assert layout.line_groups is not None
    by_name = zip(layout.line_groups.columns, zip(*layout.group_names, strict=True), strict=True)
    return [
        f"CASE group_number {' '.join(f'WHEN {k} THEN `{name}`' for k, name in enumerate(names, start=1))} END AS `{generic}`"
        for generic, names in by_name
    ]


def _filled(names: tuple[str, ...]) -> str:
    texts = [f"NULLIF(TRIM(`{name}`), '')" for name in names]
    return f"COALESCE({', '.join(texts)}) IS NOT NULL"


def _trimmed(layout: PayerLayout) -> list[str]:
    """Each fed column without blanks around it, null where nothing is left."""
    return [f"NULLIF(TRIM(`{name}`), '') AS {_source(number)}" for number, name in _fed_columns(layout).items()]


def _parsed(layout: PayerLayout, slots: list[Slot]) -> list[str]:
    numbers = {name: number for number, name in _fed_columns(layout).items()}
    found = []
    for slot in slots:
        parser = parser_of(slot.parser, layout.code_maps)
        text = _source(numbers[slot.column])
        if parser.is_date and layout.nulls:
            blanks = ", ".join(f"'{blank}'" for blank in layout.nulls)
            text = f"CASE WHEN NOT {text} IN ({blanks}) THEN {text} END"
        found.append(f"{parser.sql(text if text.isidentifier() else f'({text})')} AS {slot.value}")
        if text != _source(numbers[slot.column]):
            found.append(f"{text} AS {slot.text}")
    return found


def _fed_columns(layout: PayerLayout) -> dict[int, str]:
    return dict(enumerate(name for name, feeds in layout.record_columns.items() if feeds))


def _source(number: int) -> str:
    return f"s{number}"


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
    return "(" + " OR ".join(f"({bad})" for bad in read) + ")" if read else "FALSE"


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
