"""What a model would say that reads every approved question right, as rules for the scripted server: for work and figures without a key."""

from __future__ import annotations

import re
from pathlib import Path

from medflow.specs.examples import Example, load_examples
from medflow.specs.semantic import SemanticModel, load_semantic_model
from rag_backend.cache.keys import as_kept
from rag_backend.model.scripted import Answer, Rule, Use
from rag_backend.planners.claude import tools
from rag_backend.planners.claude.elements import elements_of
from rag_backend.planners.claude.writing import tool_input
from rag_backend.query.typed_query import TypedQuery

_NOTHING_ELSE = Rule(reply=Answer(text="That is all that can be said."))


def approved_replies(knowledge_base: Path, seconds: float) -> tuple[Rule, ...]:
    """For each approved question its typed query, `seconds` after the model was asked; for anything else no call of a tool, at once.

    Raises:
        DeclarationError: examples or semantic model are not sound.
    """
    model = load_semantic_model(knowledge_base)
    return (*(_rule(one, model, seconds) for one in load_examples(knowledge_base).by_id.values()), _NOTHING_ELSE)


def _rule(example: Example, model: SemanticModel, seconds: float) -> Rule:
    """Every part of the query is asked for by the question as a whole."""
    query = TypedQuery.model_validate(example.query)
    words = {one.slot: example.question for one in elements_of(query, model)}
    reply = Answer(calls=(Use(tool=tools.QUERY, input=tool_input(query, words)),))
    return Rule(matches=_ends_with(example.question), reply=reply, first_byte_s=seconds)


def _ends_with(question: str) -> str:
    """A message that asks this, as it is kept: what was retrieved stands before the question, and may hold others."""
    return rf"<question>{re.escape(as_kept(question))}</question>\Z"
