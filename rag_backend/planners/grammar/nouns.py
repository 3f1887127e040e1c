"""Nouns in a question: what is counted, what rows are of, what a number is of each of, or what only says of which lines."""

from __future__ import annotations

from rag_backend.planners.grammar.conditions import TOGETHER, qualifier
from rag_backend.planners.grammar.draft import Ask, Stop
from rag_backend.planners.grammar.parts import Extreme, Mark, Measure, Split, Target, Thing, Threshold, Values, When
from rag_backend.planners.grammar.state import State
from rag_backend.planners.grammar.tokens import singular, tokens_of
from rag_backend.query.typed_query import Condition


def noun(c: State, place: int, part: Thing, metric: str) -> None:
    wait, draft = c.wait, c.draft
    following = c.after(part)
    if _only_label(c, part):
        c.limits.add(part.first)
        return
    if _modifies(c, part) or _possessive(c, part):
        return
    if part.and_said and isinstance(c.before(part), Values) and not draft.asks and not draft.subject:
        raise Stop("not_understood", "is the value a number of its own, or does it limit what follows?", c.text(part))
    tested = metric and not (wait.count or wait.which or wait.number) and isinstance(following, Threshold) and not following.led_by("HAVE")
    if tested and (draft.subject or draft.asks) and (target := c.next_target(place + 1)) in (None, *_joined_targets(target)):
        wait.measure = metric
        return
    if wait.absent and part.dim and not part.entity:
        _no_value(c, part)
    elif _goes_without_saying(c, place, part):
        return
    elif "PER" in c.leads and part.entity and draft.asks and _of_each_of(c, part):
        c.set_per(part.entity, part)
    elif "PER" in c.leads and part.dim:
        c.group((part.dim, "none"))
        draft.per.append((part.dim, "none"))
        c.span("group_by", part)
    elif "PER" in c.leads:
        raise Stop("not_understood", f"{c.text(part)!r}: each of them has no name to show", c.text(part))
    elif wait.count:
        _counted(c, part, metric)
    elif wait.which or wait.number or part.led_by_word("what", "which"):
        c.subject(part)
    elif part.entity and "mean" in wait.stats and draft.asks and not part.plural:
        c.set_per(part.entity, part)
        wait.stats = []
        draft.asks[-1].averaged = True
    elif wait.stats or wait.share:
        _counted(c, part, metric)
    elif draft.asks and _of_each(c, part):
        c.set_per(part.entity, part)
    elif (draft.asks and not c.joined) or (part.entity and part.dim and "PREP" in c.leads and not draft.head):
        qualifier(c, part, metric)
    elif part.entity and not part.dim:
        before = c.before(part)
        if isinstance(before, Values) and part.led_by("PREP") and c.r.node(before.last - 1).may_be_number:
            raise c.stop(part)
        if draft.asks and _only_those(c, part):
            c.leads.add("PREP")
            qualifier(c, part, metric)
        elif asked_later(c, part):
            c.limits.add(part.first)
        elif draft.head or draft.subject:
            _qualifier_or_ask(c, part, metric)
        else:
            c.ask(Ask(metric, noun=part.entity), part)
    elif part.entity and draft.asks:
        c.ask(Ask(metric, noun=part.entity), part)
    else:
        c.subject(part)


def _only_label(c: State, part: Thing) -> bool:
    """`branch A readers only: fines by genre`: of whom all that follows is."""
    following = c.after(part)
    titled = isinstance(c.before(part), Values) and bool(part.entity) and not (c.draft.asks or c.draft.subject or c.wait.count)
    return titled and following is not None and [node.text.casefold() for node in following.lead[:2]] == ["only", ":"]


def asked_later(c: State, part: Target) -> bool:
    """`of the loans returned late, what was …`, `loans returned late: …`: they are what the number is of, no number themselves."""
    if c.draft.asks or c.wait.count:
        return False
    if part.led_by_word("among", "of") and _which_after(c, part):
        return True
    numbers = [one for one in c.parts if isinstance(one, Measure) and one.first >= part.last]
    titled = not part.led_by_word("for", "of", "on", "among", "within", "in")
    asked = [one for one in numbers if not one.led_by("PREP", "WITH", "HAVE")]
    number = None if titled and numbers != asked else next(iter(asked), None)
    between = [node.text.casefold() for node in c.r.nodes[part.last : number.first]] if number else []
    if titled:
        return between.count(":") == 1
    return any(text in (",", ":") or text.startswith(("what", "which", "how")) for text in between)


def _which_after(c: State, part: Target) -> bool:
    """`among readers over 65, which branch has the most loans`."""
    which = next((one for one in c.parts if isinstance(one, Mark) and one.kind == "WHICH" and one.first >= part.last), None)
    between = [one for one in c.parts if which and part.last <= one.first < which.first]
    only_limits = all(isinstance(one, (Values, When)) for one in between)
    asked = c.after(which) if which else None
    only_limits = only_limits and isinstance(asked, Thing) and bool(asked.dim or asked.grain)
    return bool(which and only_limits and [node.text for node in which.lead] == [","])


def _only_those(c: State, part: Thing) -> bool:
    """`fines as a share of costs, branch A loans, 2025`: after a comma, of which loans the number is."""
    before = c.before(part)
    titled = isinstance(before, Values) and before.lead and all(node.text == "," for node in before.lead) and not part.lead
    limited = isinstance(c.after(part), Threshold) and part.lead and all(node.text == "," for node in part.lead)
    later = [one for one in c.parts if isinstance(one, (Measure, Thing)) and one.first > part.first and one.led_by("AND")]
    return bool(titled or limited) and not later and not c.wait.count


