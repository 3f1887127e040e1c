"""The rows of an answer as a file. In CSV, no text can be taken for a formula, and every number is the number.

CSV is for spreadsheets: UTF-8 with a byte order mark, CRLF, labels as headers, texts in quotes. A masked cell is empty, and then a last
column says for each row what is not shown. The parts of a compound answer follow each other, each under what it is of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Answer = Mapping[str, Any]
_NUMBERS = re.compile(r"(tiny|small|big)?int|long|short|byte|float|double|decimal(\(\d+, ?\d+\))?", re.I)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n")  # the wide ones are read alike
_NOT_SHOWN = "Not shown"
_TOLD = ("answer_id", "question", "interpretation", "explanation", "sql", "date_column", "window", "release", "notices")
_TABLE = ("columns", "rows", "row_count", "truncated", "suppressed_cells")


def csv_of(answer: Answer) -> bytes:
    """The tables of an answer as CSV."""
    parts = answer["parts"]
    lines = [*_table(answer)] if not parts else [line for part in parts for line in (_text(part["interpretation"]), *_table(part), "")]
    return ("\ufeff" + "".join(f"{line}\r\n" for line in lines)).encode("utf-8")


def json_of(answer: Answer) -> bytes:
    """The tables of an answer, and what they are of, as JSON."""
    content = {name: answer[name] for name in (*_TOLD, *_TABLE)}
    content["parts"] = [{name: part[name] for name in ("interpretation", "sql", *_TABLE)} for part in answer["parts"]]
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1).encode("utf-8")


def name_of(answer: Answer, ending: str) -> str:
    """A file name that any system takes; it says so where rows were cut off."""
    cut = "-cut" if any(part["truncated"] for part in answer["parts"] or (answer,)) else ""
    return f"medflow-{answer['answer_id'][:8]}-release-{answer['release']['number']}{cut}.{ending}"


def _table(table: Answer) -> Iterator[str]:
    columns: Sequence[Mapping[str, str]] = table["columns"]
    labels = {column["name"]: column["label"] for column in columns}
    masked: dict[int, list[str]] = {}
    for row, column, _ in table["suppressed_cells"]:
        masked.setdefault(row, []).append(labels[column])
    yield ",".join([*(_text(column["label"]) for column in columns), *([_text(_NOT_SHOWN)] if masked else [])])
    for place, row in enumerate(table["rows"]):
        cells = [_cell(value, column["type"]) for value, column in zip(row, columns, strict=True)]
        yield ",".join([*cells, *([_text(", ".join(masked.get(place, [])))] if masked else [])])


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)) or (_NUMBERS.fullmatch(kind) and _NUMBER.fullmatch(str(value))):
        return str(value)
    return _text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _text(value: str) -> str:
    """A text in quotes; an apostrophe before what a spreadsheet would compute. NULs, which some readers pass over, are left out."""
    value = value.replace("\0", "")
    begins = value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA)
    return '"' + ("'" if begins else "") + value.replace('"', '""') + '"'
