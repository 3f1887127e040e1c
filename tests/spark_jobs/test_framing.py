"""Framing is strict, streams, and agrees with a slow reader that looks at one byte at a time."""

import csv
import io
import pickle
import tracemalloc
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medflow.errors import DeclarationError, LandingError
from spark_jobs.framing import Dialect, FileRejected, Trailer, batch_schema, cut_records, frame
from spark_jobs.framing_header import read_header, read_trailer, split_record

COMMA = Dialect(",", '"', "utf-8", None, ("A", "B", "C"), hint_columns=("A",))
PIPE = Dialect("|", None, "utf-8", "TRL", ("A", "B", "C"), hint_columns=("A",))
OPTIONAL = replace(COMMA, optional=frozenset("B"))
MANY = Dialect(",", '"', "utf-8", None, tuple("ABCDEF"), optional=frozenset("BCDEF"))
LIMIT = 1 << 20


class Trickle(io.BytesIO):
    """A stream that gives at most ten bytes at a time."""

    def read(self, size=-1):
        return super().read(min(size, 10))


def read(data, dialect, chunk_bytes=1 << 16, max_record_bytes=LIMIT):
    """All rows as dicts, and the framed file; `data` is bytes or a stream."""
    framed = frame(io.BytesIO(data) if isinstance(data, bytes) else data, dialect, chunk_bytes, max_record_bytes)
    rows = [row for batch in framed.batches() for row in batch.to_pylist()]
    return [row | {"_extra": row["_extra"] and dict(row["_extra"])} for row in rows], framed


def rejection(data, dialect, chunk_bytes=1 << 16, max_record_bytes=LIMIT):
    with pytest.raises(FileRejected) as caught:
        read(data, dialect, chunk_bytes, max_record_bytes)
    return caught.value


def traced(call):
    """What a call gives and the peak of memory, in bytes."""
    tracemalloc.start()
    value, peak = call(), tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return value, peak


def damaged(fields, raw, hint=None, width=3):
    return {"A": hint, "_raw_line": raw, "_parse_error": f"{fields} fields where the header has {width}"}


def rows_of(dialect, expected, added=()):
    """Rows as framing gives them, numbered from 2: of tuples of values (declared ones, then added ones) or `damaged` ones."""
    rows = []
    for number, values in enumerate(expected, start=2):
        row = {"_record_number": number, **dict.fromkeys([*dialect.columns, "_extra", "_raw_line", "_parse_error"])}
        if not isinstance(values, dict):
            extra = dict(zip(added, values[len(dialect.columns) :], strict=True))
            values = dict(zip(dialect.columns, values, strict=False)) | {"_extra": extra or None}
        rows.append(row | values)
    return rows


