"""Each kind of damage does what it says, to the file of the payer that it suits."""

import csv
import io

import pytest

from medflow.errors import UsageError
from medflow.generate import SampleRequest, damage, generate
from medflow.generate.damage import DAMAGES
from tests.generate.reader import payer_files

SMALL = 1000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Payer → bytes of a small right file."""
    folder = tmp_path_factory.mktemp("damage") / "s"
    generate(SampleRequest(claims=60, seed=4, out=folder))
    return {payer: (folder / name).read_bytes() for payer, name in payer_files(folder)}


def table(data, delimiter=","):
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


def column(data, name, delimiter=","):
    header, *records = [row for row in table(data, delimiter) if row[0] != "TRL"]
    return [row[header.index(name)] for row in records]


CHECKS = {
    "column_added": lambda _, b: table(b)[0][3] == "NETWORK_FLAG" and {len(row) for row in table(b)} == {33},
    "column_dropped_required": lambda _, b: "PROC_CODE" not in table(b)[0] and {len(row) for row in table(b)} == {31},
    "column_dropped_optional": lambda a, b: "PLAN_CODE" not in table(b)[0] and column(b, "MEMBER_ID") == column(a, "MEMBER_ID"),
    "column_renamed": lambda a, b: table(b)[0].index("MEMBER_NUMBER") == 3 and table(b)[1:] == table(a)[1:],
    "columns_reordered": lambda a, b: table(b) == [row[::-1] for row in table(a)],
    "column_repeated": lambda _, b: table(b)[0].count("MEMBER_ID") == 2 and {len(row) for row in table(b)} == {33},
    "wrong_delimiter": lambda a, b: table(b, ";") == table(a),
    "quoted_pipe": lambda a, b: b.startswith(b'"clm_no"|"clm_line"|') and table(b, "|") == table(a, "|"),
    "stray_quote": lambda a, b: len(b) == len(a) + 1 and b.count(b'"') % 2 == 1,
    "unclosed_quote": lambda a, b: len(b) == len(a) - 1 and b.count(b'"') % 2 == 1,
    "latin1": lambda a, b: b.replace(b"\xe9", b"") == a and b != a,
    "utf16": lambda a, b: b.decode("utf-16") == a.decode(),
    "bom_added": lambda a, b: b == b"\xef\xbb\xbf" + a,
    "bom_removed": lambda a, b: b"\xef\xbb\xbf" + b == a,
    "crlf": lambda a, b: b.count(b"\r\n") == a.count(b"\n") and b.replace(b"\r", b"") == a,
    "cr_only": lambda a, b: b"\n" not in b and b.replace(b"\r", b"\n") == a,
    "truncated_mid_record": lambda a, b: a.startswith(b) and not b.endswith(b"\n") and b.count(b"\n") == a.count(b"\n") - 1,
    "trailer_missing": lambda a, b: a.startswith(b) and b"TRL" not in b and b.endswith(b"\n"),
    "trailer_wrong_count": lambda a, b: int(table(b, "|")[-1][1]) == int(table(a, "|")[-1][1]) + 1,
    "trailer_wrong_amount": lambda a, b: table(b, "|")[-1][:2] == table(a, "|")[-1][:2] and table(b, "|")[-1] != table(a, "|")[-1],
    "date_shape": lambda _, b: all(day[2] == day[5] == "/" for day in column(b, "RECEIVED_DATE")),
    "dollars_for_cents": lambda a, b: (
        all("." in cell for cell in column(b, "billed_amt", "|")) and b.splitlines()[-1] == a.splitlines()[-1]
    ),
    "shifted_column": lambda a, b: column(b, "BIRTH_YEAR") == column(a, "MEMBER_ID") and {len(row) for row in table(b)} == {32},
    "empty": lambda _, b: b == b"",
    "header_only": lambda a, b: b == a[: a.index(b"\n") + 1],
    "header_only_trailer": lambda a, b: b == a[: a.index(b"\n") + 1] + b"TRL|0|0\n",
    "nul_bytes": lambda a, b: b.replace(b"\x00", b"") == a and b != a,
    "huge_line": lambda a, b: max(map(len, b.splitlines())) > SMALL and len(b.splitlines()) == len(a.splitlines()),
    "blank_lines": lambda a, b: b.count(b"\n\n") >= 2 and [line for line in b.splitlines() if line] == a.splitlines(),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_does_what_it_says(files, kind, monkeypatch):
    """The changed bytes differ from the right ones just as the kind's name promises."""
    monkeypatch.setattr(damage, "HUGE_RECORD_BYTES", SMALL)
    before = files[DAMAGES[kind].payer]
    after = DAMAGES[kind].apply(before)
    assert after != before
    assert CHECKS[kind](before, after)


def test_a_damaged_sample_says_so(tmp_path):
    """`damage` changes one file; the truth names it and stays about the files as they were."""
    right = generate(SampleRequest(claims=60, seed=4, out=tmp_path / "right", days=2))
    wrong = generate(SampleRequest(claims=60, seed=4, out=tmp_path / "wrong", days=2, damage="trailer_missing"))
    told = wrong.pop("damage")
    assert right.pop("damage") is None and right == wrong
    assert told["kind"] == told["outcome"] == "trailer_missing" and "before the damage" in told["note"]
    changed = [name for _, name in payer_files(tmp_path / "right") if _differs(tmp_path, name)]
    assert changed == [told["file"]] and "unitedhealth" in told["file"]


def _differs(folder, name):
    return (folder / "right" / name).read_bytes() != (folder / "wrong" / name).read_bytes()


def test_damage_needs_a_record(tmp_path):
    """A kind that spoils a record says so when there is none."""
    with pytest.raises(UsageError, match="at least one record"):
        generate(SampleRequest(claims=0, seed=1, out=tmp_path / "s", damage="latin1"))
