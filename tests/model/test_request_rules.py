"""Every request that the API refuses is refused: each case is a raw request that makes exactly one mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from rag_backend.model.scripted import Answer, Limits, Rule, ScriptedModel
from tests.model.talk import HEADERS, SCHEMA, TOOL, body, posted


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedModel]:
    with ScriptedModel([Rule(reply=Answer(text="fine"))], limits=Limits(most_bytes=50_000)) as running:
        yield running


def tool(schema: dict[str, Any], name: str = "count") -> dict[str, Any]:
    return {**TOOL, "name": name, "input_schema": schema}


def schema(**changed: Any) -> dict[str, Any]:
    return {name: value for name, value in {**deepcopy(SCHEMA), **changed}.items() if value is not None}


def one(field: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A schema with one required field."""
    return {"type": "object", "properties": {"by": field}, "required": ["by"], "additionalProperties": False, **more}


def calls(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": name, "name": "count", "input": {}} for name in ids]}


def results(*ids: str, before: str = "") -> dict[str, Any]:
    blocks = [{"type": "tool_result", "tool_use_id": name, "content": "no"} for name in ids]
    return {"role": "user", "content": [*([{"type": "text", "text": before}] if before else []), *blocks]}


ASKS = {"role": "user", "content": "how many"}
KEPT = {"cache_control": {"type": "ephemeral"}}
CYCLE = one({"$ref": "#/$defs/node"}, **{"$defs": {"node": one({"$ref": "#/$defs/node"})}})
LOOP = one({"$ref": "#/$defs/a"}, **{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}})
OPEN = {"type": "object", "properties": {}, "required": []}

