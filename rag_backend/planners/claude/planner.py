"""The planner that asks Claude: one call, at most two repairs, and the grammar beside it.

The grammar reads every question too. What it refuses by policy, asks back or answers with a definition never reaches the model; where
both have a reading and they differ, the asker decides; where the model cannot be asked, the grammar's outcome stands, and that is said.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from rag_backend.cache.keys import as_kept
from rag_backend.engines.base import Cancellation
from rag_backend.model.base import Model
from rag_backend.model.errors import ModelError
from rag_backend.model.prices import cost_of
from rag_backend.planners.base import Outcome, Planned, Planning, Refused
from rag_backend.planners.claude.asked import Asked
from rag_backend.planners.claude.conversation import Conversation, Unusable
from rag_backend.planners.claude.placeholders import masked
from rag_backend.planners.claude.prompt import Prompt, question_text
from rag_backend.planners.claude.understood import Answering, Problem, understood
from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.nodes import Node
from rag_backend.planners.grammar.plan import plan
from rag_backend.planners.grammar.tagging import Tagger
from rag_backend.planners.grammar.tokens import tokens_of
from rag_backend.planners.grammar.typos import repaired

REPAIRS = 2
Mode = Literal["claude", "grammar+claude"]


@dataclass(frozen=True)
class ClaudePlanner:
    """Reads questions of one role on one release."""

    lexicon: Lexicon
    prompt: Prompt
    tools: tuple[Mapping[str, Any], ...]
    model: Model
    model_name: str
    mode: Mode
    lanes: frozenset[str]
    context: Callable[[str], str]
    check: Callable[[str], str]
    """What the validator has against SQL of the model, as a sentence that it can act on; '' = nothing."""
    kept: Callable[[str, datetime.date, Callable[[], Outcome], Cancellation], Outcome] = lambda _, __, compute, ___: compute()
    """What a question was read as before, or what it is read as now."""
    dialect: str = "duckdb"

    @property
    def name(self) -> str:
        return self.mode

    def plan(self, question: str, today: datetime.date) -> Outcome:
        """What the grammar alone reads: follow-ups and nearest questions are proved by it, without a call."""
        return plan(question, self.lexicon, today)

    def read(self, question: str, today: datetime.date, cancel: Cancellation) -> Planning:
        """The question's reading, and what it took.

        Raises:
            QueryCancelled: the asker gave up.
        """
        question = as_kept(question)  # what is kept is of this text: no other one may be read in its place
        own = self.plan(question, today)
        if not self._goes_to_model(own):
            return Planning(own, "grammar")
        conversation, answering = self._begun(question, today)
        if isinstance(own, Planned):
            answering = replace(answering, own=own.query)
        elif isinstance(own, Refused):
            answering = replace(answering, nearest=own.nearest)
        try:
            outcome = self.kept(question, today, lambda: self._asked(conversation, answering, cancel), cancel)
        except (ModelError, Unusable) as error:
            told = f"the model was not used ({error}); the built-in planner read the question"
            return Planning(own, "grammar", (("planner_fallback", told),), conversation.spent, lasting=False)
        return Planning(outcome, "claude", (), conversation.spent)

    def _goes_to_model(self, own: Outcome) -> bool:
        if isinstance(own, Refused):
            return own.reason_code == "not_understood"
        return isinstance(own, Planned) and self.mode == "claude"

    def _begun(self, question: str, today: datetime.date) -> tuple[Conversation, Answering]:
        tokens, _ = repaired(tokens_of(question), self.lexicon)
        nodes = Tagger(self.lexicon, today, tokens, question).nodes()
        hidden = masked(question, nodes, tokens, self.lexicon)
        asked = Asked(tokens, nodes, self.lexicon, hidden.places)
        conversation = Conversation(self.model_name, self.prompt.system, self.tools)
        conversation.asks(question_text(hidden.text, today, known_words(asked), self.context(hidden.text)))
        return conversation, Answering(question, hidden, asked, self.lanes, self.check, dialect=self.dialect)

    def _asked(self, conversation: Conversation, answering: Answering, cancel: Cancellation) -> Outcome:
        for _ in range(1 + REPAIRS):
            reply = self.model.reply(conversation.request, cancel)
            conversation.took(reply, cost_of(self.model_name, reply.usage))
            if reply.stop_reason in _ENDED:
                raise Unusable(_ENDED[reply.stop_reason])
            outcome = understood(reply, answering)
            if not isinstance(outcome, Problem):
                return outcome
            conversation.objects(reply, outcome.text)
        raise Unusable("nothing that it said could be used")


_ENDED = {
    "refusal": "it declined",
    "max_tokens": "its reply was cut off",
    "model_context_window_exceeded": "the question and its context are too long for it",
}


def known_words(asked: Asked) -> str:
    """What the lexicon knows of the question's own phrases: windows of time, metrics, and values of public dimensions."""
    return "\n".join(dict.fromkeys(line for node in asked.nodes for line in _known(node, asked)))


def _known(node: Node, asked: Asked) -> Iterator[str]:
    called = asked.called(node)
    if node.period is not None and (node.period.start or node.period.until):
        yield f"{called}: from {node.period.start or 'open'} to {node.period.until or 'open'}"
    for one in node.readings:
        if one.kind == "METRIC":
            yield f"{called}: metric {one.id}"
        elif one.kind == "VALUE" and asked.lexicon.model.dimensions[one.dim].privacy == "public":
            yield f"{called}: value {one.value} of {one.dim}"
        elif one.kind == "NOUN" and one.dim:
            yield f"{called}: dimension {one.dim}"
