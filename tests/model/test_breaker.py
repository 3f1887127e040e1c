"""The breaker: five failures in a row open it for 60 s; then one call tries."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_backend.engines.base import QueryCancelled
from rag_backend.model.breaker import Breaker
from rag_backend.model.errors import ModelMistake, ModelTimeout, ModelUnavailable
from tests.model.talk import eventually


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def call(breaker: Breaker, ends: BaseException | None = None) -> str:
    """One call that ends so: `passed` or `turned away`."""
    try:
        with breaker.passing():
            if ends is not None:
                raise ends
    except ModelUnavailable:
        return "turned away"
    except BaseException as error:
        assert error is ends
    return "passed"


def opened() -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker(clock=clock)
    assert [call(breaker, ModelTimeout()) for _ in range(5)] == ["passed"] * 5
    return breaker, clock


def test_five_failures_in_a_row_open_it() -> None:
    """Four do not, nor five with a success between."""
    breaker = Breaker(clock=Clock())
    for _ in range(3):
        assert [call(breaker, ModelTimeout()) for _ in range(4)] == ["passed"] * 4
        assert call(breaker) == "passed" and not breaker.is_open
    breaker, _ = opened()
    assert breaker.is_open and call(breaker) == "turned away"


def test_after_a_minute_one_call_tries_and_closes_it() -> None:
    """Its success lets all pass again, with five failures to go."""
    breaker, clock = opened()
    clock.now = 59.9
    assert call(breaker) == "turned away"
    clock.now = 60.0
    assert call(breaker) == "passed" and not breaker.is_open
    assert [call(breaker, ModelTimeout()) for _ in range(4)] == ["passed"] * 4 and not breaker.is_open


def test_a_trial_that_fails_opens_it_for_another_minute() -> None:
    """One failure is enough."""
    breaker, clock = opened()
    clock.now = 60.0
    assert call(breaker, ModelTimeout()) == "passed"
    clock.now = 119.9
    assert call(breaker) == "turned away"
    clock.now = 120.0
    assert call(breaker) == "passed"


def test_while_one_tries_the_others_are_turned_away() -> None:
    """And a trial that is given up leaves the place to the next."""
    breaker, clock = opened()
    clock.now = 60.0
    with pytest.raises(QueryCancelled), breaker.passing():
        assert call(breaker) == "turned away"
        raise QueryCancelled
    assert not breaker.is_open and call(breaker) == "passed"


def test_what_says_nothing_of_the_service_is_not_counted() -> None:
    """A cancelled call, and a bug; a mistake of ours shows that the service answers, so that nobody can open it by bad questions."""
    breaker = Breaker(clock=Clock())
    for _ in range(4):
        call(breaker, ModelTimeout())
    for strange in (QueryCancelled(), KeyError(), KeyboardInterrupt()):
        call(breaker, strange)
    assert not breaker.is_open
    call(breaker, ModelMistake())
    assert [call(breaker, ModelTimeout()) for _ in range(4)] == ["passed"] * 4 and not breaker.is_open


def test_calls_from_before_it_opened_say_nothing_of_now() -> None:
    """A late success does not close it, a late failure does not lengthen it."""
    clock = Clock()
    breaker = Breaker(clock=clock)
    good, bad = breaker.passing(), breaker.passing()
    good.__enter__()
    bad.__enter__()
    for _ in range(5):
        call(breaker, ModelTimeout())
    good.__exit__(None, None, None)
    assert breaker.is_open
    clock.now = 50.0
    late = ModelTimeout()
    assert bad.__exit__(ModelTimeout, late, None) in (None, False)
    clock.now = 60.0
    assert call(breaker) == "passed"


@settings(deadline=None)
@given(st.lists(st.sampled_from(["good", "bad", "given up"]) | st.floats(0, 90), max_size=60))
def test_it_is_the_automaton_that_it_is_said_to_be(steps: list[str | float]) -> None:
    """Held against three numbers: failures in a row, whether it is open, since when."""
    clock = Clock()
    breaker = Breaker(clock=clock)
    failures, since = 0, None
    for step in steps:
        if isinstance(step, float):
            clock.now += step
            continue
        open_now = since is not None and clock.now < since + 60
        assert breaker.is_open is open_now
        ends = {"good": None, "bad": ModelTimeout(), "given up": QueryCancelled()}[step]
        assert call(breaker, ends) == ("turned away" if open_now else "passed")
        if open_now or step == "given up":
            continue
        failures = failures + 1 if step == "bad" else 0
        if step == "good":
            since = None
        elif since is not None or failures >= 5:
            since = clock.now


def test_of_many_threads_one_tries() -> None:
    """All ask at the same moment after the rest; one passes."""
    breaker, clock = opened()
    clock.now = 60.0
    ready, done = threading.Barrier(8), threading.Event()

    def ask(_: int) -> str:
        ready.wait(20)
        try:
            with breaker.passing():
                done.wait(20)
                return "passed"
        except ModelUnavailable:
            return "turned away"

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, number) for number in range(8)]
        assert eventually(lambda: sum(one.done() for one in asked) == 7)
        done.set()
    assert sorted(one.result() for one in asked) == ["passed", *["turned away"] * 7]
