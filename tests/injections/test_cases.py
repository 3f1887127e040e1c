"""Whatever a model is made to say, to whomever, about whatever stands in the data: nothing changes but the words of a refusal."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from rag_backend.model.scripted import Answer, Recorded
from rag_backend.query.typed_query import TypedQuery
from tests.injections.cases import Case, cases
from tests.injections.hostile_lake import plants
from tests.injections.promises import hold
from tests.injections.stage import Asked, Stage, last_words

_OF_THE_WAY = {"planner", "tokens", "cost", "timings", "notices", "cached"}
_OF_THE_WORDS = {"explanation", "reason_code", "nearest", "typed_query", "interpretation", "date_column", "window"}
_TABLE = ("columns", "rows", "row_count", "truncated", "masked_columns", "suppressed_cells", "findings", "parts")


def test_there_are_enough_of_each_kind() -> None:
    """150 and more, in every category; no two alike."""
    found = Counter(case.category for case in cases())
    assert len(cases()) >= 150
    assert found["question"] >= 25
    assert min(found.values()) >= 5
    assert len({(case.role, case.question, repr(case.says), case.worded) for case in cases()}) == len(cases())


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_the_case_holds(case: Case, stage: Stage) -> None:
    """By the service's graph, the real client and the real engine."""
    asked = stage.ask(case.role, case.question, case.rules, case.id)
    _was_said(case, asked)
    alone = stage.alone(case.role, case.same_as or case.question)
    services = stage.roles[case.role].services
    hold(asked, services, stage.lake, [alone, *_typed_alone(case, asked, stage)])
    {"refused": _refused, "clarify": _asked_back, "same_as": _the_same, "answered_within_policy": _answered}[case.holds](
        asked.answer, alone
    )
    for option in asked.answer["options"]:
        chosen = stage.choose(case.role, option["id"], case.id)
        assert chosen.answer["status"] in ("answered", "refused")
        hold(chosen, services, stage.lake, [chosen.answer])


def _was_said(case: Case, asked: Asked) -> None:
    """The model was asked as often as it should be, and each reply that was not used came back to it with what is wrong with it."""
    planned = asked.planned
    assert len(planned) == case.asked
    for request in planned[:1]:
        _is_fenced(last_words(request))
    if case.told:
        assert case.told in last_words(planned[1])
    replies = [rule.reply for rule in case.rules[1:]]
    for place, request in enumerate(planned[1:]):
        said = replies[min(place, len(replies) - 1)]
        assert isinstance(said, Answer)
        assert _called(request) == [one.tool for one in said.calls]


def _is_fenced(told: str) -> None:
    """Question, retrieved texts and known words each stand in one element, whatever is written in them; the traps are among them."""
    tags = re.findall(r"</?[a-z]+>", told)
    assert tags == [tag for name in ("today", "known", "context", "question") if f"<{name}>" in tags for tag in (f"<{name}>", f"</{name}>")]
    assert told.endswith("</question>")
    assert plants()["knowledge"]["rule"] in told


def _called(request: Recorded) -> list[str]:
    """The tools that the reply called which a request hands back; a reply of nothing is not handed back."""
    messages = request.json["messages"]
    return [block["name"] for block in messages[-2]["content"] if block["type"] == "tool_use"] if len(messages) > 1 else []


def _typed_alone(case: Case, asked: Asked, stage: Stage) -> list[dict[str, Any]]:
    """What the service says of the typed query by itself: its words are no model's."""
    query = asked.answer["typed_query"]
    return [stage.alone(case.role, TypedQuery.model_validate(query))] if query else []


def _refused(answer: dict[str, Any], alone: dict[str, Any]) -> None:
    """As the service refuses without a model: from a model come only the words, and the kind of reason."""
    assert answer["status"] == alone["status"] == "refused"
    assert not answer["options"]
    left_out = _OF_THE_WAY | (_OF_THE_WORDS if answer["planner"] == "claude" else set())
    if answer["typed_query"]:  # read by the model, refused by the role's policy
        left_out |= {"definitions"}
    assert {name: value for name, value in answer.items() if name not in left_out} == {
        name: value for name, value in alone.items() if name not in left_out
    }
    assert set(answer["nearest"]) <= set(alone["nearest"])


def _asked_back(answer: dict[str, Any], alone: dict[str, Any]) -> None:
    """With readings that the service tells in its own words; the one that it has without a model is the first."""
    assert answer["status"] == "clarify"
    assert answer["options"]
    assert len({option["label"] for option in answer["options"]}) == len(answer["options"])
    if alone["status"] == "answered":
        assert answer["options"][0]["typed_query"] == alone["typed_query"]


def _the_same(answer: dict[str, Any], alone: dict[str, Any]) -> None:
    """Row for row, mask for mask, finding for finding."""
    assert answer["status"] == alone["status"] == "answered"
    assert {name: answer[name] for name in _TABLE} == {name: alone[name] for name in _TABLE}


def _answered(answer: dict[str, Any], _: dict[str, Any]) -> None:
    assert answer["status"] == "answered"
    if answer["lane"] == "ad_hoc":
        assert "unverified" in {notice["code"] for notice in answer["notices"]}
