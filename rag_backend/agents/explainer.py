"""Explainer: what was asked, as it was read, and what came of it, in words. Every number comes from the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from medflow.specs.semantic import SemanticModel
from rag_backend.agents.turn import Notice, Services, Turn
from rag_backend.engines.base import Table
from rag_backend.labels import labelled
from rag_backend.planners.claude.wording import ROWS_TOLD, Facts
from rag_backend.query.compile import Compiled
from rag_backend.query.typed_query import TypedQuery
from rag_backend.query.words import in_words
from rag_backend.retrieval.nearest import with_nearest

_BY_A_MODEL = "a query that a model wrote for this question; what it counts is not verified"


def explainer(turn: Turn, services: Services) -> Turn:
    """The turn with interpretation and explanation."""
    if turn.route == "greeting":
        return replace(turn, explanation="Ask about the data in plain words, such as: " + example(services.model))
    if turn.route == "definition" and not turn.refusal:
        return replace(turn, explanation="\n".join(one.sentence for one in turn.definitions))
    if turn.refusal or turn.clarification:
        turn = with_nearest(turn, services)
        return replace(turn, explanation=turn.refusal.message if turn.refusal else turn.clarification)
    if turn.lane == "ad_hoc" and turn.table is not None:
        return replace(turn, interpretation=_BY_A_MODEL, explanation=f"{len(turn.table.rows):,} rows.")
    if turn.query is None:
        return turn
    read = in_words(turn.query, services.model)
    notices = turn.notices
    if not turn.query.time.date and turn.query.form == "measure":
        notices = (*notices, Notice("whole_release", "no time is named: the whole release is counted"))
    notices = (*notices, *_run_out(turn.query, services))
    return _worded(replace(turn, interpretation=read, explanation=_told(turn, services.model), notices=notices), services)


def _worded(turn: Turn, services: Services) -> Turn:
    """The turn with an explanation in a model's words, if a model read the question and says something that can be used."""
    planning, compiled, query = turn.planning, turn.compiled, turn.query
    if services.wording is None or planning is None or planning.planner != "claude" or not planning.spent.tokens:
        return turn
    if turn.table is None or not turn.table.rows or compiled is None or query is None or any(use.where for use in query.metrics):
        return turn  # labels of metrics with conditions of their own hold values
    worded = services.wording(_facts(turn, turn.table, compiled, services.model), turn.cancel)
    planning = replace(planning, spent=planning.spent.and_then(worded.spent))
    findings = " ".join(f"{finding.text}." for finding in turn.findings)
    return replace(turn, planning=planning, explanation=f"{worded.text} {findings}".strip() if worded.text else turn.explanation)


def _facts(turn: Turn, table: Table, compiled: Compiled, model: SemanticModel) -> Facts:
    """Labels and order, and the first cells as people read them; a masked one is none of them."""
    columns, masked = compiled.columns, {(row, column) for row, column, _ in turn.suppressed}
    cells = {
        (row + 1, place + 1): shown(labelled(model, column.name, table.rows[row][place]), column.unit)
        for row in range(min(len(table.rows), ROWS_TOLD))
        for place, column in enumerate(columns)
        if (row, column.name) not in masked
    }
    labels = {column.name: column.label for column in columns}
    order = turn.query.order_by if turn.query else ()
    known = [f"in the order of {labels[one.by]}, {'highest' if one.desc else 'lowest'} first" for one in order if one.by in labels]
    named = tuple(f"{column.label} ({column.unit or 'group'})" for column in columns)
    return Facts(named, (*known, "one row" if len(table.rows) == 1 else "several rows"), cells)


def _run_out(query: TypedQuery, services: Services) -> tuple[Notice, ...]:
    """A notice where the answer reaches into months that are still being reported."""
    declared = services.model.run_out
    dated = declared is not None and declared.date in {query.time.date, *(one.dim for one in query.group_by)}
    if declared is None or not dated or declared.until not in services.spans:
        return ()
    last = services.spans[declared.until][1]
    since = (last - timedelta(days=declared.days)).replace(day=1)
    windows = [query.time.until, *(one.until for one in query.compare)] if query.time.date == declared.date else [None]
    if all(until is not None and until <= since for until in windows if until is not None or not query.compare):
        return ()
    label = services.model.dimensions[declared.date].label
    return (
        Notice("run_out", f"{label} from {since:%B %Y} on: still being reported, the numbers will grow ({declared.days} days of run-out)"),
    )


def example(model: SemanticModel) -> str:
    """A question that can be asked of any model."""
    metric, dimension = next(iter(model.metrics.values())), next(iter(model.dimensions.values()))
    return f"{metric.label} by {dimension.label}"


def _told(turn: Turn, model: SemanticModel) -> str:
    if turn.table is None or turn.compiled is None:
        return ""
    rows = turn.table.rows
    masked = {column for row, column, _ in turn.suppressed if row == 0}
    if not rows and any(notice.code == "suppressed" for notice in turn.notices):
        return "No group can be shown to meet all conditions; those whose numbers are masked are left out."
    if not rows:
        return "No row matches: the window lies inside the data, and nothing in it meets all conditions."
    findings = " ".join(f"{finding.text}." for finding in turn.findings)
    if len(rows) == 1:
        named = zip(turn.compiled.columns, rows[0], strict=True)
        told = {column: shown(labelled(model, column.name, value), column.unit) for column, value in named}
        cells = [f"{column.label}: {'not shown' if column.name in masked else text}" for column, text in told.items()]
        return f"{', '.join(cells)}. {findings}".strip()
    return f"{len(rows):,} rows. {findings}".strip()


def shown(value: object, unit: str) -> str:
    """A cell as people read it: rates in percent, what is between two rates in points, money with two places, thousands apart."""
    if value is None:
        return "none"
    if not unit or isinstance(value, (bool, date)):
        return str(value)
    number = float(str(value))
    if unit == "rate":
        return f"{number:.1%}"
    if unit == "points":
        return f"{100 * number:+.1f} points"
    if unit == "USD":
        return f"${number:,.2f}"
    return f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"
