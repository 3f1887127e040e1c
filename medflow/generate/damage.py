"""Ways to spoil one finished file, each named and with what a careful reader should make of it.

In: the bytes of a file of the payer that the damage suits. Out: other bytes. Reads and writes no file. `outcome` is
`loaded`, or the reason for which the file is to be rejected as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from medflow.errors import UsageError

HUGE_RECORD_BYTES: Final = 100 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
Row = list[bytes]


@dataclass(frozen=True)
class Damage:
    """One kind of damage: the payer whose file it is done to, what it does, and what should come of it."""

    payer: str
    about: str
    apply: Callable[[bytes], bytes]
    outcome: str


def _rows(data: bytes, delimiter: bytes = b",") -> list[Row]:
    return [line.split(delimiter) for line in data.removesuffix(b"\n").split(b"\n")]


def _bytes(rows: list[Row], delimiter: bytes = b",") -> bytes:
    return b"".join(delimiter.join(row) + b"\n" for row in rows)


def _need_record(rows: list[Row]) -> list[Row]:
    if len(rows) < 2:
        raise UsageError("this damage needs a file with at least one record; ask for more claims")
    return rows


def _by_column(change: Callable[[Row, int], Row], column: bytes) -> Callable[[bytes], bytes]:
    """Change every row of a bluecross file, the header too, given where `column` stands."""

    def apply(data: bytes) -> bytes:
        rows = _rows(data)
        place = rows[0].index(column)
        return _bytes([change(row, place) for row in rows])

    return apply


def _in_records(change: Callable[[Row, Row], Row], delimiter: bytes = b",") -> Callable[[bytes], bytes]:
    """Change every record below the header, given the header."""

    def apply(data: bytes) -> bytes:
        header, *records = _need_record(_rows(data, delimiter))
        return _bytes([header, *(change(record, header) for record in records)], delimiter)

    return apply


def _in_first_record(change: Callable[[bytes], bytes], column: bytes) -> Callable[[bytes], bytes]:
    """Change one cell of the first record of a bluecross file."""

    def apply(data: bytes) -> bytes:
        rows = _need_record(_rows(data))
        place = rows[0].index(column)
        rows[1][place] = change(rows[1][place])
        return _bytes(rows)

    return apply


def _add_column(data: bytes) -> bytes:
    header, *records = _rows(data)
    return _bytes([[*header[:3], b"NETWORK_FLAG", *header[3:]], *([*row[:3], b"Y", *row[3:]] for row in records)])


def _quote_all(data: bytes) -> bytes:
    return _bytes([[b'"' + cell + b'"' for cell in row] for row in _rows(data, b"|")], b"|")


def _stray_quote(data: bytes) -> bytes:
    """Put a quote inside the first record's second field (member id) without doubling it."""
    start = data.find(b'\r\n"') + 3
    place = data.find(b'","', start) + 3
    if start < 3:
        raise UsageError("this damage needs a file with at least one record; ask for more claims")
    return data[: place + 2] + b'"' + data[place + 2 :]


