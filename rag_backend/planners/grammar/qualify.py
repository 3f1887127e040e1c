"""Nouns and metrics that ask for no number of their own: what they say about the lines, and the metric that a word and a noun make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag_backend.planners.grammar.draft import Stop
from rag_backend.planners.grammar.model_of import as_filter
from rag_backend.planners.grammar.parts import Dated, Measure, Part, Predicate, Split, Target, Thing, Values, When
from rag_backend.planners.grammar.tokens import tokens_of
from rag_backend.query.typed_query import Condition

if TYPE_CHECKING:
    from rag_backend.planners.grammar.state import State

_LEADS = ("PREP", "WITH", "HAVE", "THAT", "BY", "LIGHT", "COP", "TO", "BETWEEN")


def qualifying(c: State, part: Target, metric: str) -> list[Condition]:
    """The conditions that a qualifier puts on the lines; none for a noun that all lines have.

    Raises:
        Stop: it could be a number of its own, or it is not clear which of them are meant.
    """
    of_each = isinstance(part, Thing) and isinstance(c.before(part), Split) and not part.lead and not part.dim
    if not of_each and not c.leads & set(_LEADS) and not part.led_by_word("do", "does", "did") and not _of_values_left_out(c, part):
        raise c.stop(part)
    if isinstance(part, Measure):
        declared = c.model.metrics[metric]
        of_it = c.draft.asks and metric in c.model.parts(c.draft.asks[-1].id)[1:]
        if of_it or (declared.count and not declared.where):
            return []
        found = as_filter(c.model, metric) if declared.count else None
        if found is None:
            raise c.stop(part)
        return [found]
    if not part.entity:
        if part.led_by("ALL") and part.led_by("PREP"):
            return []
        raise c.stop(part)
    before = c.before(part)
    if part.dim and isinstance(before, Split) and not part.plural and all(_of_entity(c, dim, part.entity) for dim, _ in before.groups):
        return []
    if part.dim and not _described(c):
        raise Stop("not_understood", f"which {c.model.entities[part.entity].label} are meant is not said", c.text(part))
    if c.leads & {"WITH", "HAVE"} and not c.model.entities[part.entity].dated:
        raise c.stop(part)
    return []


def _of_values_left_out(c: State, part: Target) -> bool:
    before = c.before(part)
    return isinstance(before, Values) and before.negated and not part.lead


def _of_entity(c: State, dim: str, entity: str) -> bool:
    """Whether a dimension is said by the entity's own table: the state of a branch."""
    join = c.model.dimensions[dim].join if dim else ""
    return bool(join) and c.model.joins[join].table == c.model.entities[entity].table


def _described(c: State) -> bool:
    """Whether values of what a joined table says stand beside a noun."""
    conditions = [condition for one in c.parts if isinstance(one, Values) for group in one.where for condition in group]
    return any(c.model.dimensions[condition.dim].join for condition in conditions)


def bound_metric(c: State) -> None:
    """`loans that were late`, `late crime loans`: a value and a counted noun that together are the name of a metric."""
    kinds = [one for one in c.parts if isinstance(one, (Values, Dated, Predicate))]
    if apart := next((one for one in kinds if _apart(c, one)), None):
        raise c.stop(apart)
    for ask in c.draft.asks:
        counted = c.model.metrics[ask.id].count
        share = ask.transform == "share_of_total" and not ask.of
        if not counted or (ask.transform != "none" and not share) or (c.model.metrics[ask.id].where and not share):
            continue
        roles = {one.at: one.role for one in c.draft.filters}
        bound = [(one, name) for one in kinds if one in c.parts and (name := _named(c, counted, one))]
        bound = [(one, name) for one, name in bound if not share or (isinstance(one, (Dated, Predicate)) or roles.get(one.first) == "part")]
        if len(bound) != 1:
            continue
        if len(c.draft.asks) > 1:
            _for_all(c, *bound[0])
            continue
        part, name = bound[0]
        _by_its_verb(c, part)
        c.draft.filters = [one for one in c.draft.filters if one.at != part.first]
        c.parts = [one for one in c.parts if one is not part]
        for test in c.draft.tests:
            test.metric = name if test.metric == ask.id and not share else test.metric
        c.draft.order = [(name if one == ask.id else one, desc) for one, desc in c.draft.order]
        ask.of, ask.id = (ask.id, name) if share else ("", name)
        c.span(f"metric {name}", part)


def _apart(c: State, part: Part) -> bool:
    """`loans, and those fined`: what is joined to a number is another one."""
    numbers = c.r.node(part.last - 1).may_be_number
    return part.led_by("AND") and numbers and isinstance(c.before(part), (Thing, Measure, Split))


def _by_its_verb(c: State, part: Part) -> None:
    """`returned by readers of A in March`: a verb with words between it and the window may name the date, or not."""
    following = c.after(part)
    adjective = isinstance(following, Thing) and not following.lead
    pairs = zip(c.parts, c.parts[1:], strict=False)
    adjective = adjective or any(isinstance(one, When) and isinstance(two, (Thing, Measure)) and not two.lead for one, two in pairs)
    word = tokens_of(c.r.node(part.last - 1).text)[-1].norm
    if not adjective and not c.draft.date and c.draft.periods and word in c.lexicon.verbs:
        c.draft.maybe_date = c.lexicon.verbs[word]


def _for_all(c: State, part: Part, name: str) -> None:
    """`late, by branch: loans and fines`: the word limits all numbers, where it is no more than a test of the lines."""
    own = as_filter(c.model, name)
    if own is None or not any(one.at == part.first and one.group == (own,) for one in c.draft.filters):
        raise Stop("not_understood", "it is not clear whether this holds for all numbers", c.text(part))


def _named(c: State, counted: str, part: Values | Dated | Predicate) -> str:
    if isinstance(part, Predicate):
        return part.metric if c.model.metrics[part.metric].count == counted else ""
    if isinstance(part, Values) and (part.named or part.negated or part.only is None or len(part.only.values) > 1):
        return ""
    entity = c.model.entities[counted]
    words = [token.norm for token in tokens_of(c.r.node(part.last - 1).text)]
    names = [c.lexicon.metric(*words, *(token.norm for token in tokens_of(noun))) for noun in (entity.label, *entity.words)]
    return next((name for name in names if name), "")