SOUND_ROW = ("1", "2", "3")
LATIN, CP1252 = replace(COMMA, encoding="latin-1"), replace(COMMA, encoding="cp1252")
ACCEPTED = {
    "plain": (b"A,B,C\n1,2,3\n", COMMA, [SOUND_ROW]),
    "values are neither trimmed nor taken for null": (b"A,B,C\n 1 ,,NULL\n", COMMA, [(" 1 ", "", "NULL")]),
    "columns by name, blanks around names dropped": (b"C , A,B\n3,1,2\n", COMMA, [SOUND_ROW]),
    "CRLF and LF may mix": (b"A,B,C\r\n1,2,3\n4,5,6\r\n", COMMA, [SOUND_ROW, ("4", "5", "6")]),
    "byte order mark": (b"\xef\xbb\xbfA,B,C\n1,2,3\n", COMMA, [SOUND_ROW]),
    "only the first byte order mark is dropped": (b"A,B,C\n\xef\xbb\xbf1,2,3\n", COMMA, [("\ufeff1", "2", "3")]),
    "quoting is optional": (b'"A",B,"C"\n"1","","x""y"\n', COMMA, [("1", "", 'x"y')]),
    "numbers count records": (b'A,B,C\r\n1,"\r\ny,\n\r",3\r\n1,2,3\n', COMMA, [("1", "\r\ny,\n\r", "3"), SOUND_ROW]),
    "only quotes": (b'A,B,C\n"""","""""",""\n', COMMA, [('"', '""', "")]),
    "without quote, quotes are data": (b'A|B|C\n"1|2"|""\nTRL|1|5-\n', PIPE, [('"1', '2"', '""')]),
    "header only": (b"A,B,C\n", COMMA, []),
    "header and trailer only": (b"A|B|C\nTRL|0|0\n", PIPE, []),
    "too few fields": (b"A,B,C\n1,2\n1,2,3\n", COMMA, [damaged(2, "1,2", "1"), SOUND_ROW]),
    "too many fields": (b'A,B,C\r\n"1,",2,3,4\r\n', COMMA, [damaged(4, '"1,",2,3,4', "1,")]),
    "no hint from the field at the damage": (b"A,B,C\n12\n", COMMA, [damaged(1, "12")]),
    "blank records": (b"A,B,C\n\r\n1,2,3\n\n", COMMA, [damaged(0, ""), SOUND_ROW, damaged(0, "")]),
    "blank record of one column": (b'A\n\n""\nx\n', replace(COMMA, columns=("A",)), [damaged(0, "", width=1), ("",), ("x",)]),
    "damage beside a quoted line feed": (
        b'A,B,C\n1,2,3\n4,"\n"\n1,2,3\n',
        COMMA,
        [SOUND_ROW, damaged(2, '4,"\n"', "4"), SOUND_ROW],
    ),
    "a missing optional column is null": (b"A,C\n1,3\n", OPTIONAL, [("1", None, "3")]),
    "latin-1": (b"A,B,C\n\xe9,\xff,3\n", LATIN, [("é", "ÿ", "3")]),
    "cp1252": (b"A,B,C\n\x80,2,3\n", CP1252, [("€", "2", "3")]),
    "line separators of Unicode are data": ("A,B,C\n\u2028,\x0b\x0c,\x85\n".encode(), COMMA, [("\u2028", "\x0b\x0c", "\x85")]),
}


@pytest.mark.parametrize("chunk_bytes", [1, 2, 5, 7, 1 << 16])
@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(case, chunk_bytes):
    """Each form that payers may use gives these rows, wherever chunks end."""
    data, dialect, expected = ACCEPTED[case]
    rows, framed = read(data, dialect, chunk_bytes)
    assert rows == rows_of(dialect, expected)
    assert (framed.records, framed.damaged) == (len(expected), sum(isinstance(values, dict) for values in expected))


