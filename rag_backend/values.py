"""What only a release knows of the words that people use: values of dimensions and the days that dates span.

Read through the embedded engine, under the same policy as any question; kept beside the reader file, since a release never changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from medflow.lakehouse.releases import Release
from medflow.specs.policy import Policy
from medflow.specs.semantic import SemanticModel
from medflow.sql.compile import compile_sql
from rag_backend.engines.base import Cancellation, Query, QueryEngine
from rag_backend.planners.grammar.lexicon import ValueEntry, Values
from rag_backend.query.expressions import Base

_AT_MOST = 50_000  # values of one dimension
_FORMAT = "2"  # of the kept file: another number, and it is read from the release again


@dataclass(frozen=True)
class ReleaseView:
    """One release as one role sees it, through the embedded engine; `seconds` is what one statement may take."""

    release: Release
    policy: Policy
    model: SemanticModel
    engine: QueryEngine
    seconds: float

    @property
    def key(self) -> str:
        """A name of exactly this view: another lake's release of the same number has another."""
        parts = (_FORMAT, self.release.created_at.isoformat(), self.policy.hash, self.model.version)
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]

    def opens(self, table: str, sql: str) -> bool:
        """Whether the view may read a table and every column that the SQL names."""
        named = {column.name for column in sqlglot.parse_one(sql, dialect="spark").find_all(exp.Column)}
        return named <= set(self.policy.tables.get(table, ())) and table in self.policy.tables

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of our own SQL; no text of a question is near it."""
        text = compile_sql(f"{sql} ORDER BY 1, 2 LIMIT {_AT_MOST}", "duckdb")
        query = Query(text, self.release.number, self.policy, _AT_MOST, self.seconds)
        return self.engine.run(query, Cancellation()).rows


def values_of(view: ReleaseView, folder: Path) -> Values:
    """The values that the view's role may read; from `folder`, the one of the release's reader files, if they were read before.

    Raises:
        QueryError: the engine cannot be asked.
    """
    if not view.policy.tables:
        return Values()
    path = folder / f"{view.key}.values.json"
    content = _kept(path)
    if content is None:
        content = {"of": _values(view), "span": _spans(view)}
        _keep(path, content)
    spans = {dim: (date.fromisoformat(first), date.fromisoformat(last)) for dim, (first, last) in content["span"].items()}
    return Values({dim: [ValueEntry(*one) for one in listed] for dim, listed in content["of"].items()}, spans)


def _kept(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or not whole
        return None
    return content


def _keep(path: Path, content: dict[str, Any]) -> None:
    """Put the file in place, for the owner alone; where that is impossible the values are read again next time."""
    made = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}")
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False)
        made.replace(path)


def _values(view: ReleaseView) -> dict[str, list[list[str]]]:
    model = view.model
    found: dict[str, list[list[str]]] = {}
    for name, declared in model.dimensions.items():
        if declared.values != "data":
            continue
        base, sql = Base(model), ""
        table = model.joins[declared.join].table if declared.join else ""
        if declared.display or declared.entity:
            entity = model.entities[declared.entity]
            label = declared.display.sql if declared.display else entity.table_key[0]
            table, sql = entity.table, f"SELECT DISTINCT {entity.table_key[0]} AS v, {label} AS l FROM {entity.table}"
        elif table:
            sql = f"SELECT DISTINCT {declared.sql} AS v, '' AS l FROM {table} WHERE {declared.sql} IS NOT NULL"
        else:
            table, value = base.table, base.value(name)
            each = f"EXPLODE({value})" if declared.several else value
            sql = f"SELECT DISTINCT {each} AS v, '' AS l FROM {table} AS rows WHERE {value} IS NOT NULL"
        if view.opens(table, sql):
            found[name] = [[str(value), str(label or "")] for value, label in view.rows(sql)]
    return found


def _spans(view: ReleaseView) -> dict[str, list[str]]:
    """First and last day of each date; where the lines are closed to the role, of the tables that keep its months or years."""
    model, found = view.model, {}
    for name, declared in model.dimensions.items():
        if declared.type != "date":
            continue
        if view.opens(model.fact.table, declared.sql):
            first, last = view.rows(f"SELECT MIN({declared.sql}) AS a, MAX({declared.sql}) AS b FROM {model.fact.table}")[0]
        else:
            kept = [(table, s.dates[name]) for table, s in model.sources.items() if name in s.dates and s.dates[name].grain == "month"]
            if not kept:
                continue
            table, day = kept[0]
            first, last = view.rows(f"SELECT MIN({day.column}) AS a, MAX({day.column}) AS b FROM {table}")[0]
            last = last and (last.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        if first and last:
            found[name] = [first.isoformat(), last.isoformat()]
    return found
