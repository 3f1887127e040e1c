"""Rows as a file: numbers stay numbers, and no text becomes a formula, whatever somebody wrote into it."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from rag_backend.api.downloads import csv_of, json_of, name_of
from tests.api.server import Server

_ATTACKS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "-",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\x00=1+1",
    "=\x00cmd|' /C calc'!A0",
    "  =1+1",
    '"=1+1"',
    '=HYPERLINK("http://x","y")',
    "\uff1d1+1",
    "\uff0d1",
    "-5",
    "1e5-=x",
]


def table(rows: list[list[Any]], *types: str, masked: list[list[Any]] | None = None) -> dict[str, Any]:
    """An answer with these rows."""
    columns = [{"name": f"c{place}", "label": f"C {place}", "type": kind} for place, kind in enumerate(types)]
    told = {"columns": columns, "rows": rows, "row_count": len(rows), "truncated": False, "suppressed_cells": masked or []}
    named = dict.fromkeys(("question", "interpretation", "explanation", "sql", "date_column"), "")
    return {"answer_id": "ab" * 16, "release": {"number": 3}, "parts": [], "window": None, "notices": [], **named, **told}


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("text", _ATTACKS)
def test_a_text_is_never_a_formula(text: str) -> None:
    """An apostrophe stands before it, in its cell and as a header; nothing else of it changes but NULs."""
    answer = table([[text, "1"]], "string", "int")
    answer["columns"][0]["label"] = text
    content = csv_of(answer)
    assert b"\0" not in content
    for line in read(content):
        harmless = text.replace("\0", "")
        assert line[0] == (f"'{harmless}" if harmless.lstrip()[0] in "=+-@\uff1d\uff0b\uff0d\uff20" else harmless)
        assert line[0].lstrip()[0] not in "=+-@"


def test_numbers_stay_numbers() -> None:
    """Decimals at full scale, negative ones too; without quotes, so that a reader takes them for numbers."""
    answer = table([["-12.50", -3, -0.25, 1e-7, "-7"], [None, 0, 1.0, None, "12"]], "decimal(12,2)", "bigint", "double", "double", "int")
    assert csv_of(answer).decode("utf-8-sig").splitlines()[1:] == ["-12.50,-3,-0.25,1e-07,-7", ",0,1.0,,12"]


def test_what_only_looks_like_a_number_is_text() -> None:
    """Names of numbers that JSON has none for, and digits in a column of texts."""
    (line,) = read(csv_of(table([["-Infinity", "-5", True, ["a", "-b"]]], "double", "string", "boolean", "array<string>")))[1:]
    assert line == ["'-Infinity", "'-5", "true", '["a", "-b"]']


def test_texts_come_back_as_they_are() -> None:
    """Commas, quotes, breaks and other alphabets; nothing and empty differ."""
    texts = ['a,b;c\t"d"', "two\r\nlines", "Ärzte 保険 🩺", "", "'quoted"]
    content = csv_of(table([[text] for text in texts], "string"))
    assert content.startswith(b"\xef\xbb\xbf")
    assert [line[0] for line in read(content)[1:]] == texts
    assert csv_of(table([[""], [None]], "string")).decode("utf-8-sig") == '"C 0"\r\n""\r\n\r\n'


def test_masked_cells_are_empty_and_told() -> None:
    """A last column says what is not shown; without a mask there is none."""
    answer = table([["a", None, 1], ["b", 5, None]], "string", "int", "int", masked=[[0, "c1", "small"]])
    assert read(csv_of(answer)) == [["C 0", "C 1", "C 2", "Not shown"], ["a", "", "1", "C 1"], ["b", "5", "", ""]]


def test_the_file_s_name_is_safe() -> None:
    """Letters, digits, dots and dashes; it tells that rows were cut off."""
    answer = table([["a"]], "string")
    assert name_of(answer, "csv") == "medflow-abababab-release-3.csv"
    assert name_of(answer | {"truncated": True}, "json") == "medflow-abababab-release-3-cut.json"


def test_json_is_the_rows_and_what_they_are_of() -> None:
    answer = table([["=1+1", "-1.50"]], "string", "decimal(9,2)")
    content = json.loads(json_of(answer))
    assert content["rows"] == [["=1+1", "-1.50"]]
    assert content["release"] == {"number": 3}


def test_over_http(server: Server) -> None:
    """The rows of the answer, in both forms, as an attachment."""
    answer = server.ask("denial rate and billed amount by payer")
    reply = server.client.get(f"/answers/{answer['answer_id']}/download")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9.-]+\.csv"', reply.headers["content-disposition"])
    header, *lines = read(reply.content)
    assert header == [column["label"] for column in answer["columns"]]
    assert lines == [[str(cell) for cell in row] for row in answer["rows"]]
    reply = server.client.get(f"/answers/{answer['answer_id']}/download?format=json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json()["rows"] == answer["rows"]


def test_each_part_of_a_compound_answer(server: Server) -> None:
    """One under the other, each under what it is of."""
    answer = server.ask("How many claims are there by payer, and how many members by sex?")
    lines = read(server.client.get(f"/answers/{answer['answer_id']}/download").content)
    for part in answer["parts"]:
        place = lines.index([part["interpretation"]])
        assert lines[place + 1] == [column["label"] for column in part["columns"]]
        assert lines[place + 2 : place + 2 + len(part["rows"])] == [[str(cell) for cell in row] for row in part["rows"]]


@pytest.mark.parametrize(
    ("question", "address", "status"),
    [
        ("hello", "download", 409),
        ("what is the cost by payer", "download", 409),
        ("claims by payer", "download?format=xlsx", 422),
        ("claims by payer", "download?role=engineer", 422),
        ("claims by payer", "download?format=csv&format=json", 200),
    ],
)
def test_nothing_else_is_downloaded(question: str, address: str, status: int, server: Server) -> None:
    answer = server.ask(question)
    assert server.client.get(f"/answers/{answer['answer_id']}/{address}").status_code == status
