"""What numbers show over time, by hand-worked cases."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_backend.agents.series import Point, complete, following, last_two, mann_kendall, trend


def _months(*values: float) -> list[Point]:
    return [Point(row, date(2025 + row // 12, row % 12 + 1, 1), value) for row, value in enumerate(values)]


def test_the_probability_is_the_textbooks():
    """n = 10 rising without ties: S = 45, Var(S) = 125, z = 44 / sqrt(125), p = 8.303e-05."""
    assert mann_kendall(range(10)) == pytest.approx(8.303e-05, rel=1e-3)
    assert mann_kendall([3, 3, 3, 3, 3, 3, 3, 3]) == 1.0


@pytest.mark.parametrize(
    ("values", "way"),
    [((1, 2, 3, 4, 5, 6, 7, 8), "rises"), ((8, 7, 6, 5, 4, 3, 2, 1), "falls"), ((5, 1, 4, 2, 5, 1, 4, 2), None), ((1, 2, 3, 4), None)],
)
def test_a_trend_is_told_only_where_it_is_one(values: tuple[float, ...], way: str | None):
    found = trend(_months(*values))
    assert (found[0] if found else None) == way


def test_only_complete_periods_that_follow_each_other_are_compared():
    points = _months(10, 20, 30, 40)
    whole = complete(points, "month", date(2025, 1, 1), date(2025, 4, 15))
    assert [one.value for one in whole] == [10, 20, 30]
    assert last_two(whole, "month") == (points[1], points[2])
    assert last_two([points[0], points[2]], "month") is None
    assert last_two(_months(0, 5), "month") is None


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.sampled_from(["day", "week", "month", "quarter", "year"]))
def test_periods_follow_without_a_gap(day: date, grain: str):
    first = (
        day if grain in ("day", "week") else date(day.year, {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1}.get(grain, 1), 1)
    )
    starts = [first]
    for _ in range(30):
        starts.append(following(starts[-1], grain))
    assert all(one < other and (other - one).days <= 366 for one, other in pairwise(starts))
