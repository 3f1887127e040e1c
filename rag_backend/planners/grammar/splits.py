"""What numbers are split by, and the stretches of time that they are of."""

from __future__ import annotations

from rag_backend.planners.grammar.draft import Stop
from rag_backend.planners.grammar.parts import Dated, Mark, Measure, Split, Values, When
from rag_backend.planners.grammar.state import State


def split(c: State, part: Split) -> None:
    draft = c.draft
    if "mean" in c.wait.stats and not part.each and c.r.node(part.first).cat.startswith("ADV_"):
        raise Stop("not_understood", "an average over periods is not computed: ask for each period", c.text(part))
    if part.date:
        c.date(part.date, part)
    averaged = draft.asks and (draft.asks[-1].stats or draft.asks[-1].averaged or not part.groups or c.mean_follows())
    named_per = bool(draft.asks) and "per" in draft.asks[-1].text.casefold().split()
    if part.entity and named_per:
        raise Stop("not_understood", "two averages have to be asked separately", c.text(part))
    if part.entity and averaged and (not part.groups or not draft.asks[-1].per) and part.first > draft.asks[-1].first:
        draft.asks[-1].per = part.entity
        c.span("unit", part)
        return
    if not part.groups:
        raise Stop("not_understood", f"{c.text(part)!r}: each of them has no name to show", c.text(part))
    if part.entity and draft.asks and any(isinstance(one, Split) and one is not part for one in c.parts):
        ask = draft.asks[-1]
        if c.model.metrics[ask.id].count and c.parts[c.parts.index(part) - 1].first == ask.first and not part.lead:
            raise Stop("not_understood", "on average for each of them, or a row for each? say `average` or `by`", c.text(part))
    for group in part.groups:
        c.group(group)
        if part.each or (draft.subject is None and not draft.asks):
            draft.per.append(group)
    draft.group_at = max(draft.group_at, part.first)
    c.span("group_by", part)


def when(c: State, place: int, part: When) -> None:
    draft = c.draft
    earlier = [part for part in c.parts[:place] if not (isinstance(part, Mark) and part.kind in ("BY", "PER"))]
    before = earlier[-1] if earlier else None
    if isinstance(before, Values) and before.negated and c.r.node(before.last - 1).text.casefold() in c.lexicon.verbs:
        raise Stop("not_understood", "not at all, or not in that time? say it the other way round", c.text(part))
    if before is not None and isinstance(before, (Measure, Values)) and not part.led_by("AND"):
        c.verb(before.last - 1)
    if isinstance(before, Dated):
        draft.date, c.by_verb, c.dated = before.dim, False, True
    draft.periods.append((part.period, part.first))
    c.span("time", part)
