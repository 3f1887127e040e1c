"""What a plan or a table depends on, as one exact key. Nothing is ever found by likeness: another byte is another key."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from rag_backend.query.typed_query import Condition, Having, TypedQuery, Where

_ANY_ORDER = ("in", "not_in", "starts_with", "has")
_FIRST_WORD = re.compile(r"[A-Z][a-z]+(?![\w'\u2019-])")


@dataclass(frozen=True)
class View:
    """One release seen under one policy by one version of the product, each by its digest."""

    release: str
    policy: str
    version: str


def as_kept(question: str) -> str:
    """The question as it is planned and kept: composed characters, single blanks, its first word without the capital of a sentence.

    Other capitals stay, since they decide: `OR` after `in` is a state, `or` is none. What is planned is this text and no other, so that
    no wording can leave behind what another one is answered with.
    """
    text = " ".join(unicodedata.normalize("NFC", question).split())
    return text[:1].lower() + text[1:] if _FIRST_WORD.match(text) else text


def plan_key(text: str, today: date, view: View, *, planner: str, previous: TypedQuery | None = None) -> str:
    """The key of what `planner` (with its model, if it has one) makes of a text that `as_kept` gave; `previous`: what it follows up."""
    before = "" if previous is None else _content(previous.model_dump())
    return _key("plan", text, planner, *_parts(view), today.isoformat(), before)


def result_key(query: TypedQuery, view: View, *, engine: str, rows: int) -> str:
    """The key of the table of a typed query, of at most `rows` rows from `engine`."""
    return _key("result", _content(normal(query).model_dump()), *_parts(view), engine, str(rows))


def counts_key(sql: str, view: View, *, engine: str, rows: int) -> str:
    """The key of the rows of SQL that the service wrote for itself, of a view with the policy that it reads under."""
    return _key("counts", sql, *_parts(view), engine, str(rows))


def digest(*parts: str | bytes) -> str:
    """SHA-256 of parts, the length of each before it: parts that are cut at another place have another digest."""
    found = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        found.update(len(content).to_bytes(8, "big") + content)
    return found.hexdigest()


def normal(query: TypedQuery) -> TypedQuery:
    """The query with sets in one order and nothing twice in them. Neither a row of its answer nor their order is another.

    What orders or names columns and rows stays: metrics, groups, thresholds on groups, order, and what a limit is for each of.
    """
    tests = (one.model_copy(update={"where": _where(one.where)}) for one in query.unit.having)
    changed = {
        "metrics": tuple(use.model_copy(update={"where": _where(use.where)}) for use in query.metrics),
        "where": _where(query.where),
        "unit": query.unit.model_copy(update={"having": _as_set(tests)}),
        "compare": tuple(window.model_copy(update={"label": ""}) for window in query.compare),
    }
    return query.model_copy(update=changed)


def _where(where: Where) -> Where:
    groups = [_as_set(map(_condition, group)) for group in where]
    return tuple({_listed(group): group for group in sorted(groups, key=_listed)}.values())


def _condition(one: Condition) -> Condition:
    if one.op not in _ANY_ORDER:
        return one
    return one.model_copy(update={"values": tuple({_content(value): value for value in sorted(one.values, key=_content)}.values())})


def _as_set(parts: Iterable[Any]) -> tuple[Any, ...]:
    return tuple({_content(one.model_dump()): one for one in sorted(parts, key=lambda one: _content(one.model_dump()))}.values())


def _listed(group: Iterable[Condition | Having]) -> str:
    return _content([one.model_dump() for one in group])


def _content(value: Any) -> str:
    """A value as text: another value, or the same of another type, is another text."""
    return json.dumps(value, default=date.isoformat, sort_keys=True, separators=(",", ":"))


def _parts(view: View) -> tuple[str, ...]:
    return view.release, view.policy, view.version


def _key(kind: str, *parts: str) -> str:
    return f"{kind}:{digest(kind, *parts)}"
