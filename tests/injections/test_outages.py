"""A model that cannot be asked costs a notice: the service answers as it does without one, whatever is wrong with the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest

from medflow.lakehouse.database import connect
from rag_backend.assistant import opened
from rag_backend.model.budget import TokenBudget
from rag_backend.model.scripted import Answer, Failure, Rule, ScriptedModel
from tests.api.server import TODAY, Server, serving
from tests.injections.cases import DENIALS
from tests.planners.replies import typed
from tests.support.lake import Lake

_FAILS = {  # question -> what the model's server does, what the notice says of it
    "denial rate by payer": (Rule(reply=Failure(error=401)), "key"),
    "claims by specialty": (Rule(reply=Failure(error=429)), "too much to do"),
    "claims by plan": (Rule(reply=Failure(error=529)), "too much to do"),
    "claims by month in 2025": (Rule(first_byte_s=600), "took longer"),
    "billed amount by payer": (Rule(reply=typed(DENIALS, "billed amount by payer"), cut_after=5), "broke off"),
}
_AFTER = "members by payer"
_TABLE = ("status", "columns", "rows", "typed_query", "sql", "interpretation", "explanation", "findings")


@pytest.fixture(scope="module")
def alone(lake: Lake) -> dict[str, dict[str, Any]]:
    """What the built-in planner answers."""
    with opened(lake.settings, "analyst") as assistant:
        return {question: assistant.ask(question, date.fromisoformat(TODAY)) for question in (*_FAILS, _AFTER)}


@contextmanager
def _service(lake: Lake, url: str, **settings: str) -> Iterator[Server]:
    with serving(lake, planner="claude", model_base_url=url, **settings) as server:
        yield server


def _fallback(server: Server, question: str, alone: dict[str, dict[str, Any]]) -> str:
    """The notice of an answer that is otherwise the built-in planner's."""
    answer = server.ask(question)
    assert {name: answer[name] for name in _TABLE} == {name: _json(alone[question][name]) for name in _TABLE}
    assert answer["planner"] == "grammar"
    (notice,) = [one["text"] for one in answer["notices"] if one["code"] == "planner_fallback"]
    assert question not in notice
    return str(notice)


def _json(value: Any) -> Any:
    return [_json(one) for one in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.usefixtures("patch")
def test_whatever_fails_the_service_answers(lake: Lake, alone: dict[str, dict[str, Any]]) -> None:
    """A wrong key, two kinds of overload, no answer in time, a cut stream: five in a row, and then the model is left alone; so it is when
    the day's tokens are spent.
    """
    rules = [rule.model_copy(update={"contains": f"<question>{question}"}) for question, (rule, _) in _FAILS.items()]
    with ScriptedModel([*rules, Rule(reply=Answer(text="here"))]) as model, _service(lake, model.url, model_timeout_s="8") as server:
        for question, (_, told) in _FAILS.items():
            assert told in _fallback(server, question, alone), question
        asked = len(model.requests)
        assert "in a row" in _fallback(server, _AFTER, alone)
        TokenBudget(connect(lake.settings.app_db), 1).spend(10**9, datetime.now(UTC).date())
        assert "spent" in _fallback(server, _AFTER, alone)
        assert len(model.requests) == asked


@pytest.mark.usefixtures("patch")
def test_no_such_host(lake: Lake, alone: dict[str, dict[str, Any]]) -> None:
    """A name that nothing answers to."""
    with _service(lake, "http://model.invalid", app_db=f"sqlite:///{lake.home / 'another.db'}") as server:
        assert "cannot be reached" in _fallback(server, _AFTER, alone)
