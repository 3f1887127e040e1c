"""Values and nouns that limit the lines: what they say, and what is left out."""

from __future__ import annotations

from dataclasses import replace

from rag_backend.planners.grammar.draft import Stop
from rag_backend.planners.grammar.parts import Mark, Measure, Split, Target, Thing, Threshold, Values
from rag_backend.planners.grammar.qualify import qualifying
from rag_backend.planners.grammar.state import State, opposite
from rag_backend.planners.grammar.tokens import singular

TOGETHER = ("combined", "together", "taken together", "altogether", "overall", "in total")
_OF_EVERY = ("from every", "of every", "in every", "at every")


def qualifier(c: State, part: Target, metric: str) -> None:
    """`for late loans`, `of female readers`: no number of its own; what it says about the lines holds."""
    found = qualifying(c, part, metric)
    c.limits.add(part.first)
    before = c.before(part)
    if isinstance(before, Values) and before.negated and not part.lead:
        for known in c.draft.filters:
            if known.at == before.first:
                known.group = (*known.group, *(opposite(one) for one in found))
        return
    for one in found:
        c.filter((one,), part)
    c.span("where", part)


def values(c: State, place: int, part: Values) -> None:
    draft = c.draft
    role, following = _role(c, part), c.after(part)
    if following is not None and following.led_by_word("on") and c.r.node(part.last - 1).may_be_number:
        raise c.stop(part)  # `what A paid on loans`: a number
    _scope_is_clear(c, part)
    if _alternative(c, place, part):
        return
    if part.led_by_word("but") and not part.negated:
        part = c.parts[place] = _all_but(c, part)
    if c.wait.absent and _leaves_out(c, place):
        part = c.parts[place] = _without(c, part)
    if draft.flags & {"vs", "compare"} and _against(c, part):
        return
    if _also_had(c, part):
        return
    _joined_values(c, part)
    _named_before(c, place, part)
    for group in part.where:
        c.filter(group, part, role)
    together = any(node.text.casefold() in TOGETHER for node in c.r.nodes)
    if part.joined == "AND" and part.only and not (part.negated or c.draft.both or together):
        c.draft.either = part.only.dim
    if part.joined == "EACH" and part.only:
        c.group((part.only.dim, "none"))
        c.draft.per.append((part.only.dim, "none"))
    if part.joined == "VS" and part.only:
        c.group((part.only.dim, "none"))
    c.span("where", part)


def _role(c: State, part: Values) -> str:
    """Whether a value says which part of a share is meant; what comes before a share that waits for its number may be of the whole."""
    share = next((ask for ask in c.draft.asks if ask.transform == "share_of_total"), None)
    if share is None:
        return "own" if c.wait.share else ""
    of_part = any(one.role in ("part", "maybe") and one.at < share.first for one in c.draft.filters)
    if share.of or of_part or any(node.text.casefold().startswith(("account", "make up", "made up")) for node in part.lead):
        return ""
    noun = c.before(part)
    leads = (part, noun) if isinstance(noun, Thing) and noun.entity and not part.lead else (part,)
    return "part" if any(one.led_by("COP", "THAT", "LIGHT", "HAVE", "WITH") for one in leads) else "maybe"


