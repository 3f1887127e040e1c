"""Record once with the real client, then replay without a server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medflow.errors import UsageError
from rag_backend.engines.base import Cancellation, QueryCancelled
from rag_backend.model.base import ModelReply, Text, Usage
from rag_backend.model.client import AnthropicModel
from rag_backend.model.errors import ModelError, ModelNotConfigured
from rag_backend.model.recorded import RecordedModel, request_digest
from rag_backend.model.scripted import KEY, Answer, Failure, Rule, ScriptedModel, Use
from tests.model.talk import RULES, TOOL, request, settings

ANSWER = Answer(thinks=True, text="Let me see", calls=(Use(tool="count", input={"by": "Prüfung", "top": 3}),))


def recorded(file: Path, *questions: str, rules: tuple[Rule, ...] = (Rule(reply=ANSWER),)) -> list[ModelReply]:
    with ScriptedModel(rules) as server:
        model = RecordedModel(AnthropicModel(settings(server.url)), file, "record")
        replies = [model.reply(request(question), Cancellation()) for question in questions]
        model.close()
    return replies


def test_what_was_recorded_is_replayed(tmp_path: Path) -> None:
    """Every block, the stop reason and the usage, for each request its own; nobody is asked."""
    file = tmp_path / "replies.jsonl"
    said = recorded(file, "by month", "by year")
    replay = RecordedModel(None, file, "replay")
    assert [replay.reply(request(question), Cancellation()) for question in ("by month", "by year")] == said
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2


def test_the_file_holds_no_key_and_no_request(tmp_path: Path) -> None:
    """A digest stands for what was asked."""
    file = tmp_path / "replies.jsonl"
    recorded(file, "what nobody may read")
    written = file.read_text(encoding="utf-8")
    assert KEY not in written and "nobody" not in written and "You count" not in written and "Prüfung" in written


def test_a_request_that_was_never_recorded_says_how_to(tmp_path: Path) -> None:
    """Any change of the request is another request."""
    file = tmp_path / "replies.jsonl"
    recorded(file, "by month")
    replay = RecordedModel(None, file, "replay")
    good = request("by month")
    changes: tuple[dict[str, Any], ...] = (
        {"model": "claude-haiku-5-5"}, {"system": (*RULES, "x")}, {"system": ("".join(RULES),)}, {"tools": ({**TOOL, "description": "x"},)},
        {"max_tokens": 1}, {"effort": "high"}, {"messages": (*good.messages, *good.messages)},
    )  # fmt: skip
    for change in changes:
        with pytest.raises(ModelNotConfigured, match="Record it again"):
            replay.reply(replace(good, **change), Cancellation())
    assert replay.reply(good, Cancellation()).calls


def test_the_digest_is_of_values() -> None:
    """The same request made again has the same digest, in whatever order its keys stand."""
    turned = {name: TOOL[name] for name in reversed(TOOL)}
    assert request_digest(request("x")) == request_digest(request("x", tools=(turned,)))
    assert len({request_digest(request(question)) for question in ("x", "y", "x ")}) == 3


def test_the_last_recording_counts(tmp_path: Path) -> None:
    """Recording goes on at the end of the file."""
    file = tmp_path / "replies.jsonl"
    recorded(file, "by month")
    recorded(file, "by month", rules=(Rule(reply=Answer(text="another")),))
    assert RecordedModel(None, file, "replay").reply(request("by month"), Cancellation()).blocks == (Text("another"),)


def test_failures_are_not_recorded(tmp_path: Path) -> None:
    """They pass through, and leave no line."""
    file = tmp_path / "replies.jsonl"
    with pytest.raises(ModelError):
        recorded(file, "by month", rules=(Rule(reply=Failure(error=500)),))
    assert not file.exists()


def test_a_cancelled_question_is_not_replayed(tmp_path: Path) -> None:
    """As any model does."""
    file = tmp_path / "replies.jsonl"
    recorded(file, "by month")
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(QueryCancelled):
        RecordedModel(None, file, "replay").reply(request("by month"), cancel)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    """Missing, a folder, or a line that is no reply, with its number."""
    with pytest.raises(ModelNotConfigured, match=r"no recording none\.jsonl"):
        RecordedModel(None, tmp_path / "none.jsonl", "replay")
    with pytest.raises(UsageError, match="cannot be read"):
        RecordedModel(None, tmp_path, "replay")
    file = tmp_path / "replies.jsonl"
    recorded(file, "by month")
    for line in ("{", "[]", "{}", '{"request": "x", "reply": {"stop_reason": "end_turn", "blocks": [{"kind": "poem"}], "usage": {}}}'):
        file.write_text(f"\n{line}\n", encoding="utf-8")
        with pytest.raises(UsageError, match=r"replies\.jsonl:2 is no recorded reply"):
            RecordedModel(None, file, "replay")


def test_recording_needs_somebody_to_record(tmp_path: Path) -> None:
    """Said at once."""
    with pytest.raises(UsageError, match="nobody to record"):
        RecordedModel(None, tmp_path / "replies.jsonl", "record")


def test_usage_survives(tmp_path: Path) -> None:
    """Costs of a replay are those of the recording."""
    file = tmp_path / "replies.jsonl"
    (said,) = recorded(file, "by month")
    assert isinstance(said.usage, Usage) and said.usage.cache_write > 1_024
    assert RecordedModel(None, file, "replay").reply(request("by month"), Cancellation()).usage == said.usage
