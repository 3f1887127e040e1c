"""Tokens of a day: counted in a database that several processes share, and that outlives them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from medflow.lakehouse.database import connect
from rag_backend.model.budget import Reservation, TokenBudget
from tests.support.counts import counted
from tests.support.lake import ROOT

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[int], TokenBudget]:
    """Opens the same budget again and again, each time on connections of its own."""
    return lambda per_day: TokenBudget(connect(f"sqlite:///{tmp_path}/app.db"), per_day)


def test_a_call_reserves_and_settles(opened: Callable[[int], TokenBudget]) -> None:
    """What was not taken is put back; each day has its own tokens."""
    budget = opened(1_000)
    reservation = budget.reserve(900, MONDAY)
    assert reservation == Reservation(MONDAY, 900) and budget.left(MONDAY) == 100
    assert budget.reserve(101, MONDAY) is None and budget.left(MONDAY) == 100
    assert budget.left(TUESDAY) == 1_000
    budget.settle(reservation, 150)
    assert budget.left(MONDAY) == 850


def test_a_call_after_midnight_is_settled_on_its_day(opened: Callable[[int], TokenBudget]) -> None:
    """The reservation knows its day."""
    budget = opened(1_000)
    reservation = budget.reserve(500, MONDAY)
    assert reservation is not None
    budget.spend(10, TUESDAY)
    budget.settle(reservation, 400)
    assert (budget.left(MONDAY), budget.left(TUESDAY)) == (600, 990)


def test_more_than_estimated_is_counted(opened: Callable[[int], TokenBudget]) -> None:
    """What is left is never negative, and nothing more can be reserved."""
    budget = opened(100)
    reservation = budget.reserve(100, MONDAY)
    assert reservation is not None
    budget.settle(reservation, 250)
    assert budget.left(MONDAY) == 0 and budget.reserve(1, MONDAY) is None


def test_a_restart_forgets_nothing(opened: Callable[[int], TokenBudget]) -> None:
    """Another process, or the same one later, goes on counting; what a dead one had reserved is spent."""
    opened(1_000).reserve(300, MONDAY)
    assert opened(1_000).left(MONDAY) == 700


def test_a_budget_of_nothing_allows_nothing(opened: Callable[[int], TokenBudget]) -> None:
    """MEDFLOW_TOKENS_PER_DAY=0 turns the model off."""
    assert opened(0).reserve(1, MONDAY) is None


_STEPS = st.lists(
    st.tuples(st.just("reserve"), st.integers(0, 400), st.sampled_from([MONDAY, TUESDAY]))
    | st.tuples(st.just("settle"), st.integers(0, 500), st.none())
    | st.tuples(st.just("spend"), st.integers(0, 300), st.sampled_from([MONDAY, TUESDAY])),
    max_size=25,
)


@hypothesis_settings(max_examples=counted(40, 400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
def test_it_counts_as_a_sum_does(steps: list[tuple[str, int, date | None]]) -> None:
    """Whatever happens in whatever order: spent is the sum, a reservation never passes the limit, days do not mix."""
    budget = TokenBudget(connect("sqlite://"), 1_000)
    spent = {MONDAY: 0, TUESDAY: 0}
    held: list[Reservation] = []
    for kind, tokens, day in steps:
        if kind == "settle":
            if held:
                reservation = held.pop(0)
                budget.settle(reservation, tokens)
                spent[reservation.day] += tokens - reservation.tokens
        elif day is not None and kind == "spend":
            budget.spend(tokens, day)
            spent[day] += tokens
        elif day is not None:
            reserved = budget.reserve(tokens, day)
            assert (reserved is not None) is (spent[day] + tokens <= 1_000)
            if reserved is not None:
                held.append(reserved)
                spent[day] += tokens
        assert {one: budget.left(one) for one in spent} == {one: max(1_000 - total, 0) for one, total in spent.items()}


_TAKES = """
import sys
from datetime import date
from medflow.lakehouse.database import connect
from rag_backend.model.budget import TokenBudget
budget = TokenBudget(connect(sys.argv[1]), 1000)
print("ready", flush=True)
sys.stdin.readline()
taken = 0
for _ in range(60):
    reservation = budget.reserve(17, date(2026, 11, 23))
    if reservation is not None:
        budget.settle(reservation, 13)
        taken += 13
print(taken)
"""


def test_two_processes_share_one_budget(tmp_path: Path) -> None:
    """Both take until nothing is left: together they have spent exactly what is counted, and not a token more than there was."""
    url = f"sqlite:///{tmp_path}/app.db"
    command = [sys.executable, "-c", _TAKES, url]
    running = [subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    taken = [int(process.communicate(timeout=120)[0]) for process in running]
    left = TokenBudget(connect(url), 1_000).left(MONDAY)
    assert all(taken) and sum(taken) == 1_000 - left
    assert 0 <= left < 17


def test_the_statements_are_postgres_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is asked: what is compiled for Postgres inserts the day once and decides in one update."""
    from rag_backend.model import budget as module

    said: list[str] = []
    engine = create_engine("postgresql+psycopg2://x")

    class Connection:
        def execute(self, statement):
            said.append(str(statement.compile(dialect=engine.dialect)))
            return type("Result", (), {"rowcount": 1})()

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(module, "writing", lambda _: Connection())
    monkeypatch.setattr(module, "make_tables", lambda *_: None)
    assert TokenBudget(engine, 10).reserve(3, MONDAY) == Reservation(MONDAY, 3)
    assert "ON CONFLICT DO NOTHING" in said[0] and "spent + %(" in said[1] and "<= %(" in said[1]
