"""Typed queries answered line by line in plain Python, for tests: which lines stand behind each number that a cell gives away.

Written without the compiler and without the masks that it judges. A set of lines is a number with one bit for each line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import combinations
from typing import Any

from rag_backend.query.typed_query import GroupBy, MetricUse, TypedQuery, Where

Line = dict[str, Any]
Test = Callable[[Line], bool]
FEW = range(1, 11)


def _status(*names: str) -> Test:
    return lambda line: line["claim_status"] in names


def _all(_: Line) -> bool:
    return True


_DECIDED = _status("paid", "denied", "reversed")
COUNTS: dict[str, Test] = {
    "claim_count": _all,
    "submitted_claim_count": _all,
    "accepted_claim_count": lambda line: line["claim_status"] != "rejected",
    "adjudicated_claim_count": _DECIDED,
    "approved_claim_count": _status("paid"),
    "denied_claim_count": _status("denied"),
}
SUMS: dict[str, tuple[str, Test]] = {
    "billed_amount": ("billed_amount", _all),
    "allowed_amount": ("allowed_amount", _all),
    "paid_amount": ("paid_amount", _all),
    "denied_amount": ("billed_amount", _status("denied")),
}
RATIOS = {
    "denial_rate": ("denied_claim_count", "adjudicated_claim_count"),
    "average_billed_per_claim": ("billed_amount", "claim_count"),
    "average_paid_per_claim": ("paid_amount", "claim_count"),
}
METRICS = (*COUNTS, "line_count", *SUMS, *RATIOS)
ADD_UP = {*COUNTS, *SUMS, "line_count"}


@dataclass(frozen=True)
class Behind:
    """A number that can be read off a cell: its quantity, and the lines that it counts or adds up."""

    quantity: str
    lines: int


@dataclass(frozen=True)
class Shown:
    """A cell that somebody saw."""

    column: str
    key: tuple[Any, ...]
    behind: tuple[Behind, ...]


class Lines:
    """The lines of a release; `rows` have the dimensions as fields of their names."""

    def __init__(self, rows: list[Line]) -> None:
        self.rows = rows

    @cached_property
    def bits(self) -> dict[tuple[str, Any], int]:
        """Every value of some fields -> the lines that have it."""
        found: dict[tuple[str, Any], int] = defaultdict(int)
        for place, row in enumerate(self.rows):
            for name in ("claim", "member"):
                found[name, row[name]] |= 1 << place
        return found

    def select(self, test: Test) -> int:
        """The lines that pass a test."""
        return sum(1 << place for place, row in enumerate(self.rows) if test(row))

    def support(self, lines: int) -> tuple[int, int]:
        """Distinct claims and members."""
        claims, members = set(), set()
        while lines:
            place = (lines & -lines).bit_length() - 1
            claims.add(self.rows[place]["claim"])
            members.add(self.rows[place]["member"])
            lines &= lines - 1
        return len(claims), len(members)

    def few(self, lines: int) -> bool:
        """Whether these are of 1 to 10 claims or members."""
        return bool(lines) and any(count in FEW for count in self.support(lines))

    def reveals(self, metric: str) -> list[Behind]:
        """What a metric over all lines gives away."""
        if metric in RATIOS:
            above, below = RATIOS[metric]
            found = self.reveals(above) + self.reveals(below)
            if above in COUNTS:
                found.append(Behind("claims", self.select(COUNTS[below]) & ~self.select(COUNTS[above])))
            return found
        if metric == "line_count":
            return [Behind("lines", self.select(_all))]
        if metric in COUNTS:
            return [Behind("claims", self.select(COUNTS[metric]))]
        amount, test = SUMS[metric]
        added = self.select(lambda line: test(line) and bool(line[amount]))
        return [Behind(amount, self.select(test)), Behind(f"added {amount}", added)]

    def cells(self, query: TypedQuery) -> dict[tuple[tuple[Any, ...], str], tuple[Behind, ...]]:
        """(group's key, column) -> what stands behind each cell, for queries without comparison and units."""
        asked = self.select(lambda line: passes(line, query.where) and _in_window(line, query))
        groups: dict[tuple[Any, ...], int] = defaultdict(int)
        for place, row in enumerate(self.rows):
            key = tuple(_value(row, one) for one in query.group_by)
            if asked >> place & 1 and None not in key:
                groups[key] |= 1 << place
        found: dict[tuple[tuple[Any, ...], str], tuple[Behind, ...]] = {}
        for use in query.metrics:
            for column, revealed in self._columns(use):
                for key, lines in groups.items():
                    found[key, column] = tuple(Behind(one.quantity, one.lines & lines) for one in revealed)
        return found

    def _columns(self, use: MetricUse) -> Iterator[tuple[str, list[Behind]]]:
        """What the columns of a metric give away; a share of its own whole the part, the whole and the rest."""
        own, whole = self.select(lambda line: passes(line, use.where)), self.reveals(use.id)
        yield use.column, [Behind(one.quantity, one.lines & own) for one in whole]
        if use.transform == "share_of_group":
            yield f"{use.column}_share_of_group", [Behind(one.quantity, one.lines & test) for one in whole for test in (own, ~0, ~own)]


def passes(line: Line, where: Where) -> bool:
    """All of the groups, of each one condition; `in` and `not_in` alone are known here."""
    return all(any((str(line[one.dim]) in map(str, one.values)) == (one.op == "in") for one in group) for group in where)


def _in_window(line: Line, query: TypedQuery) -> bool:
    if not query.time.date:
        return True
    day: date | None = line[query.time.date]
    return day is not None and (query.time.start or date.min) <= day < (query.time.until or date.max)


def _value(line: Line, one: GroupBy) -> Any:
    value = line[one.dim]
    if value is None or one.grain == "none":
        return value
    if one.grain == "month":
        return value.replace(day=1)
    if one.grain == "quarter":
        return date(value.year, 3 * ((value.month - 1) // 3) + 1, 1)
    return value.year if one.grain == "year" else value.month


def sums(shown: list[Shown], groups: int) -> Iterator[Shown]:
    """What can be added up of the shown cells of a count or a sum: along each group, and altogether."""
    kept = {(), *combinations(range(groups), groups - 1)} if groups else set()
    for column in sorted({one.column for one in shown} & ADD_UP):
        for places in kept:
            lines: dict[tuple[Any, ...], list[Shown]] = defaultdict(list)
            for one in shown:
                if one.column == column:
                    lines[tuple(one.key[place] for place in places)].append(one)
            for key, cells in lines.items():
                behind = [Behind(one.quantity, _union(cells, place)) for place, one in enumerate(cells[0].behind)]
                if len(cells) > 1:
                    yield Shown(column, key, tuple(behind))


def _union(cells: list[Shown], place: int) -> int:
    found = 0
    for one in cells:
        found |= one.behind[place].lines
    return found


def lines_of(connection: Any) -> Lines:
    """The lines of a release with their dimensions, read by SQL that a person wrote."""
    result = connection.execute(
        """
        SELECT c.payer_id || '|' || c.claim_id AS claim, c.member_key AS member, c.payer_id AS payer, c.claim_status, c.denial_code,
            c.denial_group, c.rendering_npi AS provider, COALESCE(p.specialty, 'unknown') AS specialty,
            COALESCE(p.state, 'unknown') AS provider_state, c.claim_service_date, c.received_date, c.billed_amount, c.allowed_amount,
            c.paid_amount, LEFT(c.principal_diagnosis, 3) AS category
        FROM healthcare.claims_clean AS c LEFT JOIN healthcare.providers AS p ON p.npi = c.rendering_npi
        ORDER BY ALL
        """
    )
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    for row in rows:
        row["condition"] = _condition(row.pop("category"))
        for amount in ("billed_amount", "allowed_amount", "paid_amount"):
            row[amount] = row[amount] or Decimal(0)
    return Lines(rows)


_CONDITIONS = (
    "diabetes E08 E13|hypertension I10 I1A|ischemic_heart_disease I20 I25|heart_failure I50 I50|asthma J45 J45|copd J44 J44|depression F32 F33|"
    "anxiety F40 F41|low_back_pain M54 M54|osteoarthritis M15 M19|chronic_kidney_disease N18 N18|obesity E66 E66|hyperlipidemia E78 E78|"
    "reflux K21 K21|pregnancy O00 O9A|preventive_care Z00 Z13|cancer C00 C96"
)
_RANGES = [tuple(one.split(" ")) for one in _CONDITIONS.split("|")]


def _condition(category: str) -> str | None:
    return next((name for name, first, last in _RANGES if first <= category <= last), None)
