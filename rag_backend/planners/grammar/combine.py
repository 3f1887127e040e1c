"""Parts to a draft: what hangs on what. Order matters only where a part needs a neighbour: a threshold, a superlative, a share."""

from __future__ import annotations

from dataclasses import replace

from rag_backend.planners.grammar.conditions import values
from rag_backend.planners.grammar.draft import Draft, Reading, Stop
from rag_backend.planners.grammar.marks import mark
from rag_backend.planners.grammar.model_of import ratio_of
from rag_backend.planners.grammar.parts import Dated, Extreme, Mark, Measure, Part, Predicate, Split, Thing, Threshold, Values, When
from rag_backend.planners.grammar.qualify import bound_metric
from rag_backend.planners.grammar.ranking import extreme, first_of_all, threshold
from rag_backend.planners.grammar.splits import split, when
from rag_backend.planners.grammar.state import State
from rag_backend.planners.grammar.targets import target
from rag_backend.query.typed_query import PERIODS

TWO = 2
_INTO = ("in ", "on ", "for ", "of ", "from ", "during ")


def combined(r: Reading, parts: list[Part]) -> Draft:
    """What parts make, as a draft.

    Raises:
        Stop: a part has nothing to belong to, or could belong to two things.
    """
    c = State(r, parts)
    for place, part in enumerate(c.parts):
        c.joined = c.joined or part.led_by("AND", "OR")
        before = c.before(part)
        marked = isinstance(before, Mark) and before.kind in ("BY", "PER")
        if not marked and not isinstance(before, (Values, When, Dated)):
            c.leads = set()
        c.leads |= {"PREP", before.kind} if marked and isinstance(before, Mark) else set()
        c.leads |= {node.cat for node in part.lead} | _led_by_window(c, part)
        _part(c, place, part)
        c.split_last = isinstance(part, Split)
    commands = [node.text.casefold() for part in c.parts[:1] for node in part.lead]
    if any(text.startswith(("show", "give", "display", "get me", "find", "let me see")) for text in commands):
        c.draft.flags.add("shown")
    _rest(c)
    return c.draft


def _part(c: State, place: int, part: Part) -> None:
    if isinstance(part, (Measure, Thing)):
        target(c, place, part)
    elif isinstance(part, Values):
        values(c, place, part)
    elif isinstance(part, Split):
        split(c, part)
    elif isinstance(part, When):
        when(c, place, part)
    elif isinstance(part, Dated):
        c.date(part.dim, part, by_verb=part.verb)
    elif isinstance(part, Threshold):
        threshold(c, place, part)
    elif isinstance(part, Extreme):
        extreme(c, place, part)
    elif isinstance(part, Mark):
        mark(c, place, part)


def _led_by_window(c: State, part: Part) -> set[str]:
    """`the fines on 2025 loans`: the preposition is read with the window."""
    before = c.before(part)
    inside = isinstance(before, When) and not part.lead and bool(c.draft.asks)
    return {"PREP"} if inside and before and c.r.node(before.first).text.casefold().startswith(_INTO) else set()


def _rest(c: State) -> None:
    """What still waits at the end has nothing to belong to."""
    draft, wait = c.draft, c.wait
    _two_verbs(c)
    _second_question(c)
    bound_metric(c)
    if wait.measure or wait.of or wait.per:
        raise c.unfinished()
    if wait.extreme and wait.extreme.kind == "top" and draft.groups and wait.extreme.n:
        first_of_all(c, wait.extreme)
        wait.extreme = None
    if wait.number and (draft.order or ("ranked" in draft.flags and draft.groups)):
        draft.limit, wait.number = wait.number, 0
    if wait.stats and len(draft.asks) == 1:
        draft.asks[0].stats += wait.stats
        wait.stats = []
    if wait.share and len(draft.asks) == 1:
        draft.asks[0].transform, wait.share = "share_of_total", False
    if wait.figures and wait.figures != sum(max(1, len(ask.stats)) for ask in draft.asks):
        raise Stop("not_understood", f"{wait.figures} numbers are announced, and not as many are named")
    _verbs_say_something(c)
    words = (wait.count, wait.much, wait.stats, wait.test, wait.extreme, wait.share, wait.absent, wait.order, wait.number)
    if any(words) or wait.year_before:
        raise c.unfinished()
    if any(ask.of == "?" for ask in draft.asks):
        raise Stop("not_understood", "the share of what? name the whole")


def _verbs_say_something(c: State) -> None:
    """A verb that only says which date is meant, without a window, would say nothing; and a part of a total is no word for a number."""
    draft = c.draft
    timed = bool(draft.periods) or any(dim == "" or c.model.dimensions[dim].type == "date" for dim, _ in draft.groups)
    timed = timed or bool(draft.flags & {"run", "trend", "change"}) or any(ask.per in PERIODS for ask in draft.asks)
    for part in c.parts:
        if isinstance(part, Predicate):
            raise c.stop(part)
        if isinstance(part, Dated) and part.verb and (not timed or part in c.unsaid):
            raise c.stop(part)
    _ratio_or_both(c)
    shares = [ask for ask in draft.asks if ask.transform == "share_of_total" and not c.model.metrics[ask.id].count]
    for one in draft.filters:
        node = c.r.node(one.at)
        if shares and one.role and node.cat == "VALUE" and node.may_be_number:
            raise Stop("not_understood", "the share of which number?", node.text)


def _two_verbs(c: State) -> None:
    """`received and returned in March`: two dates, of which a window can be only one."""
    for part in c.parts:
        before = c.before(part)
        pair = [one for one in (before, part) if one is not None and _is_verb(c, one)]
        dated = any(isinstance(one, Dated) for one in pair)
        again = isinstance(part, Dated) and part.verb and isinstance(before, Measure)
        if part.led_by("AND") and (again or (len(pair) == TWO and dated)):
            raise Stop("not_understood", "two things that are done at two dates: which one is meant?", c.text(part))


def _second_question(c: State) -> None:
    """`how many readers are there, and how much was paid for crime`: what is said after the second is not said of the first."""
    again = [part.first for part in c.parts if isinstance(part, Mark) and part.kind in ("HOWMANY", "MUCH") and part.and_said]
    said = [*(one.at for one in c.draft.filters), *(at for _, at in c.draft.periods)]
    if again and len(c.draft.asks) > 1 and any(at > again[-1] for at in said):
        raise Stop("not_understood", "two questions: what is said after the second may not hold for the first")


def _is_verb(c: State, part: Part) -> bool:
    word = c.r.node(part.last - 1).text.casefold().split()[-1]
    return (isinstance(part, Dated) and part.verb) or (isinstance(part, (Values, Measure, Predicate)) and word in c.lexicon.verbs)


def _ratio_or_both(c: State) -> None:
    """`fined / paid`: the one divided by the other, or both?"""
    asks = c.draft.asks
    ratio = ratio_of(c.model, asks[0].id, asks[1].id) if len(asks) == TWO else ""
    if "ratio" in c.draft.flags:
        if not ratio:
            raise Stop("not_understood", "the ratio of which two numbers? name one that is declared", "ratio")
        c.draft.asks = [replace(asks[0], id=ratio)]
        return
    if not ratio:
        return
    second = next(part for part in c.parts if part.first == asks[1].first)
    if any(node.text == "/" for node in second.lead):
        raise Stop("not_understood", "say `divided by` for the ratio, or `and` for both numbers", "/")
