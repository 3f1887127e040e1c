"""What the model said, as a value: a typed query and the words that it cites, or what is wrong with it in words that it can act on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rag_backend.planners.claude.placeholders import Masked
from rag_backend.query.typed_query import TypedQuery

_MOST_PROBLEMS = 5
_SIDES = ("before", "after", "later")  # what the model would call the windows of a comparison is not read


class Malformed(Exception):
    """A reply that is no typed query; its text says why, without repeating what was given."""


@dataclass(frozen=True)
class Cited:
    """The characters [start, end) of the question that the model gives as the reason for one slot."""

    slot: str
    start: int
    end: int


def query_of(given: Mapping[str, Any], masked: Masked) -> TypedQuery:
    """The typed query in a tool's input.

    Raises:
        Malformed: it is none.
    """
    try:
        return TypedQuery.model_validate(_plain(given, masked))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in error.errors()[:_MOST_PROBLEMS]]
        raise Malformed(f"the query cannot be read: {'; '.join(problems)}") from None
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError):
        raise Malformed("the query does not have the tool's form") from None


def _plain(given: Mapping[str, Any], masked: Masked) -> dict[str, Any]:
    """The tool's form as the typed query's: absent days and numbers, which a strict tool writes as '', are none."""
    query = dict(given)
    query["where"] = _where(given["where"], masked)
    query["metrics"] = [{**one, "where": _where(one["where"], masked)} for one in given["metrics"]]
    query["having"] = [_having(one, masked) for one in given["having"]]
    query["unit"] = {**given["unit"], "having": [_having(one, masked) for one in given["unit"]["having"]]}
    query["compare"] = [{**one, "label": label} for one, label in zip(given["compare"], _SIDES, strict=False)]
    query["time"] = {**given["time"], "from": given["time"]["from"] or None, "to": given["time"]["to"] or None}
    return query


def _where(where: Sequence[Sequence[Mapping[str, Any]]], masked: Masked) -> list[list[dict[str, Any]]]:
    return [[{**one, "values": [masked.restored(str(value)) for value in one["values"]]} for one in group] for group in where]


def _having(one: Mapping[str, Any], masked: Masked) -> dict[str, Any]:
    value = float(one["value"]) if one["value"] != "" else None
    if value is not None and not math.isfinite(value):
        raise ValueError
    return {**one, "value": value, "where": _where(one["where"], masked)}


def cited_in(spans: Any, question: str, masked: Masked) -> tuple[list[Cited], list[str]]:
    """Where the cited words stand in the question, and what is wrong with those that stand nowhere."""
    found: list[Cited] = []
    problems: list[str] = []
    for slot, words in _pairs(spans):
        text = masked.restored(words).strip()
        places = [match.span() for match in re.finditer(re.escape(text), question, re.IGNORECASE)] if text else []
        found += [Cited(slot, start, end) for start, end in places]
        if not places:
            problems.append(f"the words cited for {slot} do not stand in the question as they are written there")
    return found, problems[:_MOST_PROBLEMS]


def _pairs(spans: Any) -> Iterator[tuple[str, str]]:
    for one in spans if isinstance(spans, list) else ():
        if isinstance(one, dict) and isinstance(one.get("slot"), str) and isinstance(one.get("words"), str):
            yield one["slot"][:60], one["words"]