def _of_each_of(c: State, part: Thing) -> bool:
    """`per reader` after an average, or after a number that is declared for each of them."""
    ask = c.draft.asks[-1]
    averaged = bool(ask.stats) or ask.averaged or c.mean_follows()
    return averaged or (not part.dim and c.has_ratio(ask.id, part.entity))


def _joined_targets(target: Target | None) -> tuple[Target, ...]:
    return (target,) if target is not None and target.led_by("AND", "OR") else ()


def _goes_without_saying(c: State, place: int, part: Thing) -> bool:
    """What was named before: "in percent of the branch's own loans" by branch, "over the months" of a running total."""
    draft = c.draft
    if part.dim and not part.entity and (part.dim, "none") in draft.groups and c.wait.share:
        return True
    if part.dim and part.plural and part.led_by("ALL") and any(node.text.casefold() in TOGETHER for node in c.r.nodes):
        return True
    if draft.head and part.dim in c.model.entities[draft.head].list and not draft.asks and (c.joined or c.leads & {"WITH"}):
        if any(isinstance(one, Extreme) and one.first > part.first for one in c.parts):
            raise Stop("not_understood", "which of the two is looked for, or is one only shown?", c.text(part))
        return True
    if part.grain and draft.flags & {"run", "trend"} and not any(dim == "" for dim, _ in draft.groups):
        c.group(("", part.grain))
        return True
    if part.led_by_word("whose") and draft.subject and not draft.asks and _own_table(c, draft.subject[0], part.entity):
        return True
    before = c.before(part)
    ranked = isinstance(before, Measure) and draft.order and draft.asks and draft.asks[-1].first == before.first
    if part.dim and ranked and draft.subject is None and not part.lead:
        c.subject(part)
        return True
    listed = len(c.parts) > place - 2 >= 0 and isinstance(c.parts[place - 2], (Split, When))
    if part.entity and part.dim and draft.subject and not draft.asks and part.dim not in (draft.subject[0],) and c.leads & {"PREP"}:
        qualifier(c, part, "")
        draft.flags.add("rows of")
        return True
    if part.entity and part.dim and draft.asks and isinstance(before, Values) and listed and not c.wait.count:
        c.leads.add("PREP")
        qualifier(c, part, "")
        return True
    return False


def _own_table(c: State, dim: str, entity: str) -> bool:
    """`the states whose branches …`: what a dimension is said of by the table of an entity, and nothing is tested of each."""
    join = c.model.dimensions[dim].join if dim else ""
    same = bool(join and entity) and c.model.joins[join].table == c.model.entities[entity].table
    return same and not any(isinstance(one, Threshold) or (isinstance(one, Mark) and one.kind.startswith("STAT_")) for one in c.parts)


def _modifies(c: State, part: Thing) -> bool:
    """`fine of a loan`, `loan fines`, `what does a loan cost on average`: a noun that says of what a number is."""
    following = c.after(part)
    if not part.entity or part.plural or not isinstance(following, Measure) or c.wait.count:
        return False
    if not following.lead and not c.model.metrics[following.metric].count:
        c.wait.of = part.entity
        return True
    if not c.draft.asks and part.led_by_word("a", "an") and any(isinstance(p, Mark) and p.kind == "STAT_mean" for p in c.parts):
        c.wait.per = part.entity
        return True
    return False


def _possessive(c: State, part: Thing) -> bool:
    """`readers' fines`: theirs, together; of what has names, for each or for all?"""
    following = c.after(part)
    if not c.text(part).endswith("'") or not isinstance(following, Measure) or following.lead or c.wait.count:
        return False
    word = tokens_of(c.text(following))[-1].norm
    if part.dim and singular(word) == word:
        raise Stop("not_understood", f"{c.text(part)!r}: one number for each of them, or for all together?", c.text(part))
    return not part.dim


def _no_value(c: State, part: Thing) -> None:
    """`loans with no genre`."""
    noun = c.draft.asks[-1].noun if c.draft.asks else ""
    if not noun or not c.model.entities[noun].dated:
        raise c.stop(part)
    c.wait.absent = False
    c.filter((Condition(dim=part.dim, op="is_null"),), part)
    c.span("where", part)


def _qualifier_or_ask(c: State, part: Thing, metric: str) -> None:
    if c.joined and part.led_by("AND"):
        c.ask(Ask(metric, noun=part.entity), part)
    else:
        qualifier(c, part, metric)


def _counted(c: State, part: Thing, metric: str) -> None:
    if part.grain == "day":
        c.wait.count = True
        return
    if not metric:
        raise Stop("not_understood", f"{c.text(part)!r} cannot be counted", c.text(part))
    if c.draft.asks and not c.begins(part):
        raise c.stop(part)
    c.ask(Ask(metric, noun=part.entity, counted=c.wait.count), part)


def _of_each(c: State, part: Thing) -> bool:
    """`a reader` after a number that is an average: for each of them."""
    ask = c.draft.asks[-1]
    single = part.led_by("ART") or part.led_by_word("a", "an", "one")
    if not part.entity or part.plural or not single or ask.per:
        return False
    later = any(isinstance(one, Mark) and one.kind.startswith("STAT_") for one in c.parts)
    return bool(ask.stats) or ask.averaged or later or bool(c.model.metrics[ask.id].per) or "extreme" in c.draft.flags
