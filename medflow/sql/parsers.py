"""The closed list of value parsers: text of a file in, a typed value out, NULL where the text has not the declared shape.

Each is an anchored regular expression and then a try-conversion, written once in Spark SQL and compiled for each engine.
`tests/data/parsers.yaml` holds both engines to one table of strings. Casting from text is done nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

CodeMaps = Mapping[str, Mapping[str, str]]
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DATE_SHAPES = {"YYYY": "(19|20)[0-9]{2}", "MM": "[0-9]{2}", "DD": "[0-9]{2}", "Mon": "[A-Za-z]{3}"}


@dataclass(frozen=True)
class Parser:
    """A parser with its arguments filled in. `sql(expression)` reads one trimmed, non-blank text."""

    name: str
    type: str
    sql: Callable[[str], str]
    is_date: bool = False


def parser_of(text: str, codes: CodeMaps) -> Parser:
    """The parser that a declaration names, such as `date:YYYY-MM-DD` or `code:status`.

    Raises:
        ValueError: no such parser, or wrong arguments; says what is allowed.
    """
    name, _, arguments = text.partition(":")
    if name == "list":
        separator, _, item = arguments.partition(":")
        return _list_parser(text, separator, parser_of(item or "text", codes))
    if name == "code":
        return _code_parser(text, arguments, codes)
    if name not in _BUILDERS:
        allowed = ", ".join(sorted([*_BUILDERS, "code:<map>", "list:<separator>:<parser>"]))
        raise ValueError(f"no parser {text!r}; allowed: {allowed}")
    return _BUILDERS[name](text, arguments)


def _shaped(pattern: str, value: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: f"CASE WHEN {text} RLIKE '^{pattern}\\\\z' THEN {value(text)} END"


def _plain(kind: str, pattern: str, value: Callable[[str], str]) -> Callable[[str, str], Parser]:
    def build(name: str, arguments: str) -> Parser:
        if arguments:
            raise ValueError(f"{name.split(':')[0]} takes no argument")
        return Parser(name, kind, _shaped(pattern, value))

    return build


def _text(name: str, arguments: str) -> Parser:
    if arguments:
        raise ValueError("text takes no argument")
    return Parser(name, "string", lambda text: text)


def _date(name: str, shape: str) -> Parser:
    pattern, places, rest = "", {}, shape
    position = 1
    while rest:
        token = next((token for token in _DATE_SHAPES if rest.startswith(token)), rest[0])
        if token not in _DATE_SHAPES and token.isalnum():
            raise ValueError(f"a date shape is made of YYYY, MM or Mon, DD and separators, not {shape!r}")
        places[token] = position
        pattern += _DATE_SHAPES.get(token, f"[{token}]")
        position += len(token)
        rest = rest[len(token) :]
    if not {"YYYY", "DD"} <= set(places) or not {"MM", "Mon"} & set(places):
        raise ValueError(f"a date shape has a year, a month and a day: {shape!r} has not")

    def value(text: str) -> str:
        if shape == "YYYY-MM-DD":
            return f"TRY_CAST({text} AS DATE)"
        month = _month_number(text, places["Mon"]) if "Mon" in places else f"SUBSTRING({text}, {places['MM']}, 2)"
        year, day = f"SUBSTRING({text}, {places['YYYY']}, 4)", f"SUBSTRING({text}, {places['DD']}, 2)"
        return f"TRY_CAST(CONCAT({year}, '-', {month}, '-', {day}) AS DATE)"

    return Parser(name, "date", _shaped(pattern, value), is_date=True)


def _month_number(text: str, position: int) -> str:
    cases = " ".join(f"WHEN '{month}' THEN '{number:02d}'" for number, month in enumerate(_MONTHS, start=1))
    return f"CASE UPPER(SUBSTRING({text}, {position}, 3)) {cases} ELSE '00' END"


def _us_amount(text: str) -> str:
    sign = f"CASE WHEN SUBSTRING({text}, 1, 1) = '(' THEN '-' ELSE '' END"
    return f"TRY_CAST(CONCAT({sign}, TRANSLATE({text}, '$,()', '')) AS DECIMAL(12, 2))"


def _cents(text: str) -> str:
    digits = f"CONCAT('00', REPLACE({text}, '-', ''))"
    sign = f"CASE WHEN {text} LIKE '%-' THEN '-' ELSE '' END"
    whole = f"SUBSTRING({digits}, 1, LENGTH({digits}) - 2)"
    return f"TRY_CAST(CONCAT({sign}, {whole}, '.', RIGHT({digits}, 2)) AS DECIMAL(12, 2))"


def _dotted(text: str) -> str:
    bare = f"REPLACE({text}, '.', '')"
    return f"CASE WHEN LENGTH({bare}) > 3 THEN CONCAT(SUBSTRING({bare}, 1, 3), '.', SUBSTRING({bare}, 4)) ELSE {bare} END"


def _marker(arguments: str) -> str:
    if not arguments or not all(character.isalnum() or character in "-_/" for character in arguments):
        raise ValueError("a version marker is made of letters, digits, - _ or /, such as -A")
    return arguments


def _root(name: str, arguments: str) -> Parser:
    suffix = f"{_marker(arguments)}[0-9]{{1,6}}\\\\z"
    return Parser(name, "string", lambda text: f"REGEXP_REPLACE({text}, '{suffix}', '')")


def _sequence(name: str, arguments: str) -> Parser:
    if not arguments:
        return Parser(name, "string", _shaped("[0-9]{1,6}", lambda text: f"LPAD({text}, 6, '0')"))
    suffix = f"{_marker(arguments)}([0-9]{{1,6}})\\\\z"
    found = f"NULLIF(REGEXP_EXTRACT({{0}}, '{suffix.replace('{', '{{').replace('}', '}}')}', 1), '')"
    return Parser(name, "string", lambda text: f"LPAD(COALESCE({found.format(text)}, '0'), 6, '0')")


def _part(name: str, arguments: str) -> Parser:
    separator, _, number = arguments.partition(":")
    if len(separator) != 1 or number not in {"1", "2"}:
        raise ValueError("part takes a one-character separator and 1 or 2, such as part:-:1")
    other = f"[^{separator}]+"
    return Parser(name, "string", _shaped(f"{other}[{separator}]{other}", lambda text: f"SPLIT_PART({text}, '{separator}', {number})"))


def _zero_padded(name: str, arguments: str) -> Parser:
    outer, _, inner = arguments.partition(":")
    if not (outer.isdigit() and inner.isdigit() and int(outer) > int(inner) > 0):
        raise ValueError("zero_padded takes the padded and the real width, such as zero_padded:12:10")
    zeros = int(outer) - int(inner)
    return Parser(name, "string", _shaped(f"0{{{zeros}}}[0-9]{{{inner}}}", lambda text: f"SUBSTRING({text}, {zeros + 1})"))


def _list_parser(name: str, separator: str, item: Parser) -> Parser:
    if len(separator) != 1 or separator.isalnum() or separator in "'\\[]^":
        raise ValueError("a list separator is one sign, such as list:;:text")

    def value(text: str) -> str:
        items = f"FILTER(SPLIT({text}, '[{separator}]'), i -> TRIM(i) <> '')"
        read = f"TRANSFORM({items}, i -> {item.sql('TRIM(i)')})"
        return read if item.name == "text" else f"CASE WHEN SIZE(FILTER({read}, i -> i IS NULL)) = 0 THEN {read} END"

    return Parser(name, f"array<{item.type}>", value)


def _code_parser(name: str, map_name: str, codes: CodeMaps) -> Parser:
    if map_name not in codes:
        raise ValueError(f"no code map {map_name!r}; the file's codes are: {', '.join(sorted(codes)) or 'none'}")
    cases = " ".join(f"WHEN '{_quoted(code)}' THEN '{_quoted(meaning)}'" for code, meaning in codes[map_name].items())
    return Parser(name, "string", lambda text: f"CASE {text} {cases} END")


def _quoted(text: str) -> str:
    return text.replace("'", "''")


_BUILDERS: dict[str, Callable[[str, str], Parser]] = {
    "text": _text,
    "int": _plain("int", "-?[0-9]{1,9}", lambda text: f"TRY_CAST({text} AS INT)"),
    "date": _date,
    "money_dot": _plain("decimal(12,2)", "-?[0-9]{1,10}[.][0-9]{2}", lambda text: f"TRY_CAST({text} AS DECIMAL(12, 2))"),
    "money_plain": _plain("decimal(12,2)", "-?[0-9]{1,10}([.][0-9]{1,2})?", lambda text: f"TRY_CAST({text} AS DECIMAL(12, 2))"),
    "money_us": _plain(
        "decimal(12,2)",
        "([$]?([0-9]{1,3}(,[0-9]{3})*|[0-9]{1,10})[.][0-9]{2}|[(][$]?([0-9]{1,3}(,[0-9]{3})*|[0-9]{1,10})[.][0-9]{2}[)])",
        _us_amount,
    ),
    "cents_trailing_sign": _plain("decimal(12,2)", "[0-9]{1,12}-?", _cents),
    "icd10": _plain("string", "[A-Z][0-9][0-9A-Z]([.]?[0-9A-Z]{1,4})?", _dotted),
    "root": _root,
    "sequence": _sequence,
    "part": _part,
    "zero_padded": _zero_padded,
}
