"""What a model would say that reads every approved question right, as rules for the scripted server: for work and figures without a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from medflow.specs.examples import load_examples
from medflow.specs.semantic import SemanticModel, load_semantic_model
from rag_backend.model.scripted import Answer, Rule, Use
from rag_backend.planners.claude import tools
from rag_backend.planners.claude.elements import elements_of
from rag_backend.planners.claude.writing import tool_input
from rag_backend.query.typed_query import TypedQuery


def approved_replies(knowledge_base: Path, seconds: float) -> dict[str, Rule]:
    """A rule for each approved question, by the question: its typed query, `seconds` after the model was asked.

    Raises:
        DeclarationError: what is declared is not sound.
    """
    model = load_semantic_model(knowledge_base)
    return {
        question: Rule(matches=_asked(question), reply=_reply(question, query, model), first_byte_s=seconds)
        for question, query in _approved(knowledge_base)
    }


def _approved(knowledge_base: Path) -> Iterator[tuple[str, TypedQuery]]:
    for example in load_examples(knowledge_base).by_id.values():
        yield example.question, TypedQuery.model_validate(example.query)


def _asked(question: str) -> str:
    """The end of a message that asks this; what was retrieved stands before it, and may hold other questions."""
    return rf"<question>{re.escape(question)}</question>\Z"


def _reply(question: str, query: TypedQuery, model: SemanticModel) -> Answer:
    """Every part is asked for by the question as a whole."""
    words = {one.slot: question for one in elements_of(query, model)}
    return Answer(calls=(Use(tool=tools.QUERY, input=tool_input(query, words)),))