def _truncate(data: bytes) -> bytes:
    lines = _need_record(_rows(data))
    last = len(b",".join(lines[-1])) + 1
    return data[: len(data) - last + last // 2]


def _without_trailer(data: bytes) -> bytes:
    return data[: data.rindex(b"TRL|")]


def _trailer(change: Callable[[int, bytes], bytes]) -> Callable[[bytes], bytes]:
    def apply(data: bytes) -> bytes:
        rows, amount = data[data.rindex(b"TRL|") :].strip().split(b"|")[1:]
        return _without_trailer(data) + b"TRL|" + change(int(rows), amount) + b"\n"

    return apply


def _other_amount(rows: int, amount: bytes) -> bytes:
    cents = int(amount.rstrip(b"-")) * (-1 if amount.endswith(b"-") else 1) + 100_000_100
    return b"%d|%d%s" % (rows, abs(cents), b"-" if cents < 0 else b"")


def _us_date(record: Row, header: Row) -> Row:
    place = header.index(b"RECEIVED_DATE")
    cell = record[place].decode()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", cell):
        record[place] = f"{cell[5:7]}/{cell[8:]}/{cell[:4]}".encode()
    return record


def _dollars(record: Row, header: Row) -> Row:
    if record[0] == b"TRL":
        return record
    return [_as_dollars(cell) if name.endswith(b"_amt") else cell for cell, name in zip(record, header, strict=False)]


def _as_dollars(cell: bytes) -> bytes:
    match = re.fullmatch(rb"(\d+)(-?)", cell)
    return cell if match is None else match[2] + b"%d.%02d" % divmod(int(match[1]), 100)


def _shift(record: Row, header: Row) -> Row:
    place = header.index(b"MEMBER_ID")
    return [*record[:place], b"", *record[place:-1]]


def _header_only(data: bytes) -> bytes:
    end = data.index(b"\n") + 1
    return data[:end] + (b"TRL|0|0\n" if b"\nTRL|" in data else b"")


def _blank_lines(data: bytes) -> bytes:
    rows = _need_record(_rows(data))
    return _bytes([rows[0], [], rows[1], [], [], *rows[2:]])


DAMAGES: Final[dict[str, Damage]] = {
    "column_added": Damage("bluecross", "a column that no layout declares", _add_column, "loaded"),
    "column_dropped_required": Damage(
        "bluecross", "PROC_CODE is gone", _by_column(lambda row, k: row[:k] + row[k + 1 :], b"PROC_CODE"), "column_missing"
    ),
    "column_dropped_optional": Damage(
        "bluecross", "PLAN_CODE is gone", _by_column(lambda row, k: row[:k] + row[k + 1 :], b"PLAN_CODE"), "loaded"
    ),
    "column_renamed": Damage(
        "bluecross",
        "MEMBER_ID is called MEMBER_NUMBER",
        lambda data: data.replace(b"MEMBER_ID,", b"MEMBER_NUMBER,", 1),
        "column_renamed",
    ),
    "columns_reordered": Damage("bluecross", "all columns in reverse order", _by_column(lambda row, _: row[::-1], b"PLAN_CODE"), "loaded"),
    "column_repeated": Damage(
        "bluecross", "MEMBER_ID stands twice", _by_column(lambda row, k: [*row, row[k]], b"MEMBER_ID"), "column_repeated"
    ),
    "wrong_delimiter": Damage("bluecross", "semicolons between the fields", lambda data: data.replace(b",", b";"), "delimiter"),
    "quoted_pipe": Damage("unitedhealth", "every field in double quotes", _quote_all, "quoting"),
    "stray_quote": Damage("aetna", "a quote inside a field is not doubled", _stray_quote, "quoting"),
    "unclosed_quote": Damage("aetna", "the last field never closes", lambda data: data.removesuffix(b'"\r\n') + b"\r\n", "quoting"),
    "latin1": Damage(
        "bluecross", "one Latin-1 byte in a text field", _in_first_record(lambda cell: cell + b"\xe9", b"PLAN_CODE"), "encoding"
    ),
    "utf16": Damage("bluecross", "UTF-16 in place of UTF-8", lambda data: data.decode().encode("utf-16"), "encoding"),
    "bom_added": Damage("bluecross", "starts with a byte order mark", lambda data: _BOM + data, "loaded"),
    "bom_removed": Damage("aetna", "starts without its byte order mark", lambda data: data.removeprefix(_BOM), "loaded"),
    "crlf": Damage("bluecross", "CRLF line ends", lambda data: data.replace(b"\n", b"\r\n"), "loaded"),
    "cr_only": Damage("bluecross", "CR line ends", lambda data: data.replace(b"\n", b"\r"), "line_ending"),
    "truncated_mid_record": Damage("bluecross", "ends in the middle of the last record", _truncate, "truncated"),
    "trailer_missing": Damage("unitedhealth", "no trailer", _without_trailer, "trailer_missing"),
    "trailer_wrong_count": Damage(
        "unitedhealth",
        "trailer counts a row too many",
        _trailer(lambda rows, amount: b"%d|%s" % (rows + 1, amount)),
        "trailer_count",
    ),
    "trailer_wrong_amount": Damage("unitedhealth", "trailer names other cents", _trailer(_other_amount), "trailer_amount"),
    "date_shape": Damage("bluecross", "RECEIVED_DATE as MM/DD/YYYY", _in_records(_us_date), "column_values"),
    "dollars_for_cents": Damage("unitedhealth", "amounts like 1234.50", _in_records(_dollars, b"|"), "column_values"),
    "shifted_column": Damage("bluecross", "values from MEMBER_ID on one column to the right", _in_records(_shift), "column_values"),
    "empty": Damage("bluecross", "0 bytes", lambda _: b"", "empty_file"),
    "header_only": Damage("bluecross", "a header and no record", _header_only, "loaded"),
    "header_only_trailer": Damage("unitedhealth", "a header, no record, a trailer that says so", _header_only, "loaded"),
    "nul_bytes": Damage("bluecross", "NUL bytes in a field", _in_first_record(lambda cell: cell + b"\x00\x00", b"PLAN_CODE"), "nul_bytes"),
    "huge_line": Damage(
        "bluecross", "one record of 100 MB", _in_first_record(lambda _: b"x" * HUGE_RECORD_BYTES, b"PLAN_CODE"), "record_too_long"
    ),
    "blank_lines": Damage("bluecross", "three blank lines, each an unreadable record", _blank_lines, "loaded"),
}
