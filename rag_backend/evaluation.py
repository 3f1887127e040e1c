"""A bank of questions put to the assistant: each answer beside rows that a person's SQL gives on a connection of its own."""

from __future__ import annotations

import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from statistics import quantiles
from typing import Any, Literal

from medflow.errors import UsageError
from medflow.lakehouse.releases import Release
from rag_backend.agents.flow import walk
from rag_backend.agents.turn import Services, Turn
from rag_backend.answer import status_of

Mark = Literal["right", "wrong", "silent"]
_COLUMNS_TRIED = 8
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Asked:
    """One wording of one question of the bank, and how it went. `seconds` is the whole answer's; `fallback`: the model was not used."""

    id: str
    slice: str
    kind: str
    wording: str
    mark: Mark
    told: str
    seconds: float
    fallback: bool = False
    tokens: int = 0


@dataclass
class Bank:
    """Questions and the connection that their SQL runs on."""

    questions: list[dict[str, Any]]
    connection: Any
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    name: str = "bank"

    @classmethod
    def of(cls, path: Path, release: Release) -> Bank:
        """Raises UsageError: no such file, or a line that is not a question."""
        import duckdb

        if not path.is_file():
            raise UsageError(f"no bank at {path}; a bank is a file of one JSON question a line")
        try:
            questions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}: not JSON ({error.msg}); a bank is a file of one JSON question a line") from None
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in release.tables.items():
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
            if table.files:
                connection.execute(
                    f"CREATE VIEW {name} AS SELECT * FROM read_parquet({table.files!r}, union_by_name = true, hive_partitioning = false)"
                )
        return cls(questions, connection, name=path.name)

    def expected(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a person's SQL gives; each text runs once."""
        if sql not in self.rows:
            self.rows[sql] = self.connection.execute(sql).fetchall()
        return self.rows[sql]


def ask_all(bank: Bank, by_role: dict[str, Services]) -> Iterator[Asked]:
    """Every wording of every question, asked by the role that the bank names."""
    for question in bank.questions:
        services = by_role[question["role"]]
        for wording in (question["question"], *question["paraphrases"]):
            begun = time.perf_counter()
            # Each question has an asker of its own: what one was shown would limit what the next is.
            turn = walk(Turn(wording, date.fromisoformat(question["today"]), user=f"{bank.name} {question['id']}"), services)
            seconds = time.perf_counter() - begun
            mark, told = _marked(question, turn, bank)
            fallback = any(notice.code == "planner_fallback" for notice in turn.notices)
            tokens = turn.planning.spent.tokens if turn.planning else 0
            yield Asked(question["id"], question["slice"], question["kind"], wording, mark, told, seconds, fallback, tokens)


def _marked(question: dict[str, Any], turn: Turn, bank: Bank) -> tuple[Mark, str]:
    status = status_of(turn)
    reason = turn.refusal.reason_code if turn.refusal else status
    if question["kind"] == "definition":
        text = turn.explanation.lower()
        held = all(any(way in text for way in word.lower().split("|")) for word in question.get("expects", ()))
        if turn.kind == "definition" and held:
            return "right", ""
        return ("silent", reason) if status != "answered" else ("wrong", "not that definition")
    if question["kind"] != "answerable":
        return ("right", reason) if status != "answered" else ("wrong", f"answered: {turn.interpretation or turn.explanation}")
    if status != "answered" or turn.table is None:
        return "silent", f"{reason}: {turn.explanation}"
    ways = [question["sql"], *(other["sql"] for other in question["alternatives"])]
    if any(same_rows(turn.table.rows, bank.expected(sql), ordered=question["ordered"]) for sql in ways):
        return "right", ""
    return "wrong", turn.interpretation


def same_rows(found: Sequence[tuple[Any, ...]], expected: Sequence[tuple[Any, ...]], *, ordered: bool) -> bool:
    """Whether the expected columns are among those found, with the same rows; more columns may stand beside them."""
    if len(found) != len(expected):
        return False
    if not expected:
        return True
    wanted, width = len(expected[0]), min(len(found[0]), _COLUMNS_TRIED)
    target = [tuple(map(_plain, row)) for row in expected]
    rows = [tuple(map(_plain, row)) for row in found]
    return any(
        _equal([tuple(row[place] for place in places) for row in rows], target, ordered=ordered)
        for places in permutations(range(width), wanted)
    )


def _equal(found: list[tuple[Any, ...]], expected: list[tuple[Any, ...]], *, ordered: bool) -> bool:
    if not ordered:
        found, expected = sorted(found, key=_key), sorted(expected, key=_key)
    return all(all(map(_close, one, other)) for one, other in zip(found, expected, strict=True))


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return bool(one == other)


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float, Decimal)):
        return float(value)
    if isinstance(value, datetime) and value == datetime(value.year, value.month, value.day):
        value = value.date()
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def _key(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(f"{value:.6g}" if isinstance(value, float) else str(value) for value in row)


def scores(asked: Sequence[Asked]) -> dict[str, Any]:
    """Coverage over answerable wordings, precision over answers, RS(0) and RS(10), times, slices and failures."""
    slices: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        slices[one.slice].append(one)
    failures = [{"id": a.id, "wording": a.wording, "kind": a.kind, "mark": a.mark, "told": a.told} for a in asked if a.mark != "right"]
    return {"total": _score(asked), "slices": {name: _score(listed) for name, listed in sorted(slices.items())}, "failures": failures}


def _score(asked: Sequence[Asked]) -> dict[str, Any]:
    answerable = [one for one in asked if one.kind in ("answerable", "definition")]
    others = [one for one in asked if one.kind not in ("answerable", "definition")]
    marks = Counter(one.mark for one in answerable)
    answered = marks["right"] + marks["wrong"] + sum(one.mark == "wrong" for one in others)
    wrong = marks["wrong"] + sum(one.mark == "wrong" for one in others)
    good = marks["right"] + sum(one.mark == "right" for one in others)
    times = sorted(one.seconds * 1000 for one in asked)
    cuts = quantiles(times, n=20) if len(times) > 1 else times * 19
    return {
        "asked": len(asked),
        "answered": answered,
        "right": marks["right"],
        "wrong": wrong,
        "coverage": round(marks["right"] / len(answerable), 4) if answerable else None,
        "precision": round(marks["right"] / answered, 4) if answered else None,
        "held_back": round(sum(one.mark == "right" for one in others) / len(others), 4) if others else None,
        "rs0": round(100 * good / len(asked), 2),
        "rs10": round(100 * (good - 10 * wrong) / len(asked), 2),
        "p50_ms": round(cuts[9], 1),
        "p95_ms": round(cuts[18], 1),
        "fallbacks": sum(one.fallback for one in asked),
        "tokens": sum(one.tokens for one in asked),
    }
