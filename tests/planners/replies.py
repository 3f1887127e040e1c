"""What a model would call: a typed query in the tool's form, with the words that ask for each part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag_backend.model.scripted import Answer, Use
from rag_backend.planners.claude import tools
from rag_backend.planners.claude.elements import elements_of
from rag_backend.query.typed_query import TypedQuery
from tests.planners.lexicons import claims


def as_input(query: TypedQuery) -> dict[str, Any]:
    """A typed query as a strict tool writes it: '' where nothing is asked for."""
    content = query.model_dump(mode="json")
    for having in (*content["having"], *content["unit"]["having"]):
        having["value"] = "" if having["value"] is None else str(having["value"])
        having["where"] = _where(having["where"])
    content["time"] = {name: value or "" for name, value in content["time"].items()}
    content["where"] = _where(content["where"])
    content["metrics"] = [{**one, "where": _where(one["where"])} for one in content["metrics"]]
    return content


def _where(where: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    return [[{**one, "values": [str(value) for value in one["values"]]} for one in group] for group in where]


def typed(query: TypedQuery | Mapping[str, Any], cited: Mapping[str, str] | str) -> Answer:
    """A typed query; `cited`: the words for each slot, or a text that every part cites whole."""
    query = query if isinstance(query, TypedQuery) else TypedQuery.model_validate(query)
    words = {one.slot: cited for one in elements_of(query, claims().model)} if isinstance(cited, str) else cited
    spans = [{"slot": slot, "words": text} for slot, text in words.items()]
    return called(tools.QUERY, {"query": as_input(query), "spans": spans})


def called(tool: str, given: Mapping[str, Any]) -> Answer:
    return Answer(calls=(Use(tool=tool, input=dict(given)),))


def refused(reason: str, message: str, word: str = "") -> Answer:
    return called(tools.REFUSE, {"reason_code": reason, "word": word, "message": message})


def sql(text: str) -> Answer:
    return called(tools.SQL, {"sql": text})