REJECTED = {
    "no byte": (b"", COMMA, "empty_file", "0 bytes"),
    "a byte order mark alone": (b"\xef\xbb\xbf", COMMA, "empty_file", "0 bytes"),
    "NUL in a value": (b"A,B,C\n1,\x00,3\n", COMMA, "nul_bytes", "record 2"),
    "not UTF-8": (b"A,B,C\n1,2,3\n4,\xe9,6\n", COMMA, "encoding", "record 3"),
    "half a character at the end": (b"A,B,C\n1,2,\xc3", COMMA, "encoding", "record 2"),
    "not cp1252": (b"A,B,C\n1,\x81,3\n", CP1252, "encoding", "record 2"),
    "UTF-16": ("A,B,C\n".encode("utf-16"), COMMA, "encoding", "UTF-16"),
    "UTF-16, big end first": (b"\xfe\xff\x00A\x00,", COMMA, "encoding", "UTF-16"),
    "UTF-16 without mark": ("A,B,C\n".encode("utf-16-le"), COMMA, "nul_bytes", "record 1"),
    "semicolons": (b"A;B;C\n1;2;3\n", COMMA, "delimiter", "semicolon where comma"),
    "quoted semicolons": (b'"A";"B";"C"\n"1";"2";"3"\n', COMMA, "delimiter", "semicolon where comma"),
    "tabs": (b"A\tB\tC\n1\t2\t3\n", PIPE, "delimiter", "tab where pipe"),
    "quoted where no quote is declared": (b'"A"|"B"|"C"\nTRL|0|0\n', PIPE, "quoting", "double quotes"),
    "quote inside a plain field": (b'A,B,C\n1,2,3\n4,5"6,7\n', COMMA, "quoting", "record 3"),
    "text after a closing quote": (b'A,B,C\n"1"x,2,3\n', COMMA, "quoting", "record 2"),
    "blank before an opening quote": (b'A,B,C\n1, "2",3\n', COMMA, "quoting", "record 2"),
    "unclosed quote": (b'A,B,C\n1,"2,3\n4,5,6\n', COMMA, "quoting", "record 2"),
    "carriage returns alone": (b"A,B,C\r1,2,3\r", COMMA, "line_ending", "record 1"),
    "a carriage return in a value": (b"A,B,C\n1,2\r,3\n", COMMA, "line_ending", "record 2"),
    "a carriage return too many": (b"A,B,C\n1,2,3\r\r\n", COMMA, "line_ending", "record 2"),
    "no line end": (b"A,B,C\n1,2,3", COMMA, "truncated", "record 2"),
    "half a line end": (b"A,B,C\n1,2,3\r", COMMA, "truncated", "record 2"),
    "header without line end": (b"A,B,C", COMMA, "truncated", "record 1"),
    "trailer without line end": (b"A|B|C\n1|2|3\nTRL|1|0", PIPE, "truncated", "record 3"),
    "no trailer": (b"A|B|C\n1|2|3\n", PIPE, "trailer_missing", "record 2"),
    "header alone where a trailer is declared": (b"A|B|C\n", PIPE, "trailer_missing", "nothing follows"),
    "trailer that counts fewer": (b"A|B|C\n1|2|3\n1|2|3\nTRL|1|0\n", PIPE, "trailer_count", "counts 1 records, the file has 2"),
    "trailer without amount": (b"A|B|C\nTRL|0\n", PIPE, "trailer_missing", "cannot be read"),
    "trailer with the sign first": (b"A|B|C\nTRL|0|-5\n", PIPE, "trailer_missing", "cannot be read"),
    "trailer with other digits": ("A|B|C\nTRL|\u0660|0\n".encode(), PIPE, "trailer_missing", "cannot be read"),
    "trailer in the middle": (b"A|B|C\nTRL|0|0\n1|2|3\nTRL|2|0\n", PIPE, "trailer_count", "record 2"),
    "two files in one": (b"A|B|C\n1|2|3\nTRL|1|0\nA|B|C\n1|2|3\nTRL|1|0\n", PIPE, "trailer_count", "record 3"),
    "blank header": (b"  \nA,B,C\n", COMMA, "header_missing", "blank"),
    "no header": (b"1,2,3\n4,5,6\n", COMMA, "header_missing", "'A', 'B', 'C'"),
    "missing columns": (b"B\n1\n", MANY, "column_missing", "'A'"),
    "a renamed column": (b"A,NEW,C\n1,2,3\n", COMMA, "column_renamed", "'B' is declared where the file has 'NEW'"),
    "a renamed optional column": (b"A,NEW,C\n1,2,3\n", OPTIONAL, "column_renamed", "'B'"),
    "a name in other letters": (b"A,b,C\n1,2,3\n", COMMA, "column_renamed", "'b'"),
    "a renamed column behind an added one": (b"X,A,B,NEW,D,E,F\n1,2,3,4,5,6,7\n", MANY, "column_renamed", "'C'"),
    "a repeated column": (b"A,B,C,A\n1,2,3,4\n", COMMA, "column_repeated", "'A'"),
    "a repeated column that is not declared": (b"A,B,C,X,X\n1,2,3,4,5\n", COMMA, "column_repeated", "'X'"),
}


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 16])
@pytest.mark.parametrize("case", REJECTED)
def test_rejected(case, chunk_bytes):
    """Each fault rejects the file with its code and says where, wherever chunks end."""
    data, dialect, code, told = REJECTED[case]
    fault = rejection(data, dialect, chunk_bytes)
    assert (fault.code, told in fault.detail, str(fault)) == (code, True, fault.detail), fault


WARNED = {
    "added": (b"A,B,C,X\n1,2,3,4\n", COMMA, {"column_added": "'X'"}),
    "added and expected": (b"A,B,C,X\n1,2,3,4\n", replace(COMMA, other_columns="keep"), {}),
    "missing, not renamed": (b"A,X,C\n1,2,3\n", replace(OPTIONAL, other_columns="keep"), {"column_missing_optional": "'B'"}),
    "optional": (b"A,C\n1,2\n", OPTIONAL, {"column_missing_optional": "'B'"}),
    "header only": (b"A,B,C\n", COMMA, {"header_only": "no data"}),
    "mark of another encoding": (b"\xef\xbb\xbfA,B,C\n1,2,3\n", LATIN, {"byte_order_mark": "UTF-8"}),
    "usual mark": (b"\xef\xbb\xbfA,B,C\n1,2,3\n", COMMA, {}),
}


