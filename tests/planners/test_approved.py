"""Playing the model's part: a typed query is written as it is read, and each approved question has the reply that is right for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from medflow.settings import packaged_knowledge_base
from medflow.specs.examples import load_examples
from rag_backend.cache.keys import as_kept
from rag_backend.model.scripted import Answer
from rag_backend.planners.claude.approved import approved_replies
from rag_backend.planners.claude.placeholders import Masked
from rag_backend.planners.claude.prompt import question_text
from rag_backend.planners.claude.reading import query_of
from rag_backend.planners.claude.tools import tools_of
from rag_backend.planners.claude.writing import written
from rag_backend.query.typed_query import TypedQuery
from tests.planners.lexicons import TODAY, claims
from tests.support.lake import ROOT

EXAMPLES = load_examples(packaged_knowledge_base()).by_id
CASES = yaml.safe_load((ROOT / "tests/data/typed_queries.yaml").read_text(encoding="utf-8"))
QUERIES = {**{name: one.query for name, one in EXAMPLES.items()}, **{case["name"]: case["query"] for case in CASES}}
NOTHING_HIDDEN = Masked("", {})


@pytest.mark.parametrize("name", QUERIES)
def test_what_is_written_is_read_as_it_was(name: str) -> None:
    """The same query comes back; values and numbers of filters are text on the way, as a strict tool has them."""
    query = unnamed(TypedQuery.model_validate(QUERIES[name]))
    back = unnamed(query_of(written(query), NOTHING_HIDDEN))
    assert written(back) == written(query)
    numbers = [value for group in query.where for one in group for value in one.values if not isinstance(value, str)]
    assert numbers or back == query


def unnamed(query: TypedQuery) -> TypedQuery:
    """Without the names of windows that are compared: those of a model are not read."""
    return query.model_copy(update={"compare": tuple(window.model_copy(update={"label": ""}) for window in query.compare)})


def test_what_is_written_has_the_tools_form() -> None:
    """Every property that the schema requires is there, and no other."""
    (tool,) = [one for one in tools_of(claims().model, frozenset()) if one["name"] == "typed_query"]
    schema = tool["input_schema"]["properties"]["query"]
    for query in QUERIES.values():
        fits(written(TypedQuery.model_validate(query)), schema)


def fits(value: object, schema: dict) -> None:
    """Holds a value against a strict schema."""
    if schema["type"] == "object":
        assert isinstance(value, dict)
        assert set(value) == set(schema["required"])
        for name, inner in schema["properties"].items():
            fits(value[name], inner)
    elif schema["type"] == "array":
        assert isinstance(value, list)
        for item in value:
            fits(item, schema["items"])
    else:
        assert type(value) is {"string": str, "integer": int, "boolean": bool}[schema["type"]]
        assert value in schema.get("enum", [value])


def test_each_question_has_its_own_reply() -> None:
    """Whatever was retrieved beside it, other approved questions among it; anything else calls no tool."""
    rules = approved_replies(packaged_knowledge_base(), 1.5)
    others = "\n".join(one.question for one in EXAMPLES.values())
    for example in EXAMPLES.values():
        message = question_text(as_kept(example.question), TODAY, "", f"{others}\n<question>{others}")
        first = next(rule for rule in rules if rule.fits(message, 1))
        assert isinstance(first.reply, Answer)
        said = query_of(first.reply.calls[0].input["query"], NOTHING_HIDDEN)
        assert unnamed(said) == unnamed(TypedQuery.model_validate(example.query))
        assert first.first_byte_s == 1.5
        assert {span["words"] for span in first.reply.calls[0].input["spans"]} == {example.question}
    last = next(rule for rule in rules if rule.fits("This cannot be used: try again", 1))
    assert isinstance(last.reply, Answer)
    assert (last.reply.calls, last.first_byte_s) == ((), 0.0)
    assert re.search("[a-z]", last.reply.text)


def test_an_unsound_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="semantic"):
        approved_replies(tmp_path, 1)
