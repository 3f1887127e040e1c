"""What a request may not say: the API's own refusals, and two of this product, each as the message that the server answers 400 with.

Source: the API's reference, its list of errors and the migration guides of Sonnet 5.5 and Haiku 5.5 (platform.claude.com), read 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rag_backend.model.scripted.shape import Block, Message, Request, TextBlock, ToolResultBlock, ToolUseBlock
from rag_backend.model.scripted.tool_rules import tool_mistakes
from rag_backend.model.scripted.wire import Limits

_MOST_BREAKPOINTS = 4
_SAMPLING = ("temperature", "top_p", "top_k")


@dataclass(frozen=True)
class Mistake:
    """A refused request."""

    status: int
    message: str


def checked(body: Any, limits: Limits) -> Request | Mistake:
    """The request, or the first thing that is wrong with it."""
    if not isinstance(body, dict):
        return Mistake(400, "The request body must be a JSON object")
    for name in _SAMPLING:
        if name in body:
            return Mistake(400, f"`{name}` is deprecated for this model.")
    try:
        request = Request.model_validate(body)
    except ValidationError as error:
        return Mistake(400, _told(error))
    if request.model not in limits.models:
        return Mistake(404, f"model: {request.model}")
    wrong = next((message for rule in RULES for message in rule(request, limits)), None)
    return request if wrong is None else Mistake(400, wrong)


def _told(error: ValidationError) -> str:
    """The most exact of the problems; where a text or a list is allowed, both are tried, and the names of the two are left out."""
    deepest = max(error.errors(), key=lambda problem: len(problem["loc"]))
    place = [str(part) for part in deepest["loc"] if part != "str" and "[" not in str(part)]
    return f"{'.'.join(place)}: {deepest['msg']}"


def _roles(request: Request, _: Limits) -> Iterator[str]:
    if request.messages[0].role != "user":
        yield 'messages: first message must use the "user" role'
    if request.messages[-1].role == "assistant":
        yield "This model does not support assistant message prefill. The conversation must end with a user message."


def _contents(request: Request, _: Limits) -> Iterator[str]:
    for place, message in enumerate(request.messages):
        if not message.content:
            yield f"messages.{place}: all messages must have non-empty content"
        for number, block in enumerate(message.blocks):
            if not _allowed(block, message):
                yield f"messages.{place}.content.{number}: `{block.type}` blocks cannot be in `{message.role}` messages"
            if isinstance(block, TextBlock) and not block.text.strip():
                yield f"messages.{place}.content.{number}.text: text content blocks must contain non-whitespace text"


def _allowed(block: Block, message: Message) -> bool:
    return isinstance(block, TextBlock) or isinstance(block, ToolResultBlock) == (message.role == "user")


def _results(request: Request, _: Limits) -> Iterator[str]:
    """Each call is answered at the beginning of the next message, and nothing is answered that was not called."""
    asked: set[str] = set()
    for place, message in enumerate(request.messages):
        answered = _leading_results(message)
        if asked - answered:
            yield (
                f"messages.{place - 1}: `tool_use` ids were found without `tool_result` blocks immediately after. "
                "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
            )
        if {block.tool_use_id for block in message.blocks if isinstance(block, ToolResultBlock)} - asked:
            yield (
                f"messages.{place}.content: unexpected `tool_use_id` found in `tool_result` blocks. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        asked = {block.id for block in message.blocks if isinstance(block, ToolUseBlock)}


def _leading_results(message: Message) -> set[str]:
    found: set[str] = set()
    for block in message.blocks:
        if not isinstance(block, ToolResultBlock):
            break
        found.add(block.tool_use_id)
    return found


def _choice(request: Request, _: Limits) -> Iterator[str]:
    choice = request.tool_choice
    if choice is not None and choice.type in ("any", "tool"):
        yield f"tool_choice: `{choice.type}` is not supported for this model; use `auto`."
    if choice is not None and not request.tools:
        yield "tool_choice may only be specified while providing tools."
    if request.tools and (choice is None or not choice.disable_parallel_tool_use):
        yield "tool_choice.disable_parallel_tool_use: must be true (a rule of this product, not of the API)"


def _thinking(request: Request, _: Limits) -> Iterator[str]:
    kind = request.thinking.type if request.thinking else "adaptive"
    if kind == "disabled":
        yield 'thinking.type: "disabled" is not supported for this model; use "between_tools".'
    if kind == "enabled":
        yield 'thinking.type: "enabled" is not supported for this model; use "adaptive" and output_config.effort.'
    if kind == "between_tools" and request.output_config and request.output_config.effort in ("xhigh", "max"):
        yield 'thinking.type: "between_tools" cannot be used with this effort.'


def _tools(request: Request, limits: Limits) -> Iterator[str]:
    yield from tool_mistakes(request.tools, all_required=limits.all_required)


def _breakpoints(request: Request, _: Limits) -> Iterator[str]:
    system = request.system if isinstance(request.system, list) else []
    marked = [*request.tools, *system, *(block for message in request.messages for block in message.blocks)]
    count = sum(getattr(block, "cache_control", None) is not None for block in marked)
    if count > _MOST_BREAKPOINTS:
        yield f"A maximum of {_MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {count}."


RULES: tuple[Callable[[Request, Limits], Iterator[str]], ...] = (
    _roles,
    _contents,
    _results,
    _choice,
    _thinking,
    _tools,
    _breakpoints,
)
