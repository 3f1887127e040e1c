"""A model within its limits, against the scripted server: what is counted, and when nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import pytest

from medflow.lakehouse.database import connect
from rag_backend.engines.base import Cancellation, QueryCancelled
from rag_backend.model.breaker import Breaker
from rag_backend.model.budget import TokenBudget
from rag_backend.model.client import AnthropicModel
from rag_backend.model.errors import ModelBroken, ModelError, ModelMistake, ModelSpent, ModelUnavailable
from rag_backend.model.guarded import GuardedModel, estimated_prompt
from rag_backend.model.scripted import Answer, Failure, Rule, ScriptedModel
from tests.model.talk import no_sleep, request, settings

DAY = date(2026, 11, 23)


@dataclass
class Guarded:
    model: GuardedModel
    server: ScriptedModel
    budget: TokenBudget

    def ask(self) -> None:
        self.model.reply(request("how many"), Cancellation())


@contextmanager
def guarded(*rules: Rule, per_day: int = 1_000_000) -> Iterator[Guarded]:
    with ScriptedModel(rules) as server:
        budget = TokenBudget(connect("sqlite://"), per_day)
        model = GuardedModel(AnthropicModel(settings(server.url), sleep=no_sleep), Breaker(), budget, lambda: DAY)
        yield Guarded(model, server, budget)
        model.close()


def test_what_the_service_counted_is_what_is_spent() -> None:
    """Cached tokens too."""
    with guarded(Rule(reply=Answer(text="many"))) as one:
        reply = one.model.reply(request("how many"), Cancellation())
        assert reply.usage.cache_write and one.budget.left(DAY) == 1_000_000 - reply.usage.total


def test_a_spent_budget_sends_nothing() -> None:
    """The most that a call may take must be left."""
    needed = estimated_prompt(request("how many")) + request("how many").max_tokens
    with guarded(Rule(), per_day=needed - 1) as one, pytest.raises(ModelSpent, match="MEDFLOW_TOKENS_PER_DAY"):
        one.ask()
    assert one.server.requests == () and one.budget.left(DAY) == needed - 1
    with guarded(Rule(reply=Answer(text="many")), per_day=needed) as one:
        one.ask()


def test_a_call_that_was_turned_away_costs_nothing() -> None:
    """A reply that broke off has cost its prompt."""
    with guarded(
        Rule(reply=Failure(error=400), times=1), Rule(reply=Failure(error=529), times=3), Rule(reply=Answer(text="x" * 99), cut_after=4)
    ) as one:
        for kind, spent in ((ModelMistake, 0), (ModelError, 0), (ModelBroken, estimated_prompt(request("how many")))):
            with pytest.raises(kind):
                one.ask()
            assert one.budget.left(DAY) == 1_000_000 - spent


def test_five_failures_leave_the_server_alone() -> None:
    """The sixth question does not reach it, and takes no tokens."""
    with guarded(Rule(reply=Failure(error=500))) as one:
        for _ in range(5):
            with pytest.raises(ModelBroken):
                one.ask()
        left = one.budget.left(DAY)
        with pytest.raises(ModelUnavailable, match="5 times in a row"):
            one.ask()
        assert len(one.server.requests) == 5 and one.budget.left(DAY) == left


def test_a_cancelled_call_is_no_failure_and_has_cost_its_prompt() -> None:
    """Nobody can open the breaker by giving up."""
    cancel = Cancellation()
    cancel.cancel()
    with guarded(Rule(reply=Answer(text="many"))) as one:
        for _ in range(6):
            with pytest.raises(QueryCancelled):
                one.model.reply(request("how many"), cancel)
        one.ask()


def test_the_estimate_is_not_below_what_is_counted() -> None:
    """Else the last call of a day would take more than there is."""
    for question in ("how many", "Wie viele, aufgeschlüsselt nach Monaten? " * 40):
        with guarded(Rule(reply=Answer(text="x"))) as one:
            reply = one.model.reply(request(question), Cancellation())
        assert reply.usage.prompt <= estimated_prompt(request(question))