@pytest.mark.parametrize("case", WARNED)
def test_warned(case):
    """What is unusual but sound is a warning that names it."""
    data, dialect, expected = WARNED[case]
    found = {warning.code: warning.detail for warning in read(data, dialect)[1].warnings}
    assert found.keys() == expected.keys() and all(expected[code] in found[code] for code in expected)


def test_trailer_is_parsed_and_not_a_record():
    """The trailer's claims are given as integers, cents signed by the last character."""
    _, framed = read(b"A|B|C\n1|2|3\n1|2\nTRL|2|123450-\n", PIPE)
    assert (framed.trailer, framed.records, framed.damaged) == (Trailer(2, -123450), 2, 1)


def test_schema_depends_on_the_declaration_alone():
    """A file with more or fewer columns has the same schema."""
    assert all(frame(io.BytesIO(data), OPTIONAL).schema == batch_schema(OPTIONAL) for data in (b"A,B,C\n", b"X,C,A\n"))
    assert batch_schema(OPTIONAL).names == ["_record_number", "A", "B", "C", "_extra", "_raw_line", "_parse_error"]


def test_many_damaged_records_keep_their_places():
    """Sound and damaged records come out ascending, with the extra columns of the sound ones."""
    data = b"Y,A,B,C,X\n" + b"1,2\n4,1,2,3,5\n6,1,2,3,7\n" * 100
    expected = [damaged(2, "1,2", width=5), (*SOUND_ROW, "4", "5"), (*SOUND_ROW, "6", "7")] * 100
    assert read(data, COMMA)[0] == rows_of(COMMA, expected, "YX")


def test_rejection_survives_pickling():
    """A Spark worker can hand the rejection to the driver."""
    fault = pickle.loads(pickle.dumps(FileRejected("quoting", "record 2: …")))
    assert (fault.code, fault.detail) == ("quoting", "record 2: …")


@pytest.mark.parametrize("data", [b"A,B,C70012345,E119,1961\n", b"70012345,1961-04-01,E119\n70012345,1961-04-01,E119\n"])
def test_no_cell_of_a_file_that_lost_its_header(data):
    """Names that may be cells are not told: the header glued to the first record, or no header at all."""
    assert "70012345" not in str(rejection(data, COMMA))


@pytest.mark.parametrize("delimiter, encoding", [("", "utf-8"), ("::", "utf-8"), ("é", "utf-8"), ('"', "utf-8"), (",", "utf-9")])
def test_dialect_refuses_what_it_cannot_read_by(delimiter, encoding):
    """Delimiter and quote are one ASCII character each, and not the same; the encoding exists."""
    with pytest.raises(DeclarationError):
        replace(COMMA, delimiter=delimiter, encoding=encoding)


def test_record_limit_is_exact():
    """A record may be as long as the limit, without its line end, and not one byte longer."""
    for end, chunk_bytes in product([b"\n", b"\r\n"], [1, 3, 64]):
        assert len(read(b"A,B,C\n1,2,34567" + end, COMMA, chunk_bytes, 9)[0]) == 1
        assert rejection(b"A,B,C\n1,2,345678" + end, COMMA, chunk_bytes, 9).code == "record_too_long"


