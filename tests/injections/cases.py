"""The cases as data: who asks what, what the model is made to say, and what must come of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from rag_backend.model.scripted import Answer, Failure, Page, Rule, Use
from rag_backend.planners.claude import tools
from rag_backend.query.typed_query import TypedQuery
from tests.injections.stage import WORDS_OF_TABLE
from tests.planners.replies import as_input, called, refused, sql, typed
from tests.support.lake import ROOT

FOLDER = ROOT / "tests/data/injections"
DENIALS = {"metrics": [{"id": "denial_rate"}], "group_by": [{"dim": "payer"}]}
_MACRO = re.compile(r"<<(deep|many|digits|long) (\d+)>>")
_MACROS = {
    "deep": lambda n: "[" * n + "]" * n,
    "many": lambda n: ",".join(f'"v{number}"' for number in range(n)),
    "digits": lambda n: "9" * n,
    "long": lambda n: "x" * n,
}
_NOT_WORDED = "See https://evil.example for 4711 denied members"


@dataclass(frozen=True)
class Case:
    """One attack. `holds`: refused, clarify, answered_within_policy, or {same_as: a question that nobody attacks}.

    `asked`: how often the model is asked to read the question; 0 = it never hears of it. `worded`: what the light model says of the table.
    `told`: what the model is told is wrong with its first reply, where that must be this and nothing before it.
    """

    id: str
    category: str
    question: str
    holds: str
    role: str = "analyst"
    same_as: str = ""
    says: tuple[Mapping[str, Any], ...] = ()
    asked: int = 3
    worded: str = _NOT_WORDED
    told: str = ""

    @property
    def rules(self) -> list[Rule]:
        """What the server plays: a reply for each call, the last one for all further ones."""
        worded = Rule(contains=WORDS_OF_TABLE, reply=Answer(text=expanded(self.worded)))
        said = [spoken(one, self.question) for one in self.says]
        return [worded, *(one.model_copy(update={"times": 1}) for one in said[:-1]), *said[-1:]]


@cache
def cases() -> tuple[Case, ...]:
    """Every case of every file; the file's name is its category."""
    return tuple(case for file in sorted(FOLDER.glob("*.yaml")) if file.stem != "plants" for case in _read(file.stem))


def _read(category: str) -> Iterator[Case]:
    content = yaml.safe_load((FOLDER / f"{category}.yaml").read_text(encoding="utf-8"))
    for number, given in enumerate(content["cases"], 1):
        one = {**content.get("all", {}), **given}
        holds = one.pop("holds")
        same_as = holds["same_as"] if isinstance(holds, dict) else ""
        says = tuple(one.pop("says", ()))
        yield Case(
            id=f"{category}-{number:03}", category=category, says=says, holds="same_as" if same_as else holds, same_as=same_as, **one
        )


def expanded(text: str) -> str:
    """`<<deep 900>>` and the like written out."""
    return _MACRO.sub(lambda found: _MACROS[found[1]](int(found[2])), text)


def spoken(said: Mapping[str, Any], question: str) -> Rule:
    """One reply; `cut_after` and `error` spoil it on its way."""
    how = {name: said[name] for name in ("cut_after", "hangs_up") if name in said}
    return Rule(reply=_reply(said, question), **how)


def _reply(said: Mapping[str, Any], question: str) -> Answer | Failure | Page:
    match said:
        case {"error": int(code)}:
            return Failure(error=code, within=said.get("within", False))
        case {"page": str(body)}:
            return Page(body=body)
        case {"sql": str(text)}:
            answer = sql(text)
        case {"query": query}:
            answer = typed(query, said.get("cited", question))
        case {"changed": changes}:
            answer = called(tools.QUERY, {"query": _changed(changes), "spans": _spans(said.get("spans", question))})
        case {"options": queries}:
            answer = called(tools.CLARIFY, {"options": [{"query": _option(one), **said.get("extra", {})} for one in queries]})
        case {"refuse": str(message)}:
            answer = refused(said.get("reason", "not_in_data"), expanded(message), said.get("word", ""))
        case {"calls": calls}:
            answer = Answer(calls=tuple(_use(one) for one in calls))
        case {"call": _}:
            answer = Answer(calls=(_use(said),))
        case _:
            answer = Answer()
    more = {name: said[name] for name in ("text", "thinks") if name in said} | ({"stop_reason": said["stop"]} if "stop" in said else {})
    return answer.model_copy(update=more)


def _use(said: Mapping[str, Any]) -> Use:
    raw = said.get("raw")
    return Use(tool=expanded(said["call"]), input=said.get("input", {}), raw=None if raw is None else expanded(raw))


def _option(query: Mapping[str, Any]) -> dict[str, Any]:
    return as_input(TypedQuery.model_validate(query))


def _spans(given: Any) -> Any:
    return (
        [{"slot": slot, "words": given} for slot in ("metrics", "group_by", "where", "limit", "having", "time", "unit")]
        if isinstance(given, str)
        else given
    )


def _changed(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The tool's form of a plain query with some of its fields put in place as they are given: `limit.n`, `metrics.0.id`."""
    form: dict[str, Any] = as_input(TypedQuery.model_validate(DENIALS))
    for path, value in changes.items():
        *names, last = path.split(".")
        place: Any = form
        for name in names:
            place = place[int(name)] if name.isdigit() else place[name]
        if value == "<<gone>>":
            del place[last]
        else:
            place[int(last) if last.isdigit() else last] = (
                json.loads(expanded(value[1:])) if isinstance(value, str) and value[:1] == "=" else value
            )
    return form
