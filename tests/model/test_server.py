"""The server keeps what it was sent, speaks the API's wire format, and is as slow, cut off or broken as its script says."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import anthropic
import pytest

from medflow.errors import DeclarationError
from rag_backend.model.scripted import KEY, Answer, Failure, Page, Rule, Script, ScriptedModel, Use, load_script
from tests.model.talk import HEADERS, SONNET, TOOL, body, eventually, posted
from tests.support.lake import ROOT

CALL = Answer(text="Let me see: ü", thinks=True, calls=(Use(tool="count", input={"by": "month", "top": 3}),))
ASKS = [{"role": "user", "content": "how many"}]


def sdk(server: ScriptedModel) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=server.key, base_url=server.url, max_retries=0)


def question(**more: Any) -> dict[str, Any]:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    return {"model": SONNET, "max_tokens": 50, "messages": ASKS, "tools": [TOOL], "tool_choice": choice, **more}


def test_the_sdk_reads_a_whole_reply() -> None:
    """One JSON object, by the official client: thinking, words, a tool call, usage."""
    with ScriptedModel([Rule(reply=CALL)]) as server:
        message = sdk(server).messages.create(**question())
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[1].text == "Let me see: ü"
    assert (message.content[2].name, message.content[2].input) == ("count", {"by": "month", "top": 3})
    assert (message.stop_reason, message.role, message.model) == ("tool_use", "assistant", SONNET)


def test_the_sdk_reads_the_same_reply_as_a_stream() -> None:
    """What the SDK gathers from the events is what it reads at once, the usage too."""
    with ScriptedModel([Rule(reply=CALL, call=1), Rule(reply=CALL, call=2)]) as server:
        client = sdk(server)
        whole = client.messages.create(**question())
        with client.messages.stream(**question()) as stream:
            kinds = [event.type for event in stream]
            gathered = stream.get_final_message()
    plain = [{**block.to_dict(), "id": "", "signature": ""} for block in whole.content]
    assert plain == [{**block.to_dict(), "id": "", "signature": ""} for block in gathered.content]
    assert (whole.stop_reason, whole.usage.input_tokens, whole.usage.output_tokens) == (
        gathered.stop_reason,
        gathered.usage.input_tokens,
        gathered.usage.output_tokens,
    )
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop" and kinds.count("content_block_start") == 3


def test_the_events_of_a_stream_stand_in_the_order_of_the_api() -> None:
    """message_start, ping, each block begun, grown in pieces and ended, message_delta, message_stop."""
    with ScriptedModel([Rule(reply=CALL)]) as server:
        status, kind, stream = posted(server, body(stream=True))
    lines = [line.split(": ", 1) for line in stream.decode().split("\n") if line]
    names = [value for name, value in lines if name == "event"]
    datas = [json.loads(value) for name, value in lines if name == "data"]
    assert (status, kind.partition(";")[0]) == (200, "text/event-stream")
    assert names == [data["type"] for data in datas]
    assert names[:3] == ["message_start", "ping", "content_block_start"] and names[-2:] == ["message_delta", "message_stop"]
    inputs = [data["delta"]["partial_json"] for data in datas if data.get("delta", {}).get("type") == "input_json_delta"]
    assert len(inputs) > 2 and json.loads("".join(inputs)) == {"by": "month", "top": 3}
    assert datas[0]["message"]["stop_reason"] is None and datas[-2]["usage"]["output_tokens"] > 1


@pytest.mark.parametrize("reason", ["refusal", "max_tokens", "model_context_window_exceeded", "pause_turn", "end_turn"])
def test_every_stop_reason_can_be_played(reason: str) -> None:
    """With a tool call or without one."""
    with ScriptedModel([Rule(reply=Answer(text="no", stop_reason=reason))]) as server:
        assert sdk(server).messages.create(**question()).stop_reason == reason


def test_errors_have_the_body_and_the_headers_of_the_api() -> None:
    """The SDK raises its own class for each, with the type and the seconds to wait."""
    rules = [Rule(reply=Failure(error=status, retry_after=7), times=1) for status in (429, 529, 500, 403)]
    kinds = (anthropic.RateLimitError, anthropic.OverloadedError, anthropic.InternalServerError, anthropic.PermissionDeniedError)
    with ScriptedModel(rules) as server:
        for kind, name in zip(kinds, ("rate_limit_error", "overloaded_error", "api_error", "permission_error"), strict=True):
            with pytest.raises(kind) as raised:
                sdk(server).messages.create(**question())
            assert raised.value.type == name
            assert raised.value.response.headers["retry-after"] == "7"


def test_an_error_can_come_within_a_stream() -> None:
    """An overload after the reply has begun is an event of the stream; without a stream it is an answer of its own."""
    with ScriptedModel([Rule(reply=Failure(error=529, within=True))]) as server:
        status, _, stream = posted(server, body(stream=True))
        assert status == 200 and b"event: message_start" in stream and stream.rstrip().split(b"\n")[-2] == b"event: error"
        assert posted(server, body())[0] == 529


def test_every_byte_is_kept_and_no_key() -> None:
    """Path, headers in lower case, body as it came; neither header that may hold the key."""
    spaced = b'{ "model":"claude-sonnet-5-5",  "max_tokens": 9, "messages":[{"role":"user","content":"\xc3\xbc"}] }'
    with ScriptedModel([Rule(reply=Answer(text="x"))]) as server:
        posted(server, spaced)
        sdk(server).messages.create(**question())
        first, second = server.requests
    assert first.body == spaced and first.json["messages"][0]["content"] == "ü"
    assert first.headers["anthropic-version"] == HEADERS["anthropic-version"]
    assert second.json["tools"] == [TOOL]
    for kept in (first, second):
        assert not {"authorization", "x-api-key"} & set(kept.headers)
        assert KEY not in str(kept.headers) and KEY.encode() not in kept.body


def test_rules_are_tried_in_order_by_text_pattern_and_number() -> None:
    """The first that fits and is not used up; the last user message counts, results of tools too."""
    rules = [
        Rule(call=3, reply=Answer(text="third")),
        Rule(contains="month", times=1, reply=Answer(text="month once")),
        Rule(matches=r"\bmonths?\b.*2026", reply=Answer(text="pattern")),
        Rule(contains="no such field", reply=Answer(text="repair")),
    ]
    result = {"type": "tool_result", "tool_use_id": "a", "content": "no such field", "is_error": True}
    repair = [
        *ASKS,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "count", "input": {}}]},
        {"role": "user", "content": [result]},
    ]
    with ScriptedModel(rules) as server:

        def said(messages: Any) -> str:
            answer = json.loads(posted(server, body(messages=messages))[2])
            return answer["content"][0]["text"] if "content" in answer else answer["error"]["message"]

        by_month = [{"role": "user", "content": "by month\nof 2026"}]
        assert [said(by_month), said(by_month), said(ASKS), said(repair), said(ASKS)] == [
            "month once",
            "pattern",
            "third",
            "repair",
            "no rule of the script fits call 5",
        ]


def test_pages_are_sent_as_they_are_written() -> None:
    """Any bytes with any content type and status."""
    with ScriptedModel([Rule(reply=Page(body="<h1>Bad gateway", status=502)), Rule(reply=Page(body=""))]) as server:
        assert posted(server, body()) == (502, "text/html", b"<h1>Bad gateway")


@pytest.mark.parametrize("stream", [True, False])
def test_a_cut_reply_breaks_off_within_a_piece(stream: bool) -> None:
    """Fewer bytes come than were promised."""
    with (
        ScriptedModel([Rule(reply=CALL, cut_after=3 if stream else 0)]) as server,
        pytest.raises((http.client.IncompleteRead, ConnectionError)),
    ):
        posted(server, body(stream=stream))


def test_hanging_up_sends_no_byte() -> None:
    """The connection ends before the status line."""
    with ScriptedModel([Rule(hangs_up=True)]) as server, pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        posted(server, body())


def test_waiting_is_an_argument() -> None:
    """A given sleep is called in place of waiting: before the first byte, and before each event."""
    waited: list[float] = []
    with ScriptedModel([Rule(reply=Answer(text="x"), first_byte_s=3_600, between_s=60)], sleep=waited.append) as server:
        assert posted(server, body(stream=True))[0] == 200
    assert waited == [3_600, *[60] * 7]


def test_closing_ends_a_slow_reply() -> None:
    """A reply that would take an hour ends with the server."""
    failed: list[Exception] = []

    def ask() -> None:
        try:
            posted(server, body())
        except (OSError, http.client.HTTPException) as error:
            failed.append(error)

    server = ScriptedModel([Rule(first_byte_s=3_600)])
    server.start()
    asking = threading.Thread(target=ask)
    asking.start()
    assert eventually(lambda: len(server.requests) == 1)
    server.close()
    asking.join(20)
    assert not asking.is_alive() and len(failed) == 1


def test_the_server_sees_that_the_client_left() -> None:
    """What is slow is given up when nobody reads it any more."""
    with ScriptedModel([Rule(first_byte_s=3_600)]) as server:
        data = json.dumps(body()).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection:
            connection.sendall(f"POST /v1/messages HTTP/1.1\r\nhost: x\r\n{head}content-length: {len(data)}\r\n\r\n".encode() + data)
            assert eventually(lambda: len(server.requests) == 1)
        assert eventually(lambda: server.requests[0].left)


SCRIPT = """rules:
  - contains: by month
    reply: {calls: [{tool: count, input: {by: month, top: 3}}]}
  - {reply: {error: 529, retry_after: 1}, times: 2}
  - {call: 4, reply: {body: "<html>", status: 502}, first_byte_s: 0.5}
  - reply: {text: fine}
