"""From the measured rows of a query to the table that a role may see: masks first, then everything that could tell what they hide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medflow.specs.semantic import SemanticModel
from rag_backend.engines.base import Table
from rag_backend.query.compile import OutputColumn
from rag_backend.query.typed_query import TypedQuery
from rag_backend.small_cells.columns import Cells
from rag_backend.small_cells.counts import Ask, LineCounts
from rag_backend.small_cells.history import History
from rag_backend.small_cells.line_sets import Key
from rag_backend.small_cells.masks import Masks, Reason, masks_of
from rag_backend.small_cells.shape import Row, Shape, limited, orders, without_masked
from rag_backend.small_cells.shown import ShownLog


@dataclass(frozen=True)
class Suppressed:
    """The rows to show, a masked cell being none; `cells`: (row, column, why) of each; `left_out`: groups that a masked number left out."""

    table: Table
    cells: tuple[tuple[int, str, Reason], ...]
    left_out: int


@dataclass(frozen=True)
class Measured:
    """A query without shape and its rows: every group, the columns of the answer, and what `having` tests.

    `below`: fewer entities than this behind a number are few.
    """

    query: TypedQuery
    model: SemanticModel
    columns: Sequence[OutputColumn]
    table: Table
    below: int


def suppressed(measured: Measured, ask: Ask, log: ShownLog, most: int) -> Suppressed:
    """What may be shown of a measured table to the user of a log, in order, `most` rows of it; from now on the log has it too.

    `ask` counts on the lines.

    Raises:
        what `ask` raises.
    """
    cells = Cells(measured.query, measured.model)
    counts = LineCounts(cells.counting, ask, measured.below)
    read = [column.name for column in measured.table.columns]
    rows: list[Row] = [dict(zip(read, row, strict=True)) for row in measured.table.rows]
    masks = masks_of(cells, [tuple(row[name] for name in cells.groups) for row in rows], counts)
    history = History(masks, counts, log)
    history.apply()
    shape = Shape(cells, masks, counts, history)
    reasons: dict[tuple[Key, str], Reason] = {**dict.fromkeys(shape.derived(rows), "derived"), **masks.reasons}
    asked, every = orders(cells, [column.name for column in measured.columns], [c.name for c in measured.columns if c.kind == "group"])
    final = limited(cells, without_masked(shape.kept(rows), reasons, shape.key_of), asked, every)
    history.remember({shape.key_of(row) for row in final[:most]})
    return Suppressed(_table(measured, final, most), _cells(measured, final[:most], reasons, shape), _left_out(masks))


def _table(measured: Measured, rows: Sequence[Row], most: int) -> Table:
    types = {column.name: column for column in measured.table.columns}
    names = [column.name for column in measured.columns]
    shown = [tuple(row[name] for name in names) for row in rows[:most]]
    return Table(tuple(types[name] for name in names), shown, len(rows) > most, measured.table.elapsed)


def _cells(
    measured: Measured, rows: Sequence[Row], reasons: Mapping[tuple[Key, str], Reason], shape: Shape
) -> tuple[tuple[int, str, Reason], ...]:
    found = []
    for place, row in enumerate(rows):
        key = shape.key_of(row)
        found += [(place, column.name, reasons[key, column.name]) for column in measured.columns if (key, column.name) in reasons]
    return tuple(found)


def _left_out(masks: Masks) -> int:
    """Groups whose tested number is masked."""
    tested = [column.name for column in masks.cells.columns if column.tested]
    return sum(any(masks.masked(key, name) for name in tested) for key in masks.keys)