@pytest.mark.parametrize("start, unit, told", [(b"", b"x", "record 1"), (b"A,B,C\n1", b"x", "2"), (b'A,B,C\n1,"', b"\n", "closed")])
def test_a_line_of_100_mb_is_noticed_early_and_in_little_memory(start, unit, told):
    """A record without end, quoted or not, is refused after a few MiB are read."""
    stream = io.BytesIO(start + unit * (100_000_000 // len(unit)))
    fault, peak = traced(lambda: rejection(stream, COMMA, 1 << 20))
    assert (fault.code, told in fault.detail) == ("record_too_long", True)
    assert (stream.tell() < 5 << 20, peak < 40 << 20) == (True, True)


def test_a_long_file_streams_in_little_memory():
    """Memory depends on the chunk, not on the file."""
    stream = io.BytesIO(b"A,B,C\n" + b'1,"\n",\n' * 4_000_000)
    records, peak = traced(lambda: sum(batch.num_rows for batch in frame(stream, COMMA, 2 << 20).batches()))
    assert (records, peak < 40 << 20) == (4_000_000, True)


def test_cut_records_stops_at_the_last_and_refuses_what_is_not_there():
    """Only what is asked for is read; a number past the end means that the file is another one."""
    data = b'A,B,C\n1,"x\r\ny",3\r\n4,5\n6,"\n'
    assert list(cut_records(io.BytesIO(data), COMMA, [3, 2, 3], chunk_bytes=4)) == [(2, '1,"x\r\ny",3'), (3, "4,5")]
    assert list(cut_records(io.BytesIO(data), COMMA, [])) == []
    with pytest.raises(LandingError, match="record 9 "):
        list(cut_records(io.BytesIO(b"A,B,C\n1,2,3\n"), COMMA, [2, 9]))


@pytest.mark.parametrize("dialect", [COMMA, PIPE], ids=["quoted", "trailer"])
def test_every_truncation_is_rejected_or_an_exact_prefix(dialect):
    """A file cut anywhere never passes for a whole one if it has a trailer, and never ends within a record."""
    whole = b'A,B,C\r\n1,"2\n",3\r\n4,"""5",\xc3\xa9\r\n' if dialect is COMMA else b"A|B|C\n1|2|3\n4|5|\xc3\xa9\nTRL|2|7\n"
    rows = read(whole, dialect)[0]
    borders = {7: 0, 17: 1, len(whole): 2} if dialect is COMMA else {len(whole): 2}
    for size in range(len(whole) + 1):
        found = outcome(lambda cut=whole[:size]: read(cut, dialect)[0])
        assert found == rows[: borders[size]] if size in borders else isinstance(found, str)


QUOTING = st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
CELLS = st.text(alphabet=st.sampled_from(list('ab ,"\n\r|é\u2028\ufeff😀;')), max_size=6)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=12), QUOTING, st.sampled_from(["\n", "\r\n"]), st.integers(1, 1024))
def test_what_was_written_is_framed(table, quoting, line_end, chunk_bytes):
    """Tables written by Python's csv come back cell by cell, and cut_records gives their raw text."""
    if quoting == csv.QUOTE_MINIMAL and line_end == "\n":  # then Python's csv leaves a lone carriage return unquoted
        table = [tuple(cell.replace("\r", "\n") for cell in values) for values in table]
    pieces = []
    for values in [("A", "B", "C"), *table]:
        text = io.StringIO(newline="")
        csv.writer(text, quoting=quoting, lineterminator=line_end).writerow(values)
        pieces.append(text.getvalue())
    data = "".join(pieces).encode()
    assert read(data, COMMA, chunk_bytes)[0] == read(Trickle(data), COMMA)[0] == rows_of(COMMA, table)
    cut = cut_records(Trickle(data), COMMA, range(1, len(pieces) + 1), chunk_bytes=chunk_bytes)
    assert list(cut) == list(enumerate((piece.removesuffix(line_end) for piece in pieces), start=1))


def slow_records(data, dialect, limit):
    """The reference: records as (text, fields), byte by byte, raising at the first byte that is wrong."""
    fault, data = slow_text(data, dialect)
    number, start, field, fields, state = 1, 0, b"", [], "start"
    for at in range(len(data)):
        octet, after = data[at : at + 1], data[at + 1 : at + 2]
        ends = state != "quoted" and (octet == b"\n" or (octet == b"\r" and after in (b"", b"\n")))
        if at - start == limit and not ends:
            raise FileRejected("record_too_long", f"{number}")
        if state == "quoted" and octet == dialect.quote.encode():
            if after not in (b"", b"\r", b"\n", dialect.quote.encode(), dialect.delimiter.encode()):
                raise FileRejected("quoting", f"{number}")
            state = "closed"
        elif state == "quoted":
            field += octet
        elif dialect.quote and octet == dialect.quote.encode():
            if state == "plain":
                raise FileRejected("quoting", f"{number}")
            field, state = field + (octet if state == "closed" else b""), "quoted"
        elif octet == b"\r":
            if not ends:
                raise FileRejected("line_ending", f"{number}")
        elif octet in (b"\n", dialect.delimiter.encode()):
            fields, field, state = [*fields, field.decode()], b"", "start"
        else:
            field, state = field + octet, "plain"
        if ends and octet == b"\n":
            text = data[start:at].removesuffix(b"\r").decode()
            yield text, fields if text else []
            number, start, fields = number + 1, at + 1, []
    if fault or state == "quoted" or start < len(data) or number == 1:
        code = "quoting" if state == "quoted" else "truncated" if start < len(data) else "empty_file"
        raise FileRejected(fault or code, f"{number}")


