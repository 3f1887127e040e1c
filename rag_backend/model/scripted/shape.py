"""The form of a request as the Messages API takes it, as far as this product uses it: what is not declared here is refused.

Version 2026-10-21 of the API: no sampling parameters. Blocks of images, documents and server tools are left out.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CacheControl(_Part):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class TextBlock(_Part):
    type: Literal["text"]
    text: str = Field(min_length=1)
    cache_control: CacheControl | None = None


class ToolUseBlock(_Part):
    type: Literal["tool_use"]
    id: str = Field(pattern=r"^[a-zA-Z0-9_-]+$")
    name: str = Field(min_length=1, max_length=200)
    input: dict[str, Any]
    cache_control: CacheControl | None = None


class ToolResultBlock(_Part):
    type: Literal["tool_result"]
    tool_use_id: str = Field(pattern=r"^[a-zA-Z0-9_-]+$")
    content: str | list[TextBlock] = ""
    is_error: bool = False
    cache_control: CacheControl | None = None


class ThinkingBlock(_Part):
    type: Literal["thinking"]
    thinking: str
    signature: str = Field(min_length=1)


class RedactedThinkingBlock(_Part):
    type: Literal["redacted_thinking"]
    data: str


Block = Annotated[TextBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock, Discriminator("type")]


class Message(_Part):
    role: Literal["user", "assistant"]
    content: str | list[Block]

    @property
    def blocks(self) -> list[Block]:
        """The content as blocks; a bare text is one."""
        if isinstance(self.content, str):
            return [TextBlock.model_construct(type="text", text=self.content)]
        return self.content


class Tool(_Part):
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")
    description: str = ""
    input_schema: dict[str, Any]
    strict: bool = False
    type: Literal["custom"] | None = None
    cache_control: CacheControl | None = None


class ToolChoice(_Part):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool = False


class OutputConfig(_Part):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None


class Thinking(_Part):
    type: Literal["adaptive", "between_tools", "enabled", "disabled"]
    budget_tokens: int | None = None
    display: Literal["summarized", "omitted"] | None = None


class Metadata(_Part):
    user_id: str | None = Field(default=None, max_length=512)


class Request(_Part):
    """The body of POST /v1/messages."""

    model: str = Field(min_length=1, max_length=256)
    max_tokens: int = Field(ge=1, le=128_000)
    messages: list[Message] = Field(min_length=1, max_length=100_000)
    system: str | list[TextBlock] = ""
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    output_config: OutputConfig | None = None
    thinking: Thinking | None = None
    stop_sequences: list[str] = []
    metadata: Metadata | None = None
    stream: bool = False
