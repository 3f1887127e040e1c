"""A table of an answer: numbers sort as numbers and read as people read them, and a cell that may not be shown says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import streamlit as st

from streamlit_app.cells import NOTHING, Column, columns_of, number_of, part_of, shown
from streamlit_app.plain import plain

MOST_ROWS = 1_000
_MARKED = "background-color: rgba(128, 128, 128, 0.22)"
_ROW, _HEAD, _MOST_HEIGHT = 32, 36, 320
MASKED = "masked"
_REASONS = {
    "small_cell": "too few cases stand behind it",
    "difference": "a hidden number could be worked out from it",
    "derived": "it is computed from a hidden number",
}


def show_table(part: Mapping[str, Any], key: str) -> None:
    """The rows of an answer or of one of its parts, with what is masked marked, and why."""
    columns, rows = columns_of(part), part["rows"][:MOST_ROWS]
    masked = {(row, name): reason for row, name, reason in part.get("suppressed_cells", ()) if row < len(rows)}
    st.dataframe(
        _styled(columns, rows, masked),
        hide_index=True,
        key=key,
        height=min(_HEAD + _ROW * max(len(rows), 1), _MOST_HEIGHT),
        row_height=_ROW,
        placeholder=NOTHING,
        alt=f"Table of {len(rows)} rows: {', '.join(column.label for column in columns)}",
        column_config=_config(columns, {name for _, name in masked}),
    )
    for line in _notes(part, masked):
        st.caption(line)


def show_rows(columns: Sequence[Column], found: Sequence[Mapping[str, Any]], key: str) -> None:
    """A table that is no answer: these columns of what was found."""
    with st.container(key=f"rows-{key}"):
        show_table(part_of(columns, found), key)


def _styled(columns: Sequence[Column], rows: Sequence[Sequence[Any]], masked: Mapping[tuple[int, str], str]) -> Any:
    """Numbers as numbers, so that they sort; a column with a masked cell is text, where a word can stand in the number's place."""
    import pandas as pd

    worded = {name for _, name in masked}
    data = {
        str(place): [
            number_of(row[place]) if _sorts(column, worded) else MASKED if (number, column.name) in masked else shown(row[place], column)
            for number, row in enumerate(rows)
        ]
        for place, column in enumerate(columns)
    }
    styled = pd.DataFrame(data).style
    for place, column in enumerate(columns):
        if _sorts(column, worded):
            styled = styled.format(partial(_told, column=column), subset=[str(place)])
        elif column.name in worded:
            styled = styled.map(lambda text: _MARKED if text == MASKED else "", subset=[str(place)])
    return styled


def _sorts(column: Column, worded: Container[str]) -> bool:
    return column.numeric and column.name not in worded


def _told(value: Any, column: Column) -> str:
    return shown(None if value != value else value, column)


def _config(columns: Sequence[Column], worded: Container[str]) -> dict[str, Any]:
    names = Counter(column.label for column in columns)
    config: dict[str, Any] = {}
    for place, column in enumerate(columns):
        label = column.label if names[column.label] == 1 else f"{column.label} ({column.name})"
        align: Literal["left", "right"] = "right" if column.numeric else "left"
        kind = st.column_config.NumberColumn if _sorts(column, worded) else st.column_config.TextColumn
        config[str(place)] = kind(label, alignment=align)
    return config


def _notes(part: Mapping[str, Any], masked: Mapping[tuple[int, str], str]) -> list[str]:
    """What a reader of the table must know beside it."""
    told, labels = [], {column["name"]: column["label"] for column in part["columns"]}
    for reason, count in Counter(masked.values()).items():
        which = ", ".join(dict.fromkeys(labels[name] for (_, name), why in masked.items() if why == reason))
        why = _REASONS.get(reason, reason)
        told.append(f":material/visibility_off: {count} masked {'cell' if count == 1 else 'cells'} in {plain(which)}: {plain(why)}.")
    if part.get("truncated"):
        told.append(f":material/content_cut: There are more rows than the {part['row_count']:,} that were fetched.")
    if part["row_count"] > MOST_ROWS:
        told.append(f":material/table_rows: The first {MOST_ROWS:,} of {part['row_count']:,} rows; the download has them all.")
    return told
