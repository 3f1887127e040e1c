"""A reply of the model as an outcome, or what is wrong with it. Nothing of it is believed: names, values, words and SQL are all checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_backend.model.base import ModelReply
from rag_backend.planners.base import AdHoc, Clarify, Option, Outcome, Planned, Refused, Span
from rag_backend.planners.claude import tools
from rag_backend.planners.claude.asked import Asked, meant
from rag_backend.planners.claude.coverage import additions, coverage
from rag_backend.planners.claude.elements import elements_of
from rag_backend.planners.claude.literals import stands, strange_text
from rag_backend.planners.claude.placeholders import Masked
from rag_backend.planners.claude.plain_words import declared_words, says_only
from rag_backend.planners.claude.reading import Cited, Malformed, cited_in, query_of
from rag_backend.query.expressions import all_where
from rag_backend.query.problems import problems_of
from rag_backend.query.typed_query import Condition, TypedQuery
from rag_backend.query.words import in_words

_OPTIONS, _MOST, _SHOWN = 5, 3, 200


@dataclass(frozen=True)
class Problem:
    """Why a reply cannot be used, in words that the model can act on."""

    text: str


@dataclass(frozen=True)
class Answering:
    """A question, and what a reply to it is held against. `own` is the grammar's query, where it has one; else `nearest` its questions."""

    question: str
    masked: Masked
    asked: Asked
    lanes: frozenset[str]
    check: Callable[[str], str]
    own: TypedQuery | None = None
    nearest: tuple[str, ...] = ()
    dialect: str = "duckdb"


def understood(reply: ModelReply, answering: Answering) -> Outcome | Problem:
    """What a reply says."""
    calls = reply.calls
    if len(calls) != 1:
        return Problem(f"one tool is called, not {len(calls)}")
    read = {tools.QUERY: _query, tools.CLARIFY: _clarify, tools.REFUSE: _refuse, tools.SQL: _sql}.get(calls[0].name)
    if read is None or (calls[0].name == tools.SQL and "ad_hoc" not in answering.lanes):
        return Problem("there is no such tool")
    try:
        return read(calls[0].input, answering)
    except Malformed as error:
        return Problem(str(error))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
        return Problem(f"the input of {calls[0].name} does not have the tool's form")


def _query(given: Mapping[str, Any], answering: Answering) -> Outcome | Problem:
    query = query_of(given["query"], answering.masked)
    wrong = _wrong(query, answering)
    if wrong:
        return Problem("; ".join(wrong[:_MOST]))
    cited, unfound = cited_in(given["spans"], answering.question, answering.masked)
    covered = coverage(answering.asked, query, cited)
    if problems := (*unfound, *covered.problems):
        return Problem("; ".join(problems[:_MOST]))
    own = answering.own
    if own is not None and not _equal(own, query) and _told(own, answering) != _told(query, answering):
        return _asked_back("This can be read in two ways. Which one?", (own, query), answering)
    if covered.undeclared and own is None:
        words = ", ".join(repr(word) for word in covered.undeclared[:_MOST])
        return _asked_back(f"{words}: nothing declared is called so. Is this what was meant?", (query,), answering)
    return Planned(own or query, _spans(cited))


def _wrong(query: TypedQuery, answering: Answering) -> list[str]:
    return problems_of(query, answering.asked.lexicon.model) or list(_unknown_values(query, answering))


def _unknown_values(query: TypedQuery, answering: Answering) -> Iterator[str]:
    """Values that neither the release holds nor the question says; they are not repeated."""
    for one in all_where(query):
        if not _known_values(one, answering):
            yield f"{one.dim} has no such value in the data: use values as they stand in the question or in <known>"


def _known_values(one: Condition, answering: Answering) -> bool:
    """Of what is not public even a value that the data hold must be the asker's: a model has no way to know it."""
    lexicon, values = answering.asked.lexicon, {str(value) for value in one.values}
    held = {entry.value for entry in lexicon.values.of.get(one.dim, ())} | set(lexicon.model.values_of(one.dim))
    listed = bool(held) and one.op in ("in", "not_in", "has")
    if listed and (lexicon.model.dimensions[one.dim].privacy == "public" or not values <= held):
        return values <= held
    nodes = answering.asked.nodes
    said = {day.isoformat() for node in nodes for window in meant(node) for day in window if day}
    said |= {reading.value for node in nodes for reading in node.readings}
    return all(value in said or stands(value, answering.question) for value in values)


