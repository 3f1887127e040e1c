"""A typed query as a strict tool writes it: the inverse of `reading`. Whoever plays the model's part speaks through it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag_backend.query.typed_query import TypedQuery


def tool_input(query: TypedQuery, words: Mapping[str, str]) -> dict[str, Any]:
    """The input of the tool for typed queries; `words`: for each slot, the words of the question that ask for it."""
    return {"query": written(query), "spans": [{"slot": slot, "words": text} for slot, text in words.items()]}


def written(query: TypedQuery) -> dict[str, Any]:
    """The query in the tool's form: every field is there, every value is text, and what is not asked for is '' or []."""
    content = query.model_dump(mode="json", by_alias=True)
    content["time"] = {name: value or "" for name, value in content["time"].items()}
    content["where"] = _where(content["where"])
    content["metrics"] = [{**one, "where": _where(one["where"])} for one in content["metrics"]]
    content["having"] = [_having(one) for one in content["having"]]
    content["unit"] = {**content["unit"], "having": [_having(one) for one in content["unit"]["having"]]}
    return content


def _where(where: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    return [[{**one, "values": [str(value) for value in one["values"]]} for one in group] for group in where]


def _having(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "value": "" if one["value"] is None else str(one["value"]), "where": _where(one["where"])}
