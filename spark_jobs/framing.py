"""Framing: the bytes of one delimited file become Arrow batches of record number, fields by header name and damage.

In: a binary stream, read once, in chunks cut at record ends. Out: text exactly as in the file; a record of the wrong
width comes out damaged; anything else that is wrong rejects the file whole. Never guesses, trims, infers a type or null.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from medflow.errors import LandingError, VerificationError
from spark_jobs.framing_header import (
    CleanText,
    Dialect,
    FileRejected,
    FileWarning,
    Header,
    RejectCode,
    Trailer,
    check_trailer,
    read_header,
    read_trailer,
    split_record,
    wrong_delimiter,
)

__all__ = ["Dialect", "FileRejected", "FileWarning", "FramedFile", "Trailer", "batch_schema", "cut_records", "frame"]

CHUNK_BYTES = 4 << 20
MAX_RECORD_BYTES = 1 << 20

_FIRST_READ = 64 << 10
_BATCH_RECORDS = 1 << 17  # a chunk of line feeds alone has many more records, all damaged and costly in memory
_CACHED = 256 << 10  # bytes compared at a time: temporary arrays that stay in the processor's cache halve the time
_ALL_ONES = np.uint64(2**64 - 1)

Words = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]


class FramedFile:
    """One file on its way through framing; `frame` makes it.

    records and damaged count what was seen so far (neither header nor trailer); they, `trailer` and the warning
    `header_only` are complete when `batches` is exhausted. A FileRejected on the way makes void what came before it.
    """

    def __init__(self, pieces: Iterator[_Records], dialect: Dialect, header: Header, warnings: tuple[FileWarning, ...]) -> None:
        self.schema = batch_schema(dialect)
        self.warnings = (*warnings, *header.warnings)
        self.records = 0
        self.damaged = 0
        self.trailer: Trailer | None = None
        self._dialect = dialect
        self._header = header
        self._early_trailer = 0  # its record number; told at the end only, so that the reason does not depend on chunk borders
        self._batches = self._read(pieces)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The file's records, ascending; one pass, a second call continues the first.

        Raises:
            FileRejected: the file is to be refused whole.
        """
        return self._batches

    def _read(self, pieces: Iterator[_Records]) -> Iterator[pa.RecordBatch]:
        for piece, is_last in _marking_last(pieces):
            records = self._without_trailer(piece, is_last) if self._dialect.trailer else piece
            self.records += len(records)
            if len(records):
                yield self._batch(records)
        check_trailer(self._dialect.trailer, self.trailer, self._early_trailer, self.records)
        if not self.records:
            self.warnings += (FileWarning("header_only", "the file has a header and no data records"),)

    def _batch(self, records: _Records) -> pa.RecordBatch:
        sound = records.widths == self._header.width
        batch = self._sound_batch(records, sound)
        if sound.all():
            return batch
        damaged = np.flatnonzero(~sound)
        self.damaged += len(damaged)
        order = np.argsort(np.concatenate([np.flatnonzero(sound), damaged]))
        return pa.concat_batches([batch, self._damaged_batch(records, damaged)]).take(pa.array(order))

    def _sound_batch(self, records: _Records, sound: npt.NDArray[np.bool_]) -> pa.RecordBatch:
        numbers = records.first + np.flatnonzero(sound)
        fields = _parse(records.body(sound), len(numbers), self._header.width, self._dialect)
        columns = {name: fields[place] for name, place in self._header.index.items()}
        if self._header.added and len(numbers):
            columns["_extra"] = _maps({name: fields[place] for name, place in self._header.added.items()})
        return self._filled(numbers, columns)

    def _damaged_batch(self, records: _Records, damaged: Positions) -> pa.RecordBatch:
        texts = [records.text(position) for position in damaged.tolist()]
        fields = [split_record(text, self._dialect.delimiter, self._dialect.quote) for text in texts]
        errors = [f"{len(found)} fields where the header has {self._header.width}" for found in fields]
        columns = {"_raw_line": pa.array(texts, pa.string()), "_parse_error": pa.array(errors, pa.string())}
        for name in self._dialect.hint_columns:
            place = self._header.index.get(name, self._header.width)
            hints = [found[place] if place < min(len(found) - 1, self._header.width) else None for found in fields]
            columns[name] = pa.array(hints, pa.string())
        return self._filled(records.first + damaged, columns)

    def _filled(self, numbers: Positions, columns: dict[str, pa.Array]) -> pa.RecordBatch:
        given = {"_record_number": pa.array(numbers, pa.int64()), **columns}
        arrays = [given[f.name] if f.name in given else pa.nulls(len(numbers), f.type) for f in self.schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _without_trailer(self, records: _Records, is_last: bool) -> _Records:
        data = records.part(0, len(records) - 1) if is_last else records
        mark, delimiter, quote = self._dialect.trailer or "", self._dialect.delimiter, self._dialect.quote or ""
        early = np.concatenate([data.starting_with(f"{q}{mark}{q}{delimiter}".encode()) for q in ("", quote)])
        if len(early) and not self._early_trailer:
            self._early_trailer = data.first + int(early.min())
        if is_last and not self._early_trailer:
            fields = split_record(records.text(len(data)), delimiter, self._dialect.quote)
            self.trailer = read_trailer(fields, mark, records.first + len(data))
        return data


def frame(stream: BinaryIO, dialect: Dialect, chunk_bytes: int = CHUNK_BYTES, max_record_bytes: int = MAX_RECORD_BYTES) -> FramedFile:
    """Read the header of a delimited file and make ready to read its records.

    The last record, and no other, is the trailer if one is declared. The same bytes are rejected for the same reason,
    the first one in the file, whatever chunk_bytes is. Memory depends on chunk_bytes and max_record_bytes (UTF-8
    without line end) alone: some 12 times a chunk of claims, some 70 times a chunk of nothing but line ends.

    Raises:
        FileRejected: the start of the file already refuses it.
    """
    text = CleanText(stream, dialect.encoding)
    pieces = _cut(text, dialect, chunk_bytes, max_record_bytes)
    header = read_header(next(pieces).text(0), dialect)
    return FramedFile(pieces, dialect, header, text.warnings)


def cut_records(
    stream: BinaryIO,
    dialect: Dialect,
    numbers: Iterable[int],
    *,
    chunk_bytes: int = CHUNK_BYTES,
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> Iterator[tuple[int, str]]:
    """The text of the records with these numbers (header = 1), without line end, ascending, each once.

    Raises:
        FileRejected: the file breaks before the last of them.
        LandingError: the file has fewer records.
    """
    wanted = np.unique(np.fromiter(numbers, np.int64))
    last = 0
    for piece in _cut(CleanText(stream, dialect.encoding), dialect, chunk_bytes, max_record_bytes):
        low, high = np.searchsorted(wanted, [piece.first, piece.first + len(piece)])
        for number in wanted[low:high].tolist():
            yield number, piece.text(number - piece.first)
        last = piece.first + len(piece) - 1
        if high == len(wanted):
            return
    raise LandingError(f"record {wanted[-1]} is asked for but the file ends at {last}; it is not the file that was framed")


def batch_schema(dialect: Dialect) -> pa.Schema:
    """`_record_number`, the declared columns as strings, `_extra`, `_raw_line`, `_parse_error`."""
    strings = [pa.field(name, pa.string()) for name in dialect.columns]
    extra = pa.field("_extra", pa.map_(pa.string(), pa.string()))
    damage = [pa.field(name, pa.string()) for name in ("_raw_line", "_parse_error")]
    return pa.schema([pa.field("_record_number", pa.int64()), *strings, extra, *damage])


def _parse(body: pa.Buffer, count: int, width: int, dialect: Dialect) -> list[pa.Array]:
    if not count:
        return [pa.array([], pa.string())] * width
    if body[:3].to_pybytes() == codecs.BOM_UTF8:
        body = pa.py_buffer(codecs.BOM_UTF8 + body.to_pybytes())  # Arrow drops one mark at the start; here it is data
    names, quote = [str(position) for position in range(width)], dialect.quote or False
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(body),
            pa.csv.ReadOptions(use_threads=False, block_size=body.size + 1, column_names=names),
            pa.csv.ParseOptions(delimiter=dialect.delimiter, quote_char=quote, newlines_in_values=bool(quote), ignore_empty_lines=False),
            pa.csv.ConvertOptions(check_utf8=False, column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:  # its message quotes the record
        table = pa.table({})
    if table.num_rows != count:
        raise VerificationError(f"Arrow and framing disagree about where {count} records end; keep the file for a bug report")
    return [column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in table.columns]


def _maps(columns: dict[str, pa.Array]) -> pa.Array:
    values = pa.concat_arrays(list(columns.values()))
    width, count = len(columns), len(values) // len(columns)
    keys = pa.array(list(columns)).take(pa.array(np.tile(np.arange(width), count)))
    by_record = np.arange(width * count).reshape(width, count).T.ravel()
    return pa.MapArray.from_arrays(pa.array(np.arange(count + 1) * width, pa.int32()), keys, values.take(pa.array(by_record)))


def _marking_last(pieces: Iterator[_Records]) -> Iterator[tuple[_Records, bool]]:
    ahead = next(pieces, None)
    while ahead is not None:
        piece, ahead = ahead, next(pieces, None)
        yield piece, ahead is None


@dataclass(frozen=True)
class _Records:
    """Records that follow each other in `data`, from number `first`: `stops` lie before their line ends, `ends` behind."""

    data: bytes
    first: int
    starts: Positions
    stops: Positions
    ends: Positions
    widths: Positions

    def __len__(self) -> int:
        return len(self.ends)

    def part(self, low: int, high: int) -> _Records:
        kept = (marks[low:high] for marks in (self.starts, self.stops, self.ends, self.widths))
        return _Records(self.data, self.first + low, *kept)

    def text(self, position: int) -> str:
        return self.data[self.starts[position] : self.stops[position]].decode()

    def starting_with(self, mark: bytes) -> Positions:
        octets = np.frombuffer(self.data, np.uint8)
        found = np.flatnonzero(self.stops - self.starts >= len(mark))
        for offset, octet in enumerate(mark):
            found = found[octets[self.starts[found] + offset] == octet]
        return found

    def body(self, kept: npt.NDArray[np.bool_]) -> pa.Buffer:
        """The bytes of the kept records; copied only if some are left out."""
        borders = np.append(self.starts, self.ends[-1])[np.flatnonzero(np.diff(kept, prepend=False, append=False))].tolist()
        if len(borders) == 2:
            return pa.py_buffer(self.data).slice(borders[0], borders[1] - borders[0])
        view = memoryview(self.data)
        return pa.py_buffer(b"".join(view[start:end] for start, end in zip(borders[::2], borders[1::2], strict=True)))


class _Marks:
    """Bit masks over some text that starts at the start of a record, one bit a byte: what ends records and fields."""

    def __init__(self, data: bytes, dialect: Dialect) -> None:
        self.data = data
        self.octets = np.frombuffer(data, np.uint8)
        feeds, returns, delimiters = (_bits(self.octets, mark) for mark in ("\n", "\r", dialect.delimiter))
        quotes = _bits(self.octets, dialect.quote) if dialect.quote else np.zeros_like(feeds)
        inside = _parity(quotes)
        may_open = _later(feeds | delimiters | quotes)
        may_open[0] |= 1
        feeds_or_end = feeds.copy()
        feeds_or_end[-1] |= np.uint64(1 << len(data) % 64)  # what follows the text is not known yet: nothing is held against it
        may_close = _earlier(feeds_or_end | returns | delimiters | quotes)
        self.ends = _positions(feeds & ~inside) + 1
        self.delimiters = delimiters & ~inside
        self.misplaced = (quotes & inside & ~may_open) | (quotes & ~inside & ~may_close)
        self.bare_returns = returns & ~inside & ~_earlier(feeds_or_end)
        self.unclosed = bool(np.bitwise_count(quotes).sum() % 2)

    def records(self, first: int) -> _Records:
        starts, stops = np.concatenate([np.zeros(1, np.int64), self.ends])[:-1], self.ends - 1
        stops -= (stops > starts) & (self.octets[stops - 1] == ord("\r"))
        widths = np.diff(_count_before(self.delimiters, self.ends), prepend=0) + 1
        return _Records(self.data, first, starts, stops, self.ends, np.where(stops > starts, widths, 0))

    def offences(self, records: _Records, max_record_bytes: int) -> Iterator[tuple[int, RejectCode, str]]:
        """The first of each kind, by position; for a long record that of the last byte allowed, the same in any chunk."""
        quoting = "a quote inside a field that is not quoted, or text after a closing quote; double the quotes inside a field"
        kinds: tuple[tuple[Words, RejectCode, str], ...] = (
            (self.misplaced, "quoting", quoting),
            (self.bare_returns, "line_ending", "a carriage return without line feed; records end with LF or CRLF"),
        )
        for marks, code, what in kinds:
            position = _first_marked(marks)
            if position is not None:
                yield position, code, what
        tail = int(self.ends[-1]) if len(self.ends) else 0
        rest = len(self.data) - tail - (self.data.endswith(b"\r") and not self.unclosed)
        sizes = np.append(records.stops - records.starts, rest)
        if len(long := np.flatnonzero(sizes > max_record_bytes)):
            start = int(np.append(records.starts, tail)[long[0]])
            hint = "; a quote that is never closed would explain it" if self.unclosed else ""
            yield start + max_record_bytes - 1, "record_too_long", f"longer than {max_record_bytes} bytes{hint}"


def _cut(text: CleanText, dialect: Dialect, chunk_bytes: int, max_record_bytes: int) -> Iterator[_Records]:
    """The records in pieces; the header is a piece of its own, so that its faults come before those of later records."""
    first, rest, more, unclosed = 1, b"", True, False
    while more:
        block = text.read(max(len(rest), chunk_bytes if first > 1 else min(chunk_bytes, _FIRST_READ)))
        more, data = bool(block), rest + block
        marks = _Marks(data, dialect)
        records = marks.records(first)
        offences = list(marks.offences(records, max_record_bytes))
        if first == 1 and len(records):
            records = records.part(0, 1)
            offences = [offence for offence in offences if offence[0] < records.ends[0]]
        if offences:
            raise _rejection(min(offences), marks, first, dialect)
        for low in range(0, len(records), _BATCH_RECORDS):
            yield records.part(low, low + _BATCH_RECORDS)
        first, unclosed = first + len(records), marks.unclosed
        rest = data[int(records.ends[-1]) :] if len(records) else data
    _reject_rest(text.fault, rest, first, unclosed)


def _rejection(offence: tuple[int, RejectCode, str], marks: _Marks, first: int, dialect: Dialect) -> FileRejected:
    position, code, what = offence
    number = first + int(np.searchsorted(marks.ends, position, side="right"))
    if code == "quoting" and number == 1 and (fault := wrong_delimiter(marks.data.split(b"\n")[0].decode(), dialect)):
        return fault
    return FileRejected(code, f"record {number}: {what}")


def _reject_rest(fault: tuple[RejectCode, str] | None, rest: bytes, number: int, unclosed: bool) -> None:
    if fault:
        raise FileRejected(fault[0], f"record {number}: {fault[1]}")
    if unclosed:
        raise FileRejected("quoting", f"record {number}: a quoted field is not closed before the file ends")
    if rest:
        raise FileRejected("truncated", f"record {number} is the last and has no line end; ask the payer for the full file")
    if number == 1:
        raise FileRejected("empty_file", "the file has 0 bytes of text; a file has at least a header")


def _bits(octets: npt.NDArray[np.uint8], mark: str) -> Words:
    words = np.zeros(len(octets) // 64 + 1, "<u8")
    packed = words.view(np.uint8)
    for start in range(0, len(octets), _CACHED):
        part = np.packbits(octets[start : start + _CACHED] == ord(mark), bitorder="little")
        packed[start // 8 : start // 8 + len(part)] = part
    return words


def _positions(words: Words) -> Positions:
    return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little").view(np.bool_))


def _later(words: Words) -> Words:
    moved = words << np.uint64(1)
    moved[1:] |= words[:-1] >> np.uint64(63)
    return moved


def _earlier(words: Words) -> Words:
    moved = words >> np.uint64(1)
    moved[:-1] |= words[1:] << np.uint64(63)
    return moved


def _parity(words: Words) -> Words:
    """At each bit, whether the number of marks up to and including it is odd."""
    parity = words.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        parity ^= parity << shift
    odd_before = np.logical_xor.accumulate(parity >> 63)[:-1]
    parity[1:] ^= np.where(odd_before, _ALL_ONES, np.uint64(0))
    return parity


def _first_marked(words: Words) -> int | None:
    found = np.flatnonzero(words)
    if not len(found):
        return None
    word = int(words[found[0]])
    return int(found[0]) * 64 + (word & -word).bit_length() - 1


def _count_before(words: Words, positions: Positions) -> Positions:
    totals = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bitwise_count(words), dtype=np.int64)])
    word, bit = positions >> 6, (positions & 63).astype(np.uint64)
    counts: Positions = totals[word] + np.bitwise_count(words[word] & ((np.uint64(1) << bit) - np.uint64(1)))
    return counts
