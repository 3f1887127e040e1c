"""An answer as it leaves the house: the finished turn as plain data. Decimals are text at full scale, dates ISO, rates numbers."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from medflow.specs.semantic import SemanticModel
from rag_backend.agents.charts import chart_of
from rag_backend.agents.turn import Services, Turn
from rag_backend.labels import labelled

Status = Literal["answered", "clarify", "refused", "failed"]


def status_of(turn: Turn) -> Status:
    """How the question ended."""
    if turn.refusal:
        return "refused"
    return "clarify" if turn.clarification else "answered"


def lane_of(turn: Turn) -> str:
    """How the answer came about; certified is a badge for answered questions whose every part is an approved example."""
    if turn.kind == "definition":
        return "definition"
    approved = all(part.examples for part in (turn, *turn.others))
    return "certified" if approved and turn.kind == "data" and status_of(turn) == "answered" else turn.lane


def answer_of(turn: Turn, services: Services) -> dict[str, Any]:
    """The answer's fields; what does not apply is empty."""
    query, parts = turn.query, (turn, *turn.others)
    asked = services.chosen(next((part for part in parts if part.on_spare), turn)).engine
    return {
        "kind": turn.kind,
        "status": status_of(turn),
        "reason_code": turn.refusal.reason_code if turn.refusal else "ambiguous" if turn.clarification else "",
        "question": turn.question,
        "interpretation": "; and ".join(part.interpretation for part in parts if part.interpretation),
        "typed_query": query.model_dump(mode="json") if query else None,
        "planner": turn.planning.planner if turn.planning else services.reader.name,
        "lane": lane_of(turn),
        "examples": list(turn.examples) if lane_of(turn) == "certified" else [],
        **_table_of(turn, services.model),
        "parts": [_part_of(part, services) for part in parts] if turn.others else [],
        "dialect": asked.dialect,
        "engine": asked.name,
        "options": [{"id": o.id, "label": o.label, "typed_query": o.query.model_dump(mode="json")} for o in turn.options],
        "findings": [{"kind": f.kind, "text": f.text, "cells": [list(cell) for cell in f.cells]} for f in turn.findings],
        "explanation": "\n".join(part.explanation for part in parts if part.explanation),
        "definitions": [{"term": d.term, "text": d.text, "source": d.source} for d in turn.definitions],
        "date_column": query.time.date if query else "",
        "window": {"from": _cell(query.time.start), "to": _cell(query.time.until)} if query else None,
        "release": {"number": services.release.number, "created_at": services.release.created_at.isoformat()},
        "notices": [{"code": n.code, "text": n.text} for n in dict.fromkeys(n for part in parts for n in part.notices)],
        "cached": all(part.kept is not None for part in parts),
        "tokens": turn.planning.spent.tokens if turn.planning else 0,
        "cost": _cell(turn.planning.spent.cost) if turn.planning else None,
        "timings": {name: round(milliseconds, 1) for name, milliseconds in turn.trace},
        "nearest": list(turn.refusal.nearest) if turn.refusal else [],
        "follow_ups": list(turn.follow_ups),
    }


def _part_of(turn: Turn, services: Services) -> dict[str, Any]:
    """One question of a compound one: how it was read, its SQL and its rows."""
    query = turn.query
    return {
        "interpretation": turn.interpretation,
        "explanation": turn.explanation,
        "typed_query": query.model_dump(mode="json") if query else None,
        **_table_of(turn, services.model),
        "date_column": query.time.date if query else "",
        "window": {"from": _cell(query.time.start), "to": _cell(query.time.until)} if query else None,
    }


def _table_of(turn: Turn, model: SemanticModel) -> dict[str, Any]:
    """The SQL that ran and what came of it."""
    table = turn.table
    columns = _columns(turn)
    return {
        "sql": turn.kept.sql if turn.kept else turn.approved.sql if turn.approved else "",
        "columns": columns,
        "rows": [_row(row, columns, model) for row in (table.rows if table else [])],
        "row_count": len(table.rows) if table else 0,
        "truncated": bool(table and table.truncated),
        "chart": _chart(turn, model),
        "masked_columns": list(dict.fromkeys(column for _, column, _ in turn.suppressed)),
        "suppressed_cells": [list(cell) for cell in turn.suppressed],
    }


def _chart(turn: Turn, model: SemanticModel) -> dict[str, Any] | None:
    chart = chart_of(turn, model)
    return {**asdict(chart), "y": list(chart.y)} if chart else None


def _columns(turn: Turn) -> list[dict[str, Any]]:
    meant = {column.name: column for column in turn.compiled.columns} if turn.compiled else {}
    return [
        {
            "name": column.name,
            "label": meant[column.name].label if column.name in meant else column.name,
            "type": column.type,
            "unit": meant[column.name].unit if column.name in meant else "",
            "kind": meant[column.name].kind if column.name in meant else "derived",
        }
        for column in (turn.table.columns if turn.table else ())
    ]


def _row(row: tuple[Any, ...], columns: list[dict[str, Any]], model: SemanticModel) -> list[Any]:
    return [_cell(labelled(model, column["name"], cell)) for column, cell in zip(columns, row, strict=True)]


def _cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):  # JSON has no such number
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: _cell(item) for name, item in value.items()}
    return [_cell(item) for item in value] if isinstance(value, list) else value
