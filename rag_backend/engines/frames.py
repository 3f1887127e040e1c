"""Messages on a pipe: JSON in UTF-8 with its length before it, so that nothing that is sent can ever run as code."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

HEADER = struct.Struct(">I")


def packed(message: dict[str, Any]) -> bytes:
    """A message as it goes over the pipe."""
    return framed(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())


def framed(body: bytes) -> bytes:
    """JSON text with its length before it."""
    return HEADER.pack(len(body)) + body


def read_message(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message of a blocking pipe; None where the other side has closed it."""
    head = stream.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    size: int = HEADER.unpack(head)[0]
    body = stream.read(size)
    if len(body) < size:
        return None
    message: dict[str, Any] = json.loads(body)
    return message