# fmt: off
MISTAKES = {
    "temperature": (body(temperature=0), "temperature"),
    "top_p": (body(top_p=1), "top_p"),
    "top_k": (body(top_k=5), "top_k"),
    "a forced tool": (body(tool_choice={"type": "any", "disable_parallel_tool_use": True}), "tool_choice"),
    "this forced tool": (body(tool_choice={"type": "tool", "name": "count", "disable_parallel_tool_use": True}), "tool_choice"),
    "parallel tools": (body(tool_choice={"type": "auto"}), "disable_parallel_tool_use"),
    "parallel tools by default": (body(tool_choice=None), "disable_parallel_tool_use"),
    "choice without tools": (body(tools=None), "providing tools"),
    "prefill": (body(messages=[ASKS, {"role": "assistant", "content": "The answer is"}]), "prefill"),
    "thinking disabled": (body(thinking={"type": "disabled"}), "between_tools"),
    "a budget of thinking": (body(thinking={"type": "enabled", "budget_tokens": 2000}), "adaptive"),
    "between_tools at most effort": (body(thinking={"type": "between_tools"}, output_config={"effort": "max"}), "effort"),
    "unknown effort": (body(output_config={"effort": "lowest"}), "output_config.effort"),
    "no max_tokens": (body(max_tokens=None), "max_tokens: Field required"),
    "max_tokens of 0": (body(max_tokens=0), "max_tokens"),
    "max_tokens as text": (body(max_tokens="100"), "max_tokens"),
    "no model": (body(model=None), "model: Field required"),
    "an unknown field": (body(seed=7), "seed: Extra inputs are not permitted"),
    "no messages": (body(messages=None), "messages: Field required"),
    "empty messages": (body(messages=[]), "messages"),
    "an empty text": (body(messages=[{"role": "user", "content": [{"type": "text", "text": ""}]}]), "text"),
    "a blank text": (body(messages=[{"role": "user", "content": " \n"}]), "non-whitespace"),
    "an empty content": (body(messages=[{"role": "user", "content": []}]), "non-empty content"),
    "an unknown block": (body(messages=[{"role": "user", "content": [{"type": "poem", "text": "x"}]}]), "content"),
    "an unknown role": (body(messages=[{"role": "human", "content": "x"}]), "role"),
    "the assistant first": (body(messages=[{"role": "assistant", "content": "hello"}, ASKS]), "first message"),
    "a call by the user": (body(messages=[{**calls("a"), "role": "user"}]), "cannot be in `user`"),
    "a result by the assistant": (body(messages=[ASKS, calls("a"), {**results("a"), "role": "assistant"}, ASKS]), "cannot be in `assistant`"),
    "a result without its call": (body(messages=[ASKS, {"role": "assistant", "content": "x"}, results("a")]), "unexpected `tool_use_id`"),
    "a result of an earlier call": (body(messages=[ASKS, calls("a"), results("a"), {"role": "assistant", "content": "x"}, results("a")]), "unexpected"),
    "a call without its result": (body(messages=[ASKS, calls("a"), ASKS]), "without `tool_result`"),
    "one result of two": (body(messages=[ASKS, calls("a", "b"), results("b")]), "without `tool_result`"),
    "words before the result": (body(messages=[ASKS, calls("a"), results("a", before="first")]), "without `tool_result`"),
    "21 tools": (body(tools=[tool(SCHEMA, f"t{number}") for number in range(21)]), "at most 20"),
    "two tools of a name": (body(tools=[TOOL, TOOL]), "unique"),
    "a tool's name": (body(tools=[tool(SCHEMA, "count it")]), "name"),
    "a tool of another form": (body(tools=[tool({"type": "array", "items": {"type": "string"}})]), "'object'"),
    "additionalProperties missing": (body(tools=[tool(schema(additionalProperties=None))]), "additionalProperties"),
    "additionalProperties missing within": (body(tools=[tool(one({"type": "array", "items": OPEN}))]), "additionalProperties"),
    "additionalProperties true": (body(tools=[tool(schema(additionalProperties=True))]), "additionalProperties"),
    "a property not required": (body(tools=[tool(schema(required=["by"]))]), "optional: top"),
    "required and not there": (body(tools=[tool(schema(required=["by", "top", "size"]))]), "not among the properties"),
    "17 unions": (body(tools=[tool(schema(properties={f"u{n}": {"anyOf": [{"type": "string"}, {"type": "null"}]} for n in range(17)}, required=[f"u{n}" for n in range(17)]))]), "union types"),
    "17 lists of types": (body(tools=[tool(schema(properties={f"u{n}": {"type": ["string", "null"]} for n in range(17)}, required=[f"u{n}" for n in range(17)]))]), "union types"),
    "recursion": (body(tools=[tool(CYCLE)]), "recursive"),
    "recursion without a level": (body(tools=[tool(LOOP)]), "recursive"),
    "the root within itself": (body(tools=[tool(one({"$ref": "#"}))]), "recursive"),
    "a reference to nothing": (body(tools=[tool(one({"$ref": "#/$defs/none"}))]), "$ref"),
    "a reference outside": (body(tools=[tool(one({"$ref": "https://example.org/schema"}))]), "$ref"),
    **{
        word: (body(tools=[tool(one({"type": kind, word: value}))]), f"For '{kind}' type, properties {word} are not supported")
        for kind, word, value in (
            ("integer", "minimum", 1), ("integer", "maximum", 9), ("number", "exclusiveMinimum", 0), ("number", "multipleOf", 2),
            ("string", "minLength", 1), ("string", "maxLength", 9), ("array", "maxItems", 3), ("array", "uniqueItems", True),
            ("string", "not", {}), ("string", "oneOf", []),
        )
    },
    "minItems of 2": (body(tools=[tool(one({"type": "array", "items": {"type": "string"}, "minItems": 2}))]), "minItems"),
    "an unknown format": (body(tools=[tool(one({"type": "string", "format": "iban"}))]), "format"),
    "five breakpoints": (body(system=[{"type": "text", "text": "x", **KEPT}] * 5), "Found 5"),
    "a breakpoint of another kind": (body(system=[{"type": "text", "text": "x", "cache_control": {"type": "forever"}}]), "cache_control"),
    "a list": ([], "JSON object"),
    "no JSON": (b'{"model": ', "not valid JSON"),
    "endless brackets": (b"[" * 40_000, "not valid JSON"),
    "bytes that are no text": (b"\xff\xfe{}", "not valid JSON"),
}
# fmt: on


