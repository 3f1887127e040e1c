"""What only a release knows of the words that people use: values of dimensions and the days that dates span.

Read through the same engine and policy as any question; kept beside the reader file, since a release never changes.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from medflow.sql.compile import compile_sql
from rag_backend.agents.turn import Services
from rag_backend.engines.base import Cancellation, Query
from rag_backend.planners.grammar.lexicon import ValueEntry, Values
from rag_backend.query.expressions import Base

_AT_MOST = 50_000  # values of one dimension


def values_of(services: Services, folder: Path) -> Values:
    """The values that this policy may read, from `folder` if they were read before.

    Raises:
        QueryError: the engine cannot be asked.
    """
    path = folder / f"{services.release.number}-{services.policy.hash[:16]}-{services.model.version[:16]}.values.json"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(".tmp")
        made.write_text(json.dumps(_read(services)), encoding="utf-8")
        made.replace(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    spans = {dim: (date.fromisoformat(first), date.fromisoformat(last)) for dim, (first, last) in content["span"].items()}
    return Values({dim: [ValueEntry(*one) for one in listed] for dim, listed in content["of"].items()}, spans)


def _read(services: Services) -> dict[str, Any]:
    model, readable = services.model, services.policy.tables
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
            sql = f"SELECT DISTINCT {value} AS v, '' AS l FROM {table} AS rows WHERE {value} IS NOT NULL"
        if table in readable:
            found[name] = [[str(value), str(label or "")] for value, label in _rows(services, sql)]
    return {"of": found, "span": _spans(services)}


def _spans(services: Services) -> dict[str, list[str]]:
    """First and last day of each date; where the lines are closed to the role, of the tables that keep its months or years."""
    model, found = services.model, {}
    for name, declared in model.dimensions.items():
        if declared.type != "date":
            continue
        if model.fact.table in services.policy.tables:
            first, last = _rows(services, f"SELECT MIN({declared.sql}) AS a, MAX({declared.sql}) AS b FROM {model.fact.table}")[0]
        else:
            kept = [(table, s.dates[name]) for table, s in model.sources.items() if name in s.dates and s.dates[name].grain == "month"]
            if not kept:
                continue
            table, day = kept[0]
            first, last = _rows(services, f"SELECT MIN({day.column}) AS a, MAX({day.column}) AS b FROM {table}")[0]
            last = last and (last.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        if first and last:
            found[name] = [first.isoformat(), last.isoformat()]
    return found


def _rows(services: Services, sql: str) -> list[tuple[Any, ...]]:
    """Rows of our own SQL; no text of a question is near it."""
    text = compile_sql(f"{sql} ORDER BY 1, 2 LIMIT {_AT_MOST}", "duckdb")
    query = Query(text, services.release.number, services.policy, _AT_MOST, services.limits.seconds)
    return services.engine.run(query, Cancellation()).rows
