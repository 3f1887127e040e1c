"""Nobody of one to ten is found in the answers of the role that may not see them: not in a cell, not by adding up, not by asking twice.

Every answer is judged by counts that are made line by line, without the compiler.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random
from typing import Any

import pytest

from rag_backend.agents.flow import walk
from rag_backend.agents.turn import Services, Turn
from rag_backend.query.problems import problems_of
from rag_backend.query.typed_query import TypedQuery
from tests.small_cells.by_hand import ADD_UP, COUNTS, METRICS, RATIOS, SUMS, Behind, Lines, Shown, sums
from tests.support.counts import counted

_TODAY = date(2026, 7, 1)
_DIMS = ("payer", "condition", "denial_code", "denial_group", "provider", "specialty", "provider_state")
_STARTS = ("2024-07-01", "2025-01-01", "2025-10-01", "2026-01-01", "2026-03-01")
_ENDS = ("2026-01-01", "2026-04-01", "2026-05-01", "2026-07-01", "2027-01-01")


@dataclass(frozen=True)
class Attacker:
    """Somebody who asks, and remembers everything."""

    services: Services
    lines: Lines
    user: str = ""

    def ask(self, asked: dict[str, Any]) -> tuple[TypedQuery, Turn]:
        """The answer to a typed query."""
        query = TypedQuery.model_validate(asked)
        turn = walk(Turn("", _TODAY, parts=(query,), user=self.user), self.services)
        return query, turn

    def seen(self, query: TypedQuery, turn: Turn) -> list[Shown]:
        """The cells that an answer shows, with what stands behind each."""
        assert turn.table is not None
        names = [column.name for column in turn.table.columns]
        keys = [names.index("provider_id" if one.dim == "provider" else one.dim) for one in query.group_by]
        behind = self.lines.cells(query)
        found = []
        for row in turn.table.rows:
            key = tuple(row[place] for place in keys)
            found += [
                Shown(column, key, behind.get((key, column), ()))
                for use in query.metrics
                for column in query.outputs(use)
                if row[names.index(column)] is not None
            ]
        return found


def _values(lines: Lines, dim: str, random: Random) -> list[str]:
    known = sorted({str(row[dim]) for row in lines.rows if row[dim] is not None})
    return random.sample(known, min(random.choice([1, 1, 2, 3]), len(known)))


def random_query(random: Random, lines: Lines) -> dict[str, Any]:
    """A typed query of what tables of totals can answer."""
    groups: list[dict[str, str]] = [{"dim": dim} for dim in random.sample(_DIMS, random.choice([0, 1, 1, 2]))]
    dated = random.choice(["claim_service_date", "claim_service_date", "received_date"])
    if random.random() < 0.4:
        groups.append({"dim": dated, "grain": random.choice(["month", "quarter", "year", "month_of_year"])})
    where = []
    for dim in random.sample(_DIMS, random.choice([0, 0, 1, 1, 2])):
        where.append([{"dim": dim, "op": random.choice(["in", "in", "not_in"]), "values": _values(lines, dim, random)}])
    asked: dict[str, Any] = {
        "metrics": [{"id": name} for name in random.sample(METRICS, random.choice([1, 1, 2, 3]))],
        "group_by": groups,
        "where": where,
    }
    if random.random() < 0.15 and asked["metrics"][0]["id"] in (*COUNTS, *SUMS):
        dim = random.choice(_DIMS)
        asked["metrics"][0] |= {"transform": "share_of_group", "where": [[{"dim": dim, "op": "in", "values": _values(lines, dim, random)}]]}
    if random.random() < 0.7:
        asked["time"] = {"date": dated, "from": random.choice(_STARTS), "to": random.choice(_ENDS)}
    return asked


def answers(attacker: Attacker, random: Random) -> Iterator[tuple[dict[str, Any], TypedQuery, Turn]]:
    """Random queries and their answers, without those that are refused."""
    while True:
        asked = random_query(random, attacker.lines)
        if asked.get("time") and asked["time"]["from"] >= asked["time"]["to"]:
            continue
        if problems_of(TypedQuery.model_validate(asked), attacker.services.model):
            continue
        query, turn = attacker.ask(asked)
        if turn.refusal is None and turn.table is not None:
            yield asked, query, turn


def few_found(lines: Lines, cells: Sequence[Shown]) -> list[Shown]:
    """Shown cells that a few stand behind."""
    return [one for one in cells if any(lines.few(number.lines) for number in one.behind)]


@pytest.fixture
def attacker(business: Services, lines: Lines) -> Attacker:
    return Attacker(business, lines)


@pytest.mark.parametrize("seed", range(counted(8, 100)))
def test_no_cell_of_a_few_is_shown(seed: int, attacker: Attacker) -> None:
    """Random queries: no shown number has 1 to 10 claims or members behind it, and none can be told from the others of its row or line."""
    random = Random(seed)
    asking = answers(replace(attacker, user=f"cells {seed}"), random)
    for number in range(5):
        asked, query, turn = next(asking)
        mine = replace(attacker, user=f"cells {seed} {number}")
        query, turn = mine.ask(asked)
        cells = attacker.seen(query, turn)
        assert few_found(attacker.lines, cells) == [], asked
        assert list(_told_in_a_row(attacker.lines, cells)) == [], asked
        assert list(_alone_in_a_line(attacker.lines, query, cells)) == [], asked


def _told_in_a_row(lines: Lines, cells: Sequence[Shown]) -> Iterator[tuple[Shown, Shown]]:
    rows: dict[tuple[Any, ...], list[Shown]] = defaultdict(list)
    for one in cells:
        rows[one.key].append(one)
    for row in rows.values():
        for one in row:
            for other in row:
                if _told(lines, one.behind, other.behind):
                    yield one, other


def _told(lines: Lines, whole: Sequence[Behind], part: Sequence[Behind]) -> bool:
    """Whether one number less another is that of a few."""
    return any(
        one.quantity == other.quantity and not other.lines & ~one.lines and lines.few(one.lines & ~other.lines)
        for one in whole
        for other in part
    )


def _alone_in_a_line(lines: Lines, query: TypedQuery, cells: Sequence[Shown]) -> Iterator[tuple[Any, ...]]:
    """Masked cells of what adds up, each the only one of its row or column with a number behind it that is not zero."""
    shown = {(one.key, one.column) for one in cells}
    for column in {use.column for use in query.metrics if use.id in ADD_UP}:
        keys = {key: behind for (key, name), behind in lines.cells(query).items() if name == column and behind[0].lines}
        for place in range(len(query.group_by)):
            members: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
            for key in keys:
                members[(*key[:place], *key[place + 1 :])].append(key)
            for line in members.values():
                hidden = [key for key in line if (key, column) not in shown]
                if len(hidden) == 1 and len(line) > 1:
                    yield column, hidden[0]


def _altered(asked: dict[str, Any], random: Random, lines: Lines) -> dict[str, Any]:
    """The same question with one thing changed: what someone would ask who looks for a difference."""
    found = {**asked, "metrics": list(asked["metrics"]), "group_by": list(asked["group_by"]), "where": list(asked["where"])}
    ways = ["metric", "group", "filter", "window"]
    for way in random.sample(ways, random.choice([1, 1, 2])):
        if way == "metric":
            kind = random.choice([list(COUNTS), list(SUMS), list(RATIOS)])
            found["metrics"] = [{"id": random.choice(kind)}, *found["metrics"][:1]][: random.choice([1, 2])]
            found["metrics"] = list({one["id"]: one for one in found["metrics"]}.values())
        elif way == "group" and found["group_by"] and random.random() < 0.7:
            found["group_by"].pop(random.randrange(len(found["group_by"])))
        elif way == "group":
            free = [dim for dim in _DIMS if dim not in {one["dim"] for one in found["group_by"]}]
            found["group_by"].append({"dim": random.choice(free)})
        elif way == "filter" and found["where"] and random.random() < 0.6:
            found["where"].pop(random.randrange(len(found["where"])))
        elif way == "filter":
            dim = random.choice(_DIMS)
            found["where"].append([{"dim": dim, "op": random.choice(["in", "not_in"]), "values": _values(lines, dim, random)}])
        elif found.get("time") and random.random() < 0.5:
            found["time"] = {**found["time"], "to": random.choice([end for end in _ENDS if end > found["time"]["from"]])}
        else:
            found.pop("time", None)
    return found


@pytest.mark.parametrize("seed", range(counted(15, 250)))
def test_two_questions_tell_no_more_than_one(seed: int, attacker: Attacker) -> None:
    """Differencing: two questions of one user, the second a change of the first; four pairs a seed. No shown number of the one, and no sum
    of its shown numbers, less one of the other is that of a few."""
    random = Random(seed)
    asking = answers(replace(attacker, user=f"looks around {seed}"), random)
    for number in range(4):
        asked, *_ = next(asking)
        mine = replace(attacker, user=f"attacker {seed} {number}")
        first, (second_asked, second) = mine.ask(asked), _second(mine, asked, random)
        one, other = mine.seen(*first), mine.seen(*second)
        found = list(_told_by_both(mine.lines, (first[0], one), (second[0], other)))
        assert found == [], (asked, second_asked)


def _second(attacker: Attacker, asked: dict[str, Any], random: Random) -> tuple[dict[str, Any], tuple[TypedQuery, Turn]]:
    while True:
        altered = _altered(asked, random, attacker.lines)
        if altered == asked or problems_of(TypedQuery.model_validate(altered), attacker.services.model):
            continue
        query, turn = attacker.ask(altered)
        if turn.refusal is None:
            return altered, (query, turn)


Answer = tuple[TypedQuery, list[Shown]]


def _told_by_both(lines: Lines, first: Answer, second: Answer) -> Iterator[tuple[str, Shown, Shown]]:
    one = [*first[1], *sums(first[1], len(first[0].group_by))]
    other = [*second[1], *sums(second[1], len(second[0].group_by))]
    for mine in one:
        for theirs in other:
            if _told(lines, mine.behind, theirs.behind) or _told(lines, theirs.behind, mine.behind):
                yield "difference", mine, theirs
    for whole, parts in ((other, first[1]), (one, second[1])):
        yield from (("left", one, parts[0]) for one in whole if any(_left(lines, number, parts) for number in one.behind))


def _left(lines: Lines, whole: Behind, parts: Sequence[Shown]) -> bool:
    """Whether a number leaves a few when all cells of a column that lie in it are taken away."""
    for name in {one.column for one in parts if one.column in ADD_UP}:
        rest = whole.lines
        for one in parts:
            for number in one.behind if one.column == name else ():
                if number.quantity == whole.quantity and not number.lines & ~whole.lines:
                    rest &= ~number.lines
        if rest != whole.lines and lines.few(rest):
            return True
    return False