def _equal(one: TypedQuery, other: TypedQuery) -> bool:
    return _plain(one) == _plain(other)


def _plain(query: TypedQuery) -> TypedQuery:
    """Without what changes no number: a date that limits nothing, the order of conditions, an order that no limit cuts."""
    update: dict[str, Any] = {"where": tuple(sorted(query.where, key=repr))}
    update["compare"] = tuple(window.model_copy(update={"label": ""}) for window in query.compare)
    if query.time.start is None and query.time.until is None and not query.compare and not query.unit.period:
        update["time"] = query.time.model_copy(update={"date": ""})
    if not query.limit.n:
        update["order_by"] = ()
    return query.model_copy(update=update)


def _spans(cited: Sequence[Cited]) -> tuple[Span, ...]:
    return tuple(Span(one.slot, one.start, one.end) for one in cited)


def _asked_back(text: str, queries: Sequence[TypedQuery], answering: Answering) -> Clarify:
    return Clarify(text, tuple(Option(str(number), _told(query, answering), query) for number, query in enumerate(queries, 1)))


def _clarify(given: Mapping[str, Any], answering: Answering) -> Outcome | Problem:
    """The readings are the model's, in our words: its own could say anything. They may leave words out, and add nothing to them; what the
    grammar reads is always one of them.
    """
    queries = [query_of(one["query"], answering.masked) for one in given["options"][:_OPTIONS]]
    wrong = [problem for query in queries for problem in _wrong(query, answering) or _added(query, answering)]
    if wrong:
        return Problem("; ".join(wrong[:_MOST]))
    different: list[TypedQuery] = []
    for query in (*([answering.own] if answering.own else []), *queries):
        if not any(_equal(query, one) or _told(query, answering) == _told(one, answering) for one in different):
            different.append(query)
    if len(different) < 2:
        return Problem("a question back has two or more readings that differ")
    return _asked_back("This can be read in several ways. Which one?", different, answering)


def _told(query: TypedQuery, answering: Answering) -> str:
    return in_words(query, answering.asked.lexicon.model)


def _added(query: TypedQuery, answering: Answering) -> tuple[str, ...]:
    """What no word of the question says, wherever it is looked for."""
    asked = answering.asked
    anywhere = [Cited(element.slot, 0, len(answering.question)) for element in elements_of(query, asked.lexicon.model)]
    return additions(asked, query, anywhere).problems


def _refuse(given: Mapping[str, Any], answering: Answering) -> Outcome | Problem:
    if given["reason_code"] not in tools.REFUSED_BY_MODEL:
        return Problem("there is no such reason")
    if answering.own is not None:
        return Planned(answering.own)
    word = str(given["word"])
    word = word if word and word in answering.question else ""
    return Refused(given["reason_code"], _wording(str(given["message"]), answering), word, answering.nearest)


def _wording(text: str, answering: Answering) -> str:
    """The model's own words of a refusal, if they are plain sentences in words that are ours or the asker's; else ours."""
    plain = " ".join(text.split())
    known = (answering.question, *declared_words(answering.asked.lexicon.model))
    if len(plain) > _SHOWN or not says_only(plain, known):
        return "the question cannot be answered from what is declared here"
    return plain


def _sql(given: Mapping[str, Any], answering: Answering) -> Outcome | Problem:
    if answering.own is not None:
        return Planned(answering.own)
    written = str(given["sql"])
    sql = answering.masked.restored(written)
    if answering.check(sql):  # the validator's words may repeat names that stand in SQL: those of the SQL that the model knows
        told = answering.check(written) or "a placeholder stands in quotes, as a value"
        return Problem(f"the SQL is refused: {told}")
    if strange_text(sql, answering.dialect, answering.question, answering.asked.lexicon):
        return Problem("the SQL is refused: a text in it is neither in the question nor a value of the data; name columns alone")
    return AdHoc(sql)
