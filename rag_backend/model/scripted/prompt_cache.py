"""Which part of a request the service has kept from an earlier one: the bytes up to a breakpoint, in the order tools, system, messages.

As in the API, a prefix that is too short is not kept and nothing says so, another model has another cache, and from a breakpoint the
service looks back at most 20 blocks. Unlike it, nothing is forgotten after five minutes. A token is four characters.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_LOOKS_BACK = 20


@dataclass(frozen=True)
class Counted:
    """Tokens of what was sent: not kept, read from what was kept, kept now."""

    input: int
    read: int
    written: int


def tokens(characters: int) -> int:
    """A crude count, rounded up."""
    return -(-characters // 4)


class PromptCache:
    """The prefixes that were seen up to a breakpoint. Safe for several threads."""

    def __init__(self, least_tokens: int) -> None:
        self._least = least_tokens
        self._kept: set[str] = set()
        self._lock = threading.Lock()

    def count(self, body: Mapping[str, Any]) -> Counted:
        """Count one request, and keep what it marks."""
        digest = hashlib.sha256(str(body.get("model")).encode())
        ends: list[tuple[str, int]] = []  # of each block: digest of everything up to its end, and how many characters that is
        marks: list[int] = []
        characters = 0
        for place, (text, marked) in enumerate(_blocks(body)):
            characters += len(text)
            digest.update(text.encode() + b"\0")
            ends.append((digest.hexdigest(), tokens(characters)))
            if marked:
                marks.append(place)
        with self._lock:
            read = max((ends[place][1] for mark in marks for place in self._seen(ends, mark)), default=0)
            worth = [mark for mark in marks if ends[mark][1] >= self._least]
            self._kept.update(ends[mark][0] for mark in worth)
        written = max((ends[mark][1] for mark in worth), default=read) - read
        return Counted(tokens(characters) - read - written, read, written)

    def _seen(self, ends: list[tuple[str, int]], mark: int) -> Iterator[int]:
        return (place for place in range(max(mark - _LOOKS_BACK, 0), mark + 1) if ends[place][0] in self._kept)


def _blocks(body: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Every block as its text, keys in the order that they were sent in, and whether it is a breakpoint."""
    for tool in body.get("tools", ()):
        yield _block("tool", tool)
    for block in _listed(body.get("system", ())):
        yield _block("system", block)
    for message in body.get("messages", ()):
        for block in _listed(message["content"]):
            yield _block(message["role"], block)


def _block(role: str, block: Mapping[str, Any]) -> tuple[str, bool]:
    sent = {name: value for name, value in block.items() if name != "cache_control"}
    return json.dumps([role, sent], ensure_ascii=False, separators=(",", ":")), block.get("cache_control") is not None


def _listed(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