def slow_text(data, dialect):
    """What of the bytes is text, and the code of what ends it."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "encoding", b""
    data, fault = data.removeprefix(b"\xef\xbb\xbf"), None
    try:
        data.decode(dialect.encoding)
    except UnicodeDecodeError as broken:
        data, fault = data[: broken.start], "encoding"
    text, nul, _ = data.partition(b"\0")
    return ("nul_bytes" if nul else fault), text.decode(dialect.encoding).encode()


def slow_rows(data, dialect, limit):
    """The rows that framing must give, by the reference."""
    records = slow_records(data, dialect, limit)
    header = read_header(next(records)[0], dialect)
    rows, trailers, last = [], [], ""
    places = [header.index.get(name) for name in dialect.columns]
    for number, (last, fields) in enumerate(records, start=2):
        if len(fields) == header.width:
            rows.append([None if place is None else fields[place] for place in (*places, *header.added.values())])
        else:
            hint = fields[places[0]] if places[0] < len(fields) - 1 else None
            rows.append(damaged(len(fields), last, hint, header.width))
        trailers += [number] if fields[:1] == [dialect.trailer] and len(fields) > 1 else []
    rows = rows_of(dialect, rows, header.added)
    if dialect.trailer is None:
        return rows
    if not rows or (trailers and trailers[0] <= len(rows)):
        raise FileRejected("trailer_count" if rows else "trailer_missing", "not the last, or nothing but a header")
    if read_trailer(split_record(last, dialect.delimiter, dialect.quote), dialect.trailer, 0).rows != len(rows) - 1:
        raise FileRejected("trailer_count", "another number")
    return rows[:-1]


def outcome(call):
    """What a call gives: its rows, or the code of the rejection; a rejection never tells a cell."""
    try:
        return call()
    except FileRejected as fault:
        assert "7001" not in fault.detail
        return fault.code


SOUND = {
    "quoted": (COMMA, b'A,"B",C\r\n"70011","x,\n""y""",3\r\n70012,,\xc3\xa9\n70013,"",""\n'),
    "added": (OPTIONAL, b'\xef\xbb\xbfX,A,B,C\n1,70011,"",2\n"3",70012,4,"\r\n"\n5,70013\n'),
    "trailer": (PIPE, b'A|B|C\n70011|"|3\n70012||\xc3\xa9\n70013|5|6\nTRL|3|12-\n'),
    "quoted trailer": (replace(COMMA, trailer="T"), b'A,B,C\n70011,"",3\n70012,"5",6\n"T",2,0\n'),
    "cp1252": (replace(PIPE, encoding="cp1252", trailer=None), b"A|B|C\r\n70011|\x80|3\r\n70012|\xe9|\n"),
}
BYTES = [
    *(bytes([octet]) for octet in b',,""||\n\n\r\r\0\xff\xc3\xa9\x81 aT3;\t'),
    b"\r\n",
    b'""',
    b'","',
    b"TRL|",
    b"\xef\xbb\xbf",
]
CHANGES = st.lists(st.tuples(st.integers(0, 55), st.integers(0, 3), st.sampled_from([b"", *BYTES])), min_size=0, max_size=4)


def check_mutation(case, changes, chunk_bytes, limit):
    """Whatever bytes are replaced, put in or left out: framing and the reference give the same rows or the same refusal."""
    dialect, data = SOUND[case]
    for position, removed, added in changes:
        data = data[:position] + added + data[position + removed :]
    expected = outcome(lambda: slow_rows(data, dialect, limit))
    found = outcome(lambda: read(data, dialect, chunk_bytes, limit)[0])
    told_better = (expected, found) == ("quoting", "delimiter")  # of a quoted header with another delimiter
    assert found == expected or told_better, data


MUTATIONS = given(st.sampled_from(sorted(SOUND)), CHANGES, st.integers(1, 200), st.sampled_from([12, 24, LIMIT, LIMIT, LIMIT]))
test_mutations = settings(max_examples=1_000, derandomize=True, deadline=None)(MUTATIONS(check_mutation))
test_mutations_in_full = pytest.mark.slow(settings(max_examples=3_000, deadline=None)(MUTATIONS(check_mutation)))