"""


def test_a_script_is_a_file(tmp_path: Path) -> None:
    """YAML and JSON say the same as Python objects."""
    written = tmp_path / "script.yaml"
    written.write_text(SCRIPT, encoding="utf-8")
    rules = (
        Rule(contains="by month", reply=Answer(calls=(Use(tool="count", input={"by": "month", "top": 3}),))),
        Rule(reply=Failure(error=529, retry_after=1), times=2),
        Rule(call=4, reply=Page(body="<html>", status=502), first_byte_s=0.5),
        Rule(reply=Answer(text="fine")),
    )
    assert load_script(written) == Script(rules=rules)
    as_json = tmp_path / "script.json"
    as_json.write_text(Script(rules=rules).model_dump_json(), encoding="utf-8")
    assert load_script(as_json) == Script(rules=rules)


def test_every_problem_of_a_script_is_told_with_its_line(tmp_path: Path) -> None:
    """Unknown keys, wrong values, no such file."""
    written = tmp_path / "script.yaml"
    written.write_text("rules:\n  - {contain: x}\n  - matches: '('\n  - reply: {error: 200}\n", encoding="utf-8")
    with pytest.raises(DeclarationError) as raised:
        load_script(written)
    assert [problem.split(": ")[0] for problem in raised.value.problems] == ["script.yaml:2", "script.yaml:3", "script.yaml:4"]
    with pytest.raises(DeclarationError, match="is missing"):
        load_script(tmp_path / "none.yaml")


def test_it_can_be_run_by_hand(tmp_path: Path) -> None:
    """`python -m rag_backend.model.scripted` says its address and key, and serves."""
    written = tmp_path / "script.yaml"
    written.write_text("rules: [{reply: {text: by hand}}]\n", encoding="utf-8")
    command = [sys.executable, "-m", "rag_backend.model.scripted", "--script", str(written), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().split()[0].partition("=")[2] if process.stdout else ""
            message = anthropic.Anthropic(api_key=KEY, base_url=url).messages.create(model=SONNET, max_tokens=9, messages=ASKS)
            assert message.content[0].text == "by hand"
        finally:
            process.terminate()


def test_by_hand_a_wrong_script_is_told(tmp_path: Path) -> None:
    """Exit code 2, the problem on the error stream."""
    command = [sys.executable, "-m", "rag_backend.model.scripted", "--script", str(tmp_path / "none.yaml")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2 and "none.yaml" in ended.stderr and ended.stdout == ""


def test_many_callers_are_served_at_once() -> None:
    """A slow reply holds nobody else up."""
    with ScriptedModel([Rule(contains="slow", first_byte_s=3_600), Rule(reply=Answer(text="x"))]) as server:
        slow = threading.Thread(target=lambda: _quietly(server), daemon=True)
        slow.start()
        assert eventually(lambda: len(server.requests) == 1)
        assert posted(server, body())[0] == 200
        assert slow.is_alive()
    slow.join(20)
    assert not slow.is_alive()


def _quietly(server: ScriptedModel) -> None:
    with pytest.raises((OSError, http.client.HTTPException)):
        posted(server, body(messages=[{"role": "user", "content": "slow"}]))