def _scope_is_clear(c: State, part: Values) -> None:
    """What a value is said of.

    Raises:
        Stop: it could be left out together with the value before it, be counted apart, or be done by those who are counted.
    """
    before, following = c.before(part), c.after(part)
    if any(node.text.casefold().startswith("includ") for node in part.lead):
        raise Stop("not_understood", "only those, or all with those among them?", c.text(part))
    tied = not part.lead or part.led_by("AND", "WITH")
    if isinstance(before, Values) and before.negated and not part.negated and tied and not part.led_by_word("but"):
        raise Stop("not_understood", "is this left out as well, or are only those meant?", c.text(part))
    if c.wait.share and following is not None and following.led_by_word("among", "in", "within"):
        raise Stop("not_understood", "name the whole first: `share of loans that are …`", c.text(part))
    number = c.r.node(part.last - 1).may_be_number
    if number and part.led_by("TOTAL") and part.and_said and not (isinstance(following, (Thing, Measure)) and not following.lead):
        raise c.stop(part)
    somebody = isinstance(before, Thing) and before.entity and not c.model.entities[before.entity].dated and not before.dim
    if number and (somebody and (part.led_by("THAT") or isinstance(following, Threshold))):
        raise c.stop(part)
    if number and isinstance(before, Mark) and before.kind.startswith("STAT_") and not isinstance(following, (Thing, Measure)):
        raise c.stop(part)
    pays = isinstance(following, Measure) and not following.lead and c.text(following).casefold() in c.lexicon.verbs
    if pays and part.only and c.model.dimensions[part.only.dim].describes and part.led_by_word("do", "does", "did"):
        raise Stop("not_understood", "who pays is not clear: the amount that is paid for them, or what they pay themselves?", c.text(part))


def _alternative(c: State, place: int, part: Values) -> bool:
    """`of A or in B`: one of two conditions on different things."""
    if not part.led_by("OR"):
        return False
    before = c.before(part)
    known = [one for one in c.draft.filters if isinstance(before, Values) and one.at == before.first]
    if not isinstance(before, Values) or len(known) != 1 or len(part.where) != 1 or part.negated or before.negated:
        raise Stop("not_understood", "it is not clear what the alternatives are", c.text(part))
    known[0].group = (*known[0].group, *part.where[0])
    c.parts[place] = replace(part, named=True)  # no name of a metric any more
    c.parts[place - 1] = replace(before, named=True)
    c.span("where", part)
    return True


def _all_but(c: State, part: Values) -> Values:
    """`all loans but crime`."""
    before = c.before(part)
    if part.only is None or part.only.op != "in" or not (isinstance(before, Thing) and before.led_by("ALL")):
        raise c.stop(part)
    return Values(part.first, part.last, part.lead, ((opposite(part.only),),), part.joined, True, part.named)


def _leaves_out(c: State, place: int) -> bool:
    """Whether a value after `without` is left out of the lines: nothing follows that could be absent, or only what the lines are of."""
    following, asks = c.next_target(place), c.draft.asks
    if following is None:
        return True
    dated = isinstance(following, Thing) and bool(following.entity) and c.model.entities[following.entity].dated
    return dated and bool(asks) and (not asks[-1].noun or c.model.entities[asks[-1].noun].dated)


def _without(c: State, part: Values) -> Values:
    """`loans without poetry`: a value that lines do not have; of what has many lines that would be another question."""
    noun = c.draft.asks[-1].noun if c.draft.asks else c.draft.head
    if part.negated or any(one.op != "in" for group in part.where for one in group) or (noun and not c.model.entities[noun].dated):
        raise Stop("not_understood", "it is not clear whether none of their lines may have this, or only those counted", c.text(part))
    c.wait.absent = False
    none_of = (tuple(opposite(one) for group in part.where for one in group),)
    return Values(part.first, part.last, part.lead, none_of, "", True, part.named)


def _against(c: State, part: Values) -> bool:
    """`A … compared with B`: one list of both, and a row for each."""
    one = part.only
    for known in c.draft.filters:
        if one and len(known.group) == 1 and known.group[0].dim == one.dim and known.group[0].op == one.op == "in":
            values = (*known.group[0].values, *(value for value in one.values if value not in known.group[0].values))
            known.group = (one.model_copy(update={"values": values}),)
            c.group((one.dim, "none"))
            c.draft.flags.add("against")
            return True
    return False


