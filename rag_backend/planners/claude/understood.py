"""A reply of the model as an outcome, or what is wrong with it. Nothing of it is believed: names, values, words and SQL are all checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_backend.model.base import ModelReply
from rag_backend.planners.base import AdHoc, Clarify, Option, Outcome, Planned, Refused, Span
from rag_backend.planners.claude import tools
from rag_backend.planners.claude.coverage import Asked, coverage
from rag_backend.planners.claude.placeholders import Masked
from rag_backend.planners.claude.reading import Cited, Malformed, cited_in, query_of
from rag_backend.query.expressions import all_where
from rag_backend.query.problems import problems_of
from rag_backend.query.typed_query import TypedQuery
from rag_backend.query.words import in_words

_OPTIONS, _TOLD, _SHOWN = 5, 3, 200
_UNFIT = re.compile(r"https?:|www\.|[<>{}`\[\]]|[^\x20-\x7e]")


@dataclass(frozen=True)
class Problem:
    """Why a reply cannot be used, in words that the model can act on."""

    text: str


@dataclass(frozen=True)
class Answering:
    """A question, and what a reply to it is held against. `own` is the grammar's query, where it has one."""

    question: str
    masked: Masked
    asked: Asked
    lanes: frozenset[str]
    check: Callable[[str], str]
    own: TypedQuery | None = None


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
    except (KeyError, TypeError, ValueError, AttributeError):
        return Problem(f"the input of {calls[0].name} does not have the tool's form")


def _query(given: Mapping[str, Any], answering: Answering) -> Outcome | Problem:
    query = query_of(given["query"], answering.masked)
    wrong = _wrong(query, answering)
    if wrong:
        return Problem("; ".join(wrong[:_TOLD]))
    cited, unfound = cited_in(given["spans"], answering.question, answering.masked)
    covered = coverage(answering.asked, query, cited)
    if problems := (*unfound, *covered.problems):
        return Problem("; ".join(problems[:_TOLD]))
    own = answering.own
    if own is not None and not _equal(own, query):
        return _asked_back("This can be read in two ways. Which one?", (own, query), answering)
    if covered.undeclared:
        words = ", ".join(repr(word) for word in covered.undeclared[:_TOLD])
        return _asked_back(f"{words}: nothing declared is called so. Is this what was meant?", (query,), answering)
    return Planned(own or query, _spans(cited))


def _wrong(query: TypedQuery, answering: Answering) -> list[str]:
    return problems_of(query, answering.asked.lexicon.model) or list(_unknown_values(query, answering))


def _unknown_values(query: TypedQuery, answering: Answering) -> Iterator[str]:
    """Values that the release does not hold; they are not repeated."""
    known = answering.asked.lexicon.values.of
    for one in all_where(query):
        held = {entry.value for entry in known.get(one.dim, ())}
        if held and one.op in ("in", "not_in", "has") and not {str(value) for value in one.values} <= held:
            yield f"{one.dim} has no such value in the data: use values as they stand in the question or in <known>"


def _equal(one: TypedQuery, other: TypedQuery) -> bool:
    return _plain(one) == _plain(other)


def _plain(query: TypedQuery) -> TypedQuery:
    """Without what changes no number: a date that limits nothing, the order of conditions, an order that no limit cuts."""
    update: dict[str, Any] = {"where": tuple(sorted(query.where, key=repr))}
    if query.time.start is None and query.time.until is None and not query.compare and not query.unit.period:
        update["time"] = query.time.model_copy(update={"date": ""})
    if not query.limit.n:
        update["order_by"] = ()
    return query.model_copy(update=update)


def _spans(cited: Sequence[Cited]) -> tuple[Span, ...]:
    return tuple(Span(one.slot, one.start, one.end) for one in cited)


def _asked_back(text: str, queries: Sequence[TypedQuery], answering: Answering) -> Clarify:
    model = answering.asked.lexicon.model
    return Clarify(text, tuple(Option(str(number), in_words(query, model), query) for number, query in enumerate(queries, 1)))


def _clarify(given: Mapping[str, Any], answering: Answering) -> Outcome | Problem:
    """The readings are the model's, in our words: its own could say anything."""
    queries = [query_of(one["query"], answering.masked) for one in given["options"][:_OPTIONS]]
    different = [query for place, query in enumerate(queries) if not any(_equal(query, one) for one in queries[:place])]
    wrong = [problem for query in different for problem in _wrong(query, answering)]
    if wrong:
        return Problem("; ".join(wrong[:_TOLD]))
    if len(different) < 2:
        return Problem("a question back has two or more readings that differ")
    return _asked_back("This can be read in several ways. Which one?", different, answering)


def _refuse(given: Mapping[str, Any], answering: Answering) -> Outcome | Problem:
    if given["reason_code"] not in tools.REFUSED_BY_MODEL:
        return Problem("there is no such reason")
    if answering.own is not None:
        return Planned(answering.own)
    word = str(given["word"])
    word = word if word and word in answering.question else ""
    return Refused(given["reason_code"], _wording(str(given["message"])), word)


def _wording(text: str) -> str:
    """The model's own words of a refusal, if they are one plain sentence; else ours."""
    plain = " ".join(text.split())
    if not plain or len(plain) > _SHOWN or _UNFIT.search(plain):
        return "the question cannot be answered from what is declared here"
    return plain


def _sql(given: Mapping[str, Any], answering: Answering) -> Outcome | Problem:
    if answering.own is not None:
        return Planned(answering.own)
    sql = answering.masked.restored(str(given["sql"]))
    problem = answering.check(sql)
    return Problem(f"the SQL is refused: {problem}") if problem else AdHoc(sql)
