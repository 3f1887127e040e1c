"""What surrounds the records of a delimited file: its encoding, header and trailer, and why a file is refused for them.

In: a stream, the text of the first and last record, the declared dialect. Out: clean UTF-8, where each declared column
stands, what else the file has. Never looks at data, nor prints a name that may be a cell of a file without its header.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import BinaryIO, Literal

from medflow.errors import DeclarationError, MedflowError

RejectCode = Literal[
    "empty_file",
    "nul_bytes",
    "encoding",
    "delimiter",
    "quoting",
    "line_ending",
    "truncated",
    "trailer_missing",
    "trailer_count",
    "header_missing",
    "column_missing",
    "column_renamed",
    "column_repeated",
    "record_too_long",
]
WarningCode = Literal["byte_order_mark", "column_added", "column_missing_optional", "header_only"]

_USUAL_DELIMITERS = {",": "comma", ";": "semicolon", "|": "pipe", "\t": "tab"}
_NAME_LIKE = re.compile(r"(?!.*\d{4})[A-Za-z_][\w .,:()/#%&+-]{0,59}")
_SHOWN_NAMES = 20
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ASCII_BASED = frozenset({"utf-8", "ascii", "cp1252", "iso8859-1"})


class FileRejected(MedflowError):
    """A file that is refused whole; `code` is one of RejectCode, `detail` the message, free of cell values."""

    def __init__(self, code: RejectCode, detail: str) -> None:
        super().__init__(code, detail)  # both, so that the error survives pickling out of a Spark worker
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True)
class FileWarning:
    """Something unusual that does not stop the file."""

    code: WarningCode
    detail: str


@dataclass(frozen=True)
class Dialect:
    """How one payer writes its files.

    delimiter, quote: one ASCII character each; quote None means that quote characters are data.
    trailer: first field of the last line (`TRL|rows|signed billed cents`), None if there is none.
    columns: declared header names in file order; optional: those that may be absent.
    other_columns: "keep" if undeclared columns are expected (no warning, and no column can look renamed).
    hint_columns: columns still read from a damaged record where they lie before the damage.

    Raises:
        DeclarationError: delimiter, quote or encoding cannot be used.
    """

    delimiter: str
    quote: str | None
    encoding: str
    trailer: str | None
    columns: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    other_columns: Literal["warn", "keep"] = "warn"
    hint_columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        marks = [self.delimiter] if self.quote is None else [self.delimiter, self.quote]
        if any(len(mark) != 1 or not mark.isascii() or mark in "\r\n\0" for mark in marks) or len(set(marks)) != len(marks):
            raise DeclarationError([f"delimiter and quote must be two different ASCII characters, not {marks!r}"])
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise DeclarationError([f"encoding must be one that Python knows, such as utf-8, not {self.encoding!r}"]) from None


@dataclass(frozen=True)
class Header:
    """Where columns stand in one file: `width` fields; `index` of the declared ones found; `added` = undeclared ones."""

    width: int
    index: Mapping[str, int]
    added: Mapping[str, int]
    warnings: tuple[FileWarning, ...]


@dataclass(frozen=True)
class Trailer:
    """What the last line claims: data records, and signed billed cents (checked by the caller)."""

    rows: int
    billed_cents: int


class CleanText:
    """A stream as UTF-8 without byte order mark, in whole characters, up to the first byte that cannot be text.

    fault: why the text ends before the stream does, None as long as it is sound.
    """

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self.fault: tuple[RejectCode, str] | None = None
        self.warnings: tuple[FileWarning, ...] = ()
        self._stream = stream
        self._encoding = codecs.lookup(encoding).name
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._ended = False
        self._ahead = self._without_mark()

    def read(self, size: int) -> bytes:
        """Text from the next `size` bytes or a few more of the stream; b"" only at the end."""
        while not self._ended:
            raw = self._ahead + self._stream.read(size)
            self._ahead, self._ended = b"", not raw
            text = self._decoded(raw)
            if b"\0" in text:
                text = text[: text.index(0)]
                self._stop("nul_bytes", "a NUL byte; the file is damaged or not in the declared encoding")
            if text:
                return text
        return b""

    def _without_mark(self) -> bytes:
        start = b""
        while len(start) < len(codecs.BOM_UTF8) and (more := self._stream.read(len(codecs.BOM_UTF8) - len(start))):
            start += more
        if start.startswith(_UTF16_MARKS) and not self._encoding.startswith(("utf-16", "utf-32")):
            self._stop("encoding", f"the file starts with a UTF-16 byte order mark where {self._encoding} is declared")
        if start != codecs.BOM_UTF8:
            return start
        if not self._encoding.startswith("utf-8"):
            what = f"the file starts with a UTF-8 byte order mark where {self._encoding} is declared; the mark is dropped"
            self.warnings = (FileWarning("byte_order_mark", what),)
        return b""

    def _decoded(self, raw: bytes) -> bytes:
        pending = self._decoder.getstate()[0]
        if raw.isascii() and not pending and self._encoding in _ASCII_BASED:
            return raw
        try:
            text = self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as broken:
            self._stop("encoding", f"bytes that are not {self._encoding}; ask the payer, or change `encoding` in its declaration")
            return broken.object[: broken.start].decode(self._encoding, "ignore").encode()
        if self._encoding == "utf-8":  # what was decoded need not be encoded again
            return (pending + raw)[: len(pending) + len(raw) - len(self._decoder.getstate()[0])]
        return text.encode()

    def _stop(self, code: RejectCode, what: str) -> None:
        self.fault, self._ended = (code, what), True


def split_record(text: str, delimiter: str, quote: str | None) -> list[str]:
    """The fields of one record whose quoting is sound, without quotes; a blank record has none."""
    if not text:
        return []
    if quote is None or quote not in text:
        return text.split(delimiter)
    d, q = re.escape(delimiter), re.escape(quote)
    spans = re.findall(rf"(?:^|{d})({q}[^{q}]*(?:{q}{q}[^{q}]*)*{q}|[^{d}]*)", text)
    return [span[1:-1].replace(quote * 2, quote) if span.startswith(quote) else span for span in spans]


def read_header(text: str, dialect: Dialect) -> Header:
    """Match the first record with the declared columns, by exact name after stripping surrounding blanks.

    Raises:
        FileRejected: header_missing, delimiter, quoting, column_repeated, column_renamed or column_missing.
    """
    names = [name.strip() for name in split_record(text, dialect.delimiter, dialect.quote)]
    _reject_unreadable(text, names, dialect)
    index = {name: position for position, name in enumerate(names)}
    missing = [name for name in dialect.columns if name not in index]
    added = {name: position for name, position in index.items() if name not in dialect.columns}
    _reject_repeated(names)
    _reject_renamed(names, missing, dialect)
    _reject_missing([name for name in missing if name not in dialect.optional])
    found = {name: index[name] for name in dialect.columns if name in index}
    return Header(len(names), found, added, tuple(_warnings(missing, added, dialect)))


def read_trailer(fields: list[str], mark: str, number: int) -> Trailer:
    """The trailer in the fields of the last record, which is record `number`.

    Raises:
        FileRejected: trailer_missing, also if it cannot be read.
    """
    if fields[:1] != [mark]:
        raise FileRejected("trailer_missing", f"record {number} is the last and does not start with the declared trailer {mark}")
    claims = re.fullmatch(r"([0-9]{1,18}) ([0-9]{1,18})(-?)", " ".join(fields[1:]))
    if len(fields) != 3 or not claims:
        form = f"{mark}, number of records, billed cents with a trailing - if negative"
        raise FileRejected("trailer_missing", f"record {number} is a trailer that cannot be read; it must be: {form}")
    rows, cents, minus = claims.groups()
    return Trailer(int(rows), -int(cents) if minus else int(cents))


def check_trailer(mark: str | None, trailer: Trailer | None, early: int, records: int) -> None:
    """Hold the end of a file against its `records`; `early` is the number of a trailer before the end, 0 if none.

    Raises:
        FileRejected: trailer_count or trailer_missing.
    """
    if early:
        raise FileRejected("trailer_count", f"record {early} is a trailer and records follow it; a file has one, at its end")
    if mark and not trailer:
        raise FileRejected("trailer_missing", f"nothing follows the header; the last line must be {mark}")
    if trailer and trailer.rows != records:
        counts = f"the trailer counts {trailer.rows} records, the file has {records}"
        raise FileRejected("trailer_count", f"{counts}; ask the payer for the full file")


def wrong_delimiter(line: str, dialect: Dialect) -> FileRejected | None:
    """The rejection if the header line is one field by the declared delimiter but several by another usual one."""
    whole = line.strip()
    if dialect.delimiter in line or whole in dialect.columns:
        return None
    best = max(_USUAL_DELIMITERS, key=line.count)
    if best not in line:
        return None
    declared = _USUAL_DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))
    return FileRejected(
        "delimiter",
        f"record 1 (the header) is delimited by {_USUAL_DELIMITERS[best]} where {declared} is declared; "
        "ask the payer for the declared form, or change `delimiter` in the payer's declaration",
    )


def _reject_unreadable(text: str, names: list[str], dialect: Dialect) -> None:
    if not text.strip():
        raise FileRejected("header_missing", "record 1 is blank; a file starts with a header of the declared column names")
    if fault := wrong_delimiter(text, dialect):
        raise fault
    if dialect.quote is None and _quoted_names(names) & set(dialect.columns):
        raise FileRejected(
            "quoting",
            "record 1 (the header) has its column names in double quotes but the payer's declaration has no `quote`; "
            "ask for the file without quotes, or declare the quote",
        )
    if not set(names) & set(dialect.columns):
        raise FileRejected(
            "header_missing",
            "record 1 holds none of the declared column names (compared exactly, upper and lower case differ): "
            f"{_listed(map(repr, dialect.columns))}; a file starts with its header",
        )


def _quoted_names(names: Iterable[str]) -> set[str]:
    return {name[1:-1].strip() for name in names if len(name) > 1 and name[0] == name[-1] == '"'}


def _reject_repeated(names: list[str]) -> None:
    repeated = [_shown(name) for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise FileRejected("column_repeated", f"record 1 (the header) repeats {_listed(repeated)}; every column needs a name of its own")


def _reject_renamed(names: list[str], missing: list[str], dialect: Dialect) -> None:
    if dialect.other_columns == "keep":
        return
    pairs = [(old, new) for old, new in _same_place(dialect.columns, names) if old in missing and new not in dialect.columns]
    if pairs:
        shown = ", ".join(f"{old!r} is declared where the file has {_shown(new)}" for old, new in dict(pairs).items())
        raise FileRejected(
            "column_renamed",
            f"record 1 (the header): {shown}; if the payer renamed the column, rename it in the payer's declaration",
        )


def _same_place(columns: tuple[str, ...], names: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a declared and a found name at the same index, or at the same place between the same neighbours."""
    yield from zip(columns, names, strict=False)
    for tag, a, b, c, d in SequenceMatcher(a=columns, b=names, autojunk=False).get_opcodes():
        if tag == "replace":
            yield from zip(columns[a:b], names[c:d], strict=False)


def _reject_missing(required: list[str]) -> None:
    if required:
        raise FileRejected(
            "column_missing",
            f"record 1 (the header) lacks {_listed(map(repr, required))}; ask the payer for the full file, "
            "or list the column under `optional` in the payer's declaration",
        )


def _warnings(missing: list[str], added: Mapping[str, int], dialect: Dialect) -> Iterator[FileWarning]:
    if added and dialect.other_columns == "warn":
        shown = _listed(map(_shown, added))
        yield FileWarning("column_added", f"columns that are not declared: {shown}; their values are kept in extra")
    if missing:
        shown = _listed(map(repr, missing))
        yield FileWarning("column_missing_optional", f"optional columns that the file lacks: {shown}; read as null")


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    rest = len(shown) - _SHOWN_NAMES
    return ", ".join(shown[:_SHOWN_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _shown(name: str) -> str:
    """The name, unless it could be a cell: a header glued to its first record by a lost line end ends in data."""
    return repr(name) if _NAME_LIKE.fullmatch(name) else "a column without a proper name"
