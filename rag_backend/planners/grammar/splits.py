"""What numbers are split by, and the stretches of time that they are of."""

from __future__ import annotations

from dataclasses import replace

from rag_backend.planners.grammar.calendar import label, year_back
from rag_backend.planners.grammar.draft import Stop
from rag_backend.planners.grammar.model_of import entities_in
from rag_backend.planners.grammar.parts import Dated, Extreme, Mark, Measure, Part, Split, Thing, Threshold, Values, When
from rag_backend.planners.grammar.state import State


def split(c: State, part: Split) -> None:
    draft = c.draft
    if c.wait.stats and not part.each and c.r.node(part.first).cat.startswith("ADV_"):
        c.wait.per = part.groups[0][1]
        c.span("unit", part)
        return
    if part.date:
        c.date(part.date, part)
    _said_by_verb(c, part)
    averaged = draft.asks and (draft.asks[-1].stats or draft.asks[-1].averaged or not part.groups or c.mean_follows())
    named_per = bool(draft.asks) and "per" in draft.asks[-1].text.casefold().split()
    if part.entity and named_per:
        raise Stop("not_understood", "two averages have to be asked separately", c.text(part))
    if averaged and _total_or_single(c, part):
        raise Stop(
            "not_understood",
            "one on average, for each of them, or the sum of each on average? say `average monthly …` or `by month`",
            c.text(part),
        )
    if averaged and _of_periods(c, part):
        c.set_per(part.period, part)
        c.span("unit", part)
        return
    if part.entity and averaged and (not part.groups or not draft.asks[-1].per) and part.first > draft.asks[-1].first:
        c.set_per(part.entity, part)
        c.span("unit", part)
        return
    if not part.groups:
        raise Stop("not_understood", f"{c.text(part)!r}: each of them has no name to show", c.text(part))
    if part.entity and draft.asks and any(isinstance(one, Split) and one is not part for one in c.parts):
        ask = draft.asks[-1]
        if c.model.metrics[ask.id].count and c.parts[c.parts.index(part) - 1].first == ask.first and not part.lead:
            raise Stop("not_understood", "on average for each of them, or a row for each? say `average` or `by`", c.text(part))
    if part.each and draft.asks:
        draft.flags.add("each after")
    for group in part.groups:
        c.group(group)
        if part.each or (draft.subject is None and not draft.asks):
            draft.per.append(group)
    draft.group_at = max(draft.group_at, part.first)
    c.span("group_by", part)


def _total_or_single(c: State, part: Split) -> bool:
    """`average fine per month`: the words name no thing that it is of each of."""
    ask = c.draft.asks[-1]
    declared = c.model.metrics[ask.id]
    return bool(part.period and declared.ratio) and declared.unit != "rate" and not entities_in(c.model, ask.text)


def _said_by_verb(c: State, part: Split) -> None:
    """`returned in each quarter`: the quarters in which that was done."""
    before, word = c.before(part), c.r.node(part.first).text.casefold()
    timed = any(dim == "" for dim, _ in part.groups) and word.startswith(("in each", "in every", "each", "every"))
    if timed and isinstance(before, (Measure, Values)) and not part.lead:
        c.verb(before.last - 1)


def _of_periods(c: State, part: Split) -> bool:
    """`loans per month on average`: one number, not one for each month."""
    ask = c.draft.asks[-1]
    return bool(part.period and c.model.metrics[ask.id].count) and not ask.per and part.first > ask.first


def when(c: State, place: int, part: When) -> None:
    draft = c.draft
    earlier = [part for part in c.parts[:place] if not (isinstance(part, Mark) and part.kind in ("BY", "PER"))]
    before = earlier[-1] if earlier else None
    if isinstance(before, Values) and before.negated and c.r.node(before.last - 1).text.casefold() in c.lexicon.verbs:
        raise Stop("not_understood", "not at all, or not in that time? say it the other way round", c.text(part))
    following = c.after(part)
    noun = (isinstance(following, Thing) and bool(following.entity)) or (isinstance(following, Dated) and not following.verb)
    of_noun = noun and following is not None and not following.lead  # `paid on 2025 loans`: loans of 2025
    verb = earlier[-2] if len(earlier) > 1 and isinstance(before, (Extreme, Threshold)) else None
    if isinstance(verb, Measure) and not draft.date:
        draft.maybe_date = c.lexicon.verbs.get(c.text(verb).casefold(), "")  # `paid the most in March`
    if before is not None and isinstance(before, (Measure, Values)) and not part.led_by("AND") and not of_noun:
        c.verb(_verb_of(c, earlier).last - 1)
    if isinstance(before, Dated):
        draft.date, c.by_verb, c.dated = before.dim, False, True
    draft.periods.append((part.period, part.first))
    if c.wait.year_before:
        shifted_back(c, part)
        c.wait.year_before = False
    c.span("time", part)


def _verb_of(c: State, earlier: list[Part]) -> Part:
    """`paid by readers of A in March`: by whom stands between the verb and the window."""
    before, verb = earlier[-1], earlier[-2] if len(earlier) > 1 else None
    mark = c.before(before)
    passive = isinstance(before, Values) and isinstance(mark, Mark) and mark.kind == "BY" and c.before(mark) is verb
    return verb if passive and isinstance(verb, Measure) else before


def shifted_back(c: State, part: Part) -> None:
    """The only period there is against the same one a year before."""
    period = c.draft.periods[0][0]
    if period.start is None or period.until is None:
        raise Stop("not_understood", "a whole period with its year is needed to compare it with the one a year before", c.text(part))
    start, until = year_back(period.start), year_back(period.until)
    whole = period.unit in ("month", "quarter", "half", "year") and period.label == label(period.start, period.unit)
    named = label(start, period.unit) if whole else f"{period.label}, a year before"
    before = replace(period, start=start, until=until, label=named, ends=())
    c.draft.periods = [(replace(period, ends=()), c.draft.periods[0][1]), (before, part.first)]
    c.draft.flags.add("vs")