@pytest.mark.parametrize(("sent", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_400(server: ScriptedModel, sent: Any, told: str) -> None:
    """The API's error body, which names the mistake."""
    status, kind, answer = posted(server, sent)
    error = json.loads(answer)
    assert (status, kind, error["type"], error["error"]["type"]) == (400, "application/json", "error", "invalid_request_error")
    assert told in error["error"]["message"]


def test_a_request_without_a_mistake_is_answered(server: ScriptedModel) -> None:
    """The request that the cases are made of breaks no rule by itself."""
    assert posted(server, body())[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        body(messages=[ASKS, calls("a"), results("a")]),
        body(messages=[ASKS, calls("a", "b"), {"role": "user", "content": [*results("b", "a")["content"], {"type": "text", "text": "so?"}]}]),
        body(messages=[ASKS, ASKS]),
        body(messages=[ASKS, {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": "s"}, *calls("a")["content"]]}, results("a")]),
        body(tools=None, tool_choice=None),
        body(tools=[tool(SCHEMA, f"t{number}") for number in range(20)]),
        body(tools=[{**tool(one({"type": "integer", "minimum": 1})), "strict": False}]),
        body(tools=[tool(one({"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 1}, **{"$defs": {"a": one({"type": "string", "format": "date"})}}))]),
        body(tools=[tool(schema(properties={f"u{n}": {"type": ["string", "null"]} for n in range(16)}, required=[f"u{n}" for n in range(16)]))]),
        body(thinking={"type": "adaptive"}, output_config={"effort": "low"}),
        body(thinking={"type": "between_tools"}, output_config={"effort": "low"}),
        body(system=[{"type": "text", "text": "x", **KEPT}] * 4),
        body(system="You count.", stop_sequences=["."], metadata={"user_id": "7"}, stream=False),
    ],
)  # fmt: skip
def test_what_the_api_takes_is_taken(server: ScriptedModel, sent: Any) -> None:
    """The rules refuse no more than they say: at each limit, and repairs as the planner writes them."""
    assert posted(server, sent)[0] == 200


@pytest.mark.parametrize(("count", "status"), [(24, 200), (25, 400)])
def test_optional_parameters_are_counted_over_all_tools(count: int, status: int) -> None:
    """The API takes 24; this product's own rule, which takes none, can be put aside."""
    halves = [
        tool({**SCHEMA, "properties": {f"o{n}": {"type": "string"} for n in range(start, count, 2)}, "required": []}, f"t{start}")
        for start in (0, 1)
    ]
    with ScriptedModel([Rule(reply=Answer(text="fine"))], limits=Limits(all_required=False)) as server:
        answered = posted(server, body(tools=halves))
    assert answered[0] == status
    assert status == 200 or b"at most 24 optional" in answered[2]


@pytest.mark.parametrize(
    ("sent", "headers", "path", "status", "kind", "told"),
    [
        (body(), {**HEADERS, "x-api-key": "another"}, "/v1/messages", 401, "authentication_error", "x-api-key"),
        (
            body(),
            {name: value for name, value in HEADERS.items() if name != "x-api-key"},
            "/v1/messages",
            401,
            "authentication_error",
            "x-api-key",
        ),
        (
            body(),
            {name: value for name, value in HEADERS.items() if name != "anthropic-version"},
            "/v1/messages",
            400,
            "invalid_request_error",
            "anthropic-version: header is required",
        ),
        (body(), {**HEADERS, "anthropic-version": "2019-01-01"}, "/v1/messages", 400, "invalid_request_error", "anthropic-version"),
        (body(model="claude-sonnet-4-5"), HEADERS, "/v1/messages", 404, "not_found_error", "model: claude-sonnet-4-5"),
        (body(system="x" * 60_000), HEADERS, "/v1/messages", 413, "request_too_large", "maximum size"),
        (body(), HEADERS, "/v1/complete", 404, "not_found_error", "Not found"),
    ],
    ids=["a wrong key", "no key", "no version", "an unknown version", "an unknown model", "too many bytes", "another path"],
)
def test_other_refusals_have_the_status_of_the_api(server: ScriptedModel, sent, headers, path, status, kind, told) -> None:
    """Key, version, model, size and path."""
    answered, _, answer = posted(server, sent, headers, path)
    assert (answered, json.loads(answer)["error"]["type"]) == (status, kind)
    assert told in json.loads(answer)["error"]["message"]


def test_a_refused_request_uses_up_no_reply() -> None:
    """Rules are played to calls that break no rule."""
    with ScriptedModel([Rule(reply=Answer(text="once"), times=1)]) as server:
        assert posted(server, body(temperature=0))[0] == 400
        assert posted(server, body())[0] == 200
        assert posted(server, body())[0] == 500
        assert [request.call for request in server.requests] == [0, 1, 2]
