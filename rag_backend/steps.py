"""The steps of a question as they happen: who is told, and what is said of each. A summary counts and names; it holds no cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rag_backend.agents.turn import Turn


@dataclass(frozen=True)
class Step:
    """An agent that begins, or has ended: then `ms` says how long it took and `summary` what came of it."""

    name: str
    ms: float | None = None
    summary: str = ""


Tell = Callable[[Step], None]


def untold(_: Step) -> None:
    """Nobody listens."""


def summary_of(name: str, turn: Turn) -> str:
    """What the agent of a name has done, in a few words."""
    if turn.refusal is not None:
        return f"refused: {turn.refusal.reason_code}"
    return _SUMMARIES[name](turn)


def _router(turn: Turn) -> str:
    if turn.kind == "sql":
        return "SQL, as it was typed"
    if turn.clarification:
        return f"asked back: {counted(len(turn.options), 'reading')}"
    read = {"data": "a question about the data", "definition": "a question of meaning", "greeting": "a greeting"}
    planner = f"{turn.planning.planner}: " if turn.planning else ""
    return planner + read.get(turn.route, "no question that the data answer")


def _planner(turn: Turn) -> str:
    queries = [part.query for part in (turn, *turn.others) if part.query is not None]
    if not queries:
        return "SQL by a model" if turn.sql else "nothing to plan"
    parts = counted(len(queries), "part") + ": " if len(queries) > 1 else ""
    metrics, groups = sum(len(one.metrics) for one in queries), sum(len(one.group_by) for one in queries)
    filters = sum(len(one.where) + bool(one.time.start or one.time.until) for one in queries)
    told = [counted(metrics, "metric"), counted(groups, "group"), *([counted(filters, "filter")] if filters else [])]
    return parts + ", ".join(told)


def _retrieval(turn: Turn) -> str:
    parts = (turn, *turn.others)
    told = [counted(sum(len(part.definitions) for part in parts), "definition")]
    told += ["an approved question"] if all(part.examples for part in parts) else []
    told += ["rows kept from before"] if all(part.kept for part in parts) else []
    return ", ".join(told)


def _generator(turn: Turn) -> str:
    tables = sorted({part.compiled.base.table for part in (turn, *turn.others) if part.compiled is not None})
    return f"SQL over {', '.join(tables)}" if tables else "SQL as given"


def _validator(_: Turn) -> str:
    return "proved: one SELECT, of what the role may read"


def _executor(turn: Turn) -> str:
    parts = (turn, *turn.others)
    rows = sum(len(part.table.rows) for part in parts if part.table is not None)
    told = [f"rows: {rows:,}", *(["from the cache"] if all(part.kept is not None for part in parts) else [])]
    masked = sum(len(part.suppressed) for part in parts)
    return ", ".join([*told, *([f"{counted(masked, 'cell')} not shown"] if masked else [])])


def _analyzer(turn: Turn) -> str:
    return counted(sum(len(part.findings) for part in (turn, *turn.others)), "finding")


def _explainer(_: Turn) -> str:
    return "put in words"


def _suggester(turn: Turn) -> str:
    return counted(len(turn.follow_ups), "follow-up")


_SUMMARIES: dict[str, Callable[[Turn], str]] = {
    "router": _router,
    "planner": _planner,
    "retrieval": _retrieval,
    "generator": _generator,
    "validator": _validator,
    "executor": _executor,
    "analyzer": _analyzer,
    "explainer": _explainer,
    "suggester": _suggester,
}


def counted(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