def _also_had(c: State, part: Values) -> bool:
    """`readers with crime who also had poetry`: of each reader one loan of the one and one of the other."""
    noun, asks = c.before(part), c.draft.asks
    leads = [node.text.casefold() for one in (noun, part) if isinstance(one, Thing) or one is part for node in (one.lead if one else ())]
    who = asks[0].noun if len(asks) == 1 else ""
    if "also" not in leads or not who or c.model.entities[who].dated or part.only is None or part.negated:
        return False
    held = {one.dim for held in c.draft.filters for one in held.group if not c.model.dimensions[one.dim].describes}
    if held - {part.only.dim} and not c.model.dimensions[part.only.dim].describes:
        raise Stop("not_understood", "both on the same, or each on some of theirs? the words can mean either", c.text(part))
    known = [one for one in c.draft.filters if len(one.group) == 1 and one.group[0].dim == part.only.dim and one.group[0].op == "in"]
    if len(known) != 1 or len(c.draft.filters) != 1 or part.only.op != "in" or len((*known[0].group[0].values, *part.only.values)) != 2:
        return False
    c.draft.filters = []
    c.draft.both_of, c.draft.both = who, (known[0].group[0], part.only)
    c.span("where", part)
    return True


def _dims_of(c: State, part: Values) -> set[str]:
    """What the word of a value may be a value of."""
    return {one.dim for one in c.r.node(part.first).readings if one.kind == "VALUE"}


def _joined_values(c: State, part: Values) -> None:
    """`readers with A and B`: both for the same one, or either? The words do not say."""
    before = c.before(part)
    many = isinstance(before, Thing) and before.entity and not c.model.entities[before.entity].dated
    both = any(node.cat == "ALL" and node.text.casefold() == "both" for node in (*part.lead, *c.r.nodes[part.first : part.last]))
    if part.joined != "AND" or "compare" in c.draft.flags or not (both or (many and part.led_by("WITH", "HAVE"))):
        return
    if not many or not isinstance(before, Thing) or part.only is None or part.negated or any(node.cat == "OR" for node in c.r.nodes):
        raise Stop("not_understood", "both at once, or either of them? the words can mean either", c.text(part))
    c.draft.both_of, c.draft.both = before.entity, tuple(part.only.model_copy(update={"values": (one,)}) for one in part.only.values)
    if not both:
        c.draft.flags.add("both or either")


def _named_before(c: State, place: int, part: Values) -> None:
    """`from every branch except A`: not a row for each, but all of them without one. `fined, paid`: a number, not a value."""
    before, only = c.before(part), part.only
    if isinstance(before, Split) and part.negated and only and before.groups == ((only.dim, "none"),):
        together = any(node.text.casefold() in TOGETHER for node in c.r.nodes)
        if together or c.r.node(before.first).text.casefold() in _OF_EVERY:
            c.draft.groups = [one for one in c.draft.groups if one != before.groups[0]]
            c.draft.per = [one for one in c.draft.per if one != before.groups[0]]
    if isinstance(before, Thing) and only and before.dim == only.dim and not part.negated and not before.entity:
        raise c.stop(part)
    beside = isinstance(before, Thing) and not before.entity and not part.lead and only
    if isinstance(before, Thing) and beside and before.dim in _dims_of(c, part) and before.dim != beside.dim:
        raise c.stop(part)  # `branch A`: the value of what is named right before it
    name, following = c.text(part).casefold().split()[0], c.after(part)
    alone = part.named and only and len(only.values) == 1 and singular(name) != name and isinstance(following, Values)
    if alone and following and following.lead and all(node.cat in ("AND", "OR") for node in following.lead):
        raise Stop("not_understood", "values of one thing, of which there is only one?", c.text(following))
    numbers = c.r.node(part.first).may_be_number
    around = [c.parts[at] for at in (place - 2, place - 1, place + 1, place + 2) if 0 <= at < len(c.parts)]
    against = any(isinstance(one, Mark) and one.kind == "VS" for one in around) and any(isinstance(one, Measure) for one in around)
    if numbers and (against or (isinstance(before, Measure) and part.led_by("AND"))):
        raise c.stop(part)
