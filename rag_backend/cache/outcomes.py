"""What a planner made of a question as its kind and JSON, and back through the types that declare it."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

from pydantic import TypeAdapter

from rag_backend.planners.base import AdHoc, Outcome, Refused

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Outcome)}


def lasts(outcome: Outcome) -> bool:
    """Whether the same question would be read so again: not where what should have read it could not be asked, and never a model's SQL."""
    return not isinstance(outcome, AdHoc) and not (isinstance(outcome, Refused) and outcome.reason_code == "engine_unavailable")


def written(outcome: Outcome) -> bytes:
    """The outcome as bytes that `read` gives it back from.

    Raises:
        ValueError: it would not be equal, as with a number that JSON does not have.
    """
    kind = type(outcome).__name__
    text = kind.encode() + b"\n" + _adapter(kind).dump_json(outcome)
    if read(text) != outcome:
        raise ValueError(f"{kind} does not come back from JSON as it was")
    return text


def read(text: bytes) -> Outcome:
    """The inverse of `written`.

    Raises:
        ValueError, LookupError: the text is of another form.
    """
    kind, _, content = text.partition(b"\n")
    outcome: Outcome = _adapter(kind.decode()).validate_json(content, strict=True)
    return outcome


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_KINDS[kind])
