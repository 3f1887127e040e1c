"""What the scripted server says, and when: rules in order, each with what it waits for and a reply. Python objects or one YAML file.

rules:
  - contains: by month
    reply: {calls: [{tool: typed_query, input: {form: measure}}]}
  - {reply: {error: 529}, times: 2}
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator

from medflow.specs.declarations import Declarations
from rag_backend.model.base import StopReason


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Use(_Declared):
    """A tool that the reply calls; `raw` is sent in place of the input, whatever it is."""

    tool: str
    input: dict[str, Any] = {}
    raw: str | None = None


class Answer(_Declared):
    """A message of the model. Without a stop reason it is `tool_use` where a tool is called, else `end_turn`."""

    text: str = ""
    calls: tuple[Use, ...] = ()
    thinks: bool = False
    stop_reason: StopReason | None = None


class Failure(_Declared):
    """An error of the API; `within` sends it as an event of a stream that has begun."""

    error: int = Field(ge=400, le=599)
    retry_after: float | None = None
    within: bool = False


class Page(_Declared):
    """Bytes that are no reply at all: a proxy's error page, half of a JSON text, an empty body."""

    body: str
    status: int = Field(default=200, ge=200, le=599)
    content_type: str = "text/html"
    location: str = ""


def _kind(reply: Any) -> str:
    keys = set(reply) if isinstance(reply, dict) else {type(reply).__name__}
    if keys & {"error", "Failure"}:
        return "failure"
    return "page" if keys & {"body", "Page"} else "answer"


Reply = Annotated[
    Annotated[Answer, Tag("answer")] | Annotated[Failure, Tag("failure")] | Annotated[Page, Tag("page")],
    Discriminator(_kind),
]


class Rule(_Declared):
    """A reply and what it waits for: words of the last user message, a pattern in it, the number of the call; nothing = any call.

    `times`: how often it is used. Seconds before the first byte and between the events; `cut_after`: the connection is closed in the
    middle of the event after so many; `hangs_up`: it is closed without a byte.
    """

    contains: str = ""
    matches: str = ""
    call: int | None = Field(default=None, ge=1)
    reply: Reply = Answer()
    times: int | None = Field(default=None, ge=1)
    first_byte_s: float = Field(default=0.0, ge=0)
    between_s: float = Field(default=0.0, ge=0)
    cut_after: int | None = Field(default=None, ge=0)
    hangs_up: bool = False

    @field_validator("matches")
    @classmethod
    def _is_a_pattern(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error.msg}") from None
        return pattern

    def fits(self, text: str, call: int) -> bool:
        """Whether this is for a call with this text."""
        return self.contains in text and self.call in (None, call) and re.search(self.matches, text, re.DOTALL) is not None


class Script(_Declared):
    """All rules; the first that fits and is not used up is played."""

    rules: tuple[Rule, ...] = ()


def load_script(path: Path) -> Script:
    """The script in a YAML or JSON file.

    Raises:
        DeclarationError: it is not a script; every problem with its line.
    """
    declarations = Declarations(path.parent)
    script = declarations.built(path, Script)[1] if declarations.hashed(path) else None
    declarations.raise_problems()
    return script or Script()


class Play:
    """A script being played: counts calls and what was used. Safe for several threads."""

    def __init__(self, script: Script) -> None:
        self._rules = script.rules
        self._used = [0] * len(script.rules)
        self._calls = 0
        self._lock = threading.Lock()

    def next(self, text: str) -> tuple[int, Rule | None]:
        """The number of this call, from 1, and the rule for it; None = no rule fits."""
        with self._lock:
            self._calls += 1
            for place, rule in enumerate(self._rules):
                if rule.fits(text, self._calls) and (rule.times is None or self._used[place] < rule.times):
                    self._used[place] += 1
                    return self._calls, rule
            return self._calls, None
