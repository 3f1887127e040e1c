"""The grammar planner: a question and a lexicon in; a typed query, a question back, or a refusal out. Pure: no files, no clock."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from rag_backend.planners.base import Clarify, Option, Outcome, Planned, Refused, Span
from rag_backend.planners.grammar.assemble import Assembly
from rag_backend.planners.grammar.choices import every
from rag_backend.planners.grammar.chunks import parts_of
from rag_backend.planners.grammar.combine import combined
from rag_backend.planners.grammar.compound import compound
from rag_backend.planners.grammar.doubts import doubt
from rag_backend.planners.grammar.draft import Draft, Reading, Stop
from rag_backend.planners.grammar.gates import gate
from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.nearest import nearest_questions
from rag_backend.planners.grammar.nodes import Node
from rag_backend.planners.grammar.tagging import Tagger, with_one_reading, without_repeats
from rag_backend.planners.grammar.tokens import Token, tokens_of
from rag_backend.planners.grammar.typos import repaired
from rag_backend.planners.grammar.yes_no import as_comparison, sets_beside
from rag_backend.query.typed_query import TypedQuery
from rag_backend.query.words import in_words

_OPTIONS = 8


@dataclass(frozen=True)
class _Candidate:
    query: TypedQuery
    nodes: tuple[Node, ...]
    draft: Draft
    notes: tuple[str, ...]
    asked: tuple[str, ...]


def plan(question: str, lexicon: Lexicon, today: datetime.date) -> Outcome:
    """Read a question. Never raises; a question that is not wholly understood is refused by the word that stopped it."""
    decided = gate(question)
    if decided is not None:
        return _compared(question, lexicon, today) or decided
    outcome = _read(question, lexicon, today)
    if isinstance(outcome, Planned):
        return doubt(question, outcome.query, lexicon.model) or outcome
    if compared := _compared(question, lexicon, today):
        return compared
    if several := compound(question, lambda text: _alone(text, lexicon, today)):
        return several
    if isinstance(outcome, Refused) and outcome.reason_code in ("not_understood", "unknown_value", "not_in_data", "needs_definition"):
        tokens = repaired(tokens_of(question), lexicon)[0]
        nodes = Tagger(lexicon, today, tokens, question).nodes()
        nearest = nearest_questions(nodes, lexicon, lambda text: isinstance(_read(text, lexicon, today), Planned))
        return Refused(outcome.reason_code, outcome.message, outcome.word, nearest)
    return outcome


def _alone(question: str, lexicon: Lexicon, today: datetime.date) -> Outcome:
    """One of several questions, as it is read by itself."""
    outcome = gate(question) or _read(question, lexicon, today)
    return (doubt(question, outcome.query, lexicon.model) or outcome) if isinstance(outcome, Planned) else outcome


def _compared(question: str, lexicon: Lexicon, today: datetime.date) -> Planned | None:
    """Whether one number is higher than another is told by both."""
    text = as_comparison(question)
    outcome = _read(text, lexicon, today) if text and gate(text) is None else None
    if not isinstance(outcome, Planned) or not sets_beside(outcome.query) or doubt(text, outcome.query, lexicon.model):
        return None
    return Planned(outcome.query, (Span("comparison", 0, len(question)),), (*outcome.notes, "both numbers are shown, side by side"))


def _read(question: str, lexicon: Lexicon, today: datetime.date) -> Outcome:
    tokens, repairs = repaired(tokens_of(question), lexicon)
    if not tokens:
        return Refused("not_understood", "nothing is asked")
    nodes = Tagger(lexicon, today, tokens, question).nodes()
    found: dict[str, _Candidate] = {}
    stops: list[Stop] = []
    for chosen in with_one_reading(nodes):
        for one in _candidates(chosen, lexicon, today, stops):
            found.setdefault(one.query.model_dump_json(), one)
    if len(found) == 1:
        only = next(iter(found.values()))
        return Planned(only.query, _spans(only, tokens), (*repairs, *only.notes))
    if found:
        return _clarify(list(found.values()), lexicon, nodes)
    return _vague(nodes, lexicon, today) or _refused(stops)


def _vague(nodes: list[Node], lexicon: Lexicon, today: datetime.date) -> Clarify | None:
    """A question that hangs on a word for several metrics, with nothing unknown in it: each metric by what else is named."""
    words = [node for node in nodes if node.cat == "LEX" and any(one.kind == "METRIC" and one.value for one in node.readings)]
    if len(words) != 1 or any(node.cat == "JUNK" for node in nodes):
        return None
    model = lexicon.model
    dims = [one.dim for node in nodes for one in node.readings if one.kind == "NOUN" and one.dim]
    texts = [
        f"{model.metrics[one.id].label}{f' by {model.dimensions[dims[0]].label}' if dims else ''}" for one in words[0].readings if one.value
    ]
    planned = [one for one in (_read(text, lexicon, today) for text in texts) if isinstance(one, Planned)]
    options = tuple(Option(str(number), in_words(one.query, lexicon.model), one.query) for number, one in enumerate(planned, 1))
    return Clarify(f"{words[0].text!r} can mean several things. Which one?", options) if options else None


def _candidates(nodes: list[Node], lexicon: Lexicon, today: datetime.date, stops: list[Stop]) -> Iterator[_Candidate]:
    try:
        nodes = without_repeats(nodes)
        reading = Reading(nodes, lexicon, today)
        draft = combined(reading, parts_of(reading))
        for (query, notes), choices in every(lambda choices: _built(Assembly(draft, lexicon, today, choices))):
            yield _Candidate(query, tuple(nodes), draft, (*draft.notes, *notes), tuple(choices.asked))
    except Stop as stop:
        stops.append(stop)


def _built(assembly: Assembly) -> tuple[TypedQuery, tuple[str, ...]]:
    return assembly.query(), tuple(assembly.notes)


def _spans(one: _Candidate, tokens: tuple[Token, ...]) -> tuple[Span, ...]:
    def span(slot: str, first: int, last: int) -> Span:
        return Span(slot, tokens[one.nodes[first].first].start, tokens[one.nodes[max(first, last - 1)].last - 1].end)

    return tuple(span(slot, first, min(last, len(one.nodes))) for slot, first, last in one.draft.spans if first < len(one.nodes))


def _clarify(found: list[_Candidate], lexicon: Lexicon, nodes: list[Node]) -> Clarify:
    asked = [text for one in found for text in one.asked]
    options = tuple(Option(str(number), in_words(one.query, lexicon.model), one.query) for number, one in enumerate(found[:_OPTIONS], 1))
    words = [node.text for node in nodes if node.cat == "LEX" and len(node.readings) > 1]
    question = asked[0] if asked else f"{' and '.join(repr(word) for word in words[:2])} can mean several things. Which one?"
    return Clarify(question, options)


def _refused(stops: list[Stop]) -> Refused:
    if not stops:
        return Refused("not_understood", "too many words of this question have several meanings: ask for less at once")
    order = ("not_permitted", "not_in_data", "needs_definition", "unknown_value", "not_understood", "ambiguous")
    best = min(stops, key=lambda stop: order.index(stop.reason) if stop.reason in order else 9)
    return Refused(best.reason, best.message, best.word)
