"""Words for numbers: one more that is asked for, or what a threshold, a superlative or a share waited for."""

from __future__ import annotations

from rag_backend.planners.grammar.conditions import qualifier
from rag_backend.planners.grammar.draft import Ask
from rag_backend.planners.grammar.model_of import as_filter
from rag_backend.planners.grammar.nouns import asked_later, noun
from rag_backend.planners.grammar.parts import Measure, Target, Thing, Threshold, Values
from rag_backend.planners.grammar.ranking import absent, extreme_of, placed
from rag_backend.planners.grammar.state import AVERAGES, State
from rag_backend.planners.grammar.tokens import tokens_of


def target(c: State, place: int, part: Target) -> None:
    metric = part.metric if isinstance(part, Measure) else c.lexicon.base_count(part.entity) if part.entity else ""
    taken = _waited_for(c, part, metric)
    if not taken and isinstance(part, Measure):
        _number(c, place, part, metric)
    elif not taken and isinstance(part, Thing) and part.entity and not part.dim and not c.draft.asks and _ranked_on(c, part):
        c.ask(Ask(metric, noun=part.entity, counted=True), part)
    elif not taken and isinstance(part, Thing):
        noun(c, place, part, metric)
    c.joined = False


def _waited_for(c: State, part: Target, metric: str) -> bool:
    """Whether a threshold, a superlative or the like waited for this part."""
    wait = c.wait
    if wait.absent and metric:
        absent(c, part, metric)
    elif wait.test and metric:
        c.test(metric, wait.test, wait.after_split)
        wait.test = None
    elif wait.order and metric and wait.order.text.startswith("rank") and c.draft.groups and not (c.draft.asks or c.draft.subject):
        c.ask(Ask(metric, transform="rank"), part)
        wait.order = None
    elif wait.order and metric and not is_group(c, part):
        placed(c, part, metric)
        wait.order = None
    elif wait.extreme:
        extreme_of(c, part, metric, wait.extreme)
    else:
        return False
    c.wait.count = c.wait.much = False
    return True


def is_group(c: State, part: Target) -> bool:
    return isinstance(part, Thing) and bool(part.dim) and (part.dim, "none") in c.draft.groups and not c.wait.count


def _number(c: State, place: int, part: Measure, metric: str) -> None:
    declared, wait = c.model.metrics[metric], c.wait
    if wait.count and not _countable(c, metric):
        raise c.stop(part)
    if part.led_by("DISTINCT") and not declared.count:
        raise c.stop(part)
    if _one_more_value(c, place, part, metric):
        return
    own = as_filter(c.model, metric) if declared.count else None
    if own is not None and not wait.stats and not wait.share and asked_later(c, part):
        c.filter((own,), part)
        c.limits.add(part.first)
        return
    c.joined = c.joined or ("ratio" in c.draft.flags and part.led_by("TO"))
    before = c.draft.asks[-1] if c.draft.asks else None
    following = c.after(part)
    if before is not None and isinstance(following, Threshold) and not c.begins(part) and c.next_target(place + 1) is None:
        wait.measure = metric
        return
    if before is not None and before.id == metric and not part.lead and c.parts[place - 1].last == part.first:
        if c.r.node(before.first).reading.value:  # `worst late rate`: a judgement, not one more word for the number
            raise c.stop(part)
        return
    if before is not None and before.transform.startswith("share") and not c.joined and not before.of:
        _part_of(c, part, before)
    elif (before is not None and not c.begins(part)) or (
        before is None and part.led_by("PREP") and c.draft.head and not wait.count and not _ranked_on(c, part)
    ):
        qualifier(c, part, metric)
    else:
        averaged = tokens_of(c.r.node(part.first).text)[0].norm in AVERAGES
        noun = declared.count if declared.count and not declared.where else ""
        c.ask(Ask(metric, averaged=averaged, counted=wait.count or bool(noun), noun=noun), part)


def _ranked_on(c: State, part: Target) -> bool:
    """`rank the branches on fines`."""
    return "ranked" in c.draft.flags and not c.draft.order and [node.text.casefold() for node in part.lead if node.cat == "PREP"] == ["on"]


def _countable(c: State, metric: str) -> bool:
    """Whether "how many" asks for it: a count, a number of units or days, counts for each of something."""
    declared = c.model.metrics[metric]
    if declared.ratio:
        return declared.unit == "count" and bool(c.model.metrics[declared.ratio[0]].count)
    return bool(declared.count or declared.per) or (bool(declared.sum) and declared.unit == "count") or declared.unit == "days"


def _one_more_value(c: State, place: int, part: Measure, metric: str) -> bool:
    """`open and late loans`: values of one dimension, the last of which makes a metric's name with its noun."""
    before, own = c.before(part), as_filter(c.model, metric)
    known = before.only if isinstance(before, Values) else None
    if own is None or known is None or known.dim != own.dim or own.op != "in" or not part.led_by("AND", "OR"):
        return False
    for one in c.draft.filters:
        if one.at == c.parts[place - 1].first:
            one.group = (known.model_copy(update={"values": (*known.values, *own.values)}),)
    noun = c.model.metrics[metric].count
    if isinstance(before, Values) and before.negated and c.draft.asks:
        return True
    c.joined = not c.draft.asks or c.wait.count
    if c.joined:
        c.ask(Ask(c.lexicon.base_count(noun), noun=noun, counted=True), part)
    return True


def _part_of(c: State, part: Measure, whole: Ask) -> None:
    """`what percentage of loans are late loans`, `what share of fines is on late loans`: the part of a whole that was named."""
    own = as_filter(c.model, part.metric) if c.model.metrics[part.metric].count and c.model.metrics[whole.id].sum else None
    if own is not None:
        c.filter((own,), part, "part")
    else:
        whole.of, whole.id = whole.id, part.metric
    c.span("transform", part)
