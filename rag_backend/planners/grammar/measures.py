"""Phrases that name a number: "average fine amount", "how many crime loans", "share of readers"; and what filters inside them mean."""

from __future__ import annotations

import re

from medflow.specs.semantic import SemanticModel
from rag_backend.planners.grammar.draft import Ask, Reading, Stop
from rag_backend.planners.grammar.tokens import tokens_of
from rag_backend.planners.grammar.values import values_at
from rag_backend.query.typed_query import Condition

_WHERE = re.compile(r"^(\w+) (=|<>|IN) \(?('[^']*'(?:, ?'[^']*')*)\)?$")
_AVERAGES = ("average", "mean", "avg")


def measure_at(r: Reading, place: int) -> Ask | None:
    """The measure that starts here; `last` is the place after it."""
    ask, j, counted = Ask("", first=place), place, False
    while True:
        cat = r.cat(j)
        if cat.startswith("STAT_"):
            ask.stat = cat[5:]
        elif cat == "HOWMANY":
            counted = True
        elif cat == "TOTAL":
            ask.role = "total"
        elif cat not in ("FILL", "ALL", "DISTINCT") and not (cat == "PREP" and r.node(j).text == "of" and j > place):
            found = values_at(r, j)
            if found is None or found.joined == "VS" or (found.joined and "compare" in r.draft.flags):
                break
            ask.filters += found.conditions
            j = found.last
            continue
        j += 1
    return _named(r, ask, j, counted)


def _named(r: Reading, ask: Ask, j: int, counted: bool) -> Ask | None:
    if r.cat(j) == "METRIC":
        ask.id = r.node(j).reading.id
        ask.averaged = tokens_of(r.node(j).text)[0].norm in _AVERAGES
    elif r.entity(j):
        ask.noun = r.entity(j)
        ask.id = r.lexicon.base_count(ask.noun)
    else:
        return None
    if not ask.id:
        return None
    declared = r.lexicon.model.metrics[ask.id]
    if counted and not (declared.count or declared.per or (declared.sum and declared.unit == "count")):
        return None
    ask.last = _per(r, ask, j + 1)
    if counted:
        ask.role = "counted"
    return ask


def _per(r: Reading, ask: Ask, j: int) -> int:
    """`per <entity>` after a measure, where it means for each one rather than a group."""
    if r.cat(j) not in ("PER", "BY") or (r.cat(j) == "BY" and ask.stat == "default" and not ask.averaged):
        return j
    noun = r.skip(j + 1, "FILL")
    entity = r.entity(noun)
    if r.cat(j) == "PER" and entity and (not r.dim(noun) or ask.stat != "default" or ask.averaged):
        ask.per = entity
        return noun + 1
    return j


def as_filter(model: SemanticModel, metric: str) -> Condition | None:
    """What a metric counts, as a test of a dimension; None where it is more than that."""
    match = _WHERE.match(model.metrics[metric].where)
    if match is None:
        return None
    dims = [name for name, one in model.dimensions.items() if one.sql == match[1] and not one.join]
    values = tuple(re.findall(r"'([^']*)'", match[3]))
    return Condition(dim=dims[0], op="not_in" if match[2] == "<>" else "in", values=values) if dims else None


def add_filters(r: Reading, conditions: list[Condition], place: int) -> None:
    """Limit the question to some values. The same dimension twice would leave nothing, or means two things at once."""
    for one in conditions:
        known = [two for two, _ in r.draft.filters if two.dim == one.dim]
        if one in known:
            continue
        if any(two.op == one.op == "in" for two in known):
            raise Stop(
                "not_understood", "two conditions on the same thing that cannot both hold", r.node(min(place, len(r.nodes) - 1)).text
            )
        r.draft.filters.append((one, place))


def metric_rule(r: Reading, place: int) -> int | None:
    """A measure in the run of the question: one more that is asked for, or the noun that filters hang on."""
    ask = None if r.cat(place) in ("FILL", "ALL", "DISTINCT") else measure_at(r, place)
    if ask is None:
        return None
    before, draft = r.before(place), r.draft
    if draft.head and draft.head[2] == place - 1:
        return None
    if not draft.asks or (before == "AND" and "qualified" not in draft.flags):
        return _first_or_joined(r, ask, place, before)
    only = draft.asks[0]
    if len(draft.asks) == 1 and only.role == "qualifier" and not ask.noun:
        draft.asks.clear()
        draft.flags.discard("qualified")
        return _first_or_joined(r, ask, place, before)
    return _qualifier(r, ask, place, before)


def _first_or_joined(r: Reading, ask: Ask, place: int, before: str) -> int:
    draft = r.draft
    if draft.asks and (draft.group_at > draft.asks[0].first):
        raise Stop("not_understood", "one question at a time: what is split differently has to be asked separately", r.node(place).text)
    if draft.asks and any(draft.asks[0].first < at for _, at in [*draft.filters, *draft.periods]):
        raise Stop("not_understood", "it is not clear whether what was said before holds for both", r.node(place).text)
    if before in ("PREP", "BY") and ask.noun and ask.role != "counted":
        ask.role = "qualifier"
    if draft.asks and ask.filters:
        raise Stop("not_understood", "it is not clear whether the condition holds for both", r.node(place).text)
    add_filters(r, ask.filters, place)
    draft.asks.append(ask)
    r.span(f"metric {ask.id}", place, ask.last)
    return ask.last


def _qualifier(r: Reading, ask: Ask, place: int, before: str) -> int | None:
    """`for late loans`, `of female readers`: no number of its own, but what it says about the lines holds."""
    model = r.lexicon.model
    if (
        before not in ("PREP", "WITH", "HAVE", "THAT", "BY", "COME", "COP", "WITHIN")
        or ask.stat != "default"
        or ask.role == "counted"
        or ask.per
    ):
        return None
    conditions = list(ask.filters)
    if not ask.noun:
        found = as_filter(model, ask.id) if model.metrics[ask.id].count else None
        if found is None:
            return None
        conditions.append(found)
    add_filters(r, conditions, place)
    r.draft.flags.add("qualified")
    r.span("where", place, ask.last)
    return ask.last


def predicate_rule(r: Reading, place: int) -> int | None:
    """`loans that were paid`: a word that says of a counted noun what an adjective would, with the metric of that name."""
    draft, cat = r.draft, r.cat(place)
    if (
        cat not in ("VALUE", "METRIC", "VERB")
        or len(draft.asks) != 1
        or not draft.asks[0].noun
        or r.before(place) in ("AND", "OR", "NOT", "PREP", "BY")
    ):
        return None
    node, ask = r.node(place), draft.asks[0]
    if " " in node.text or ask.role == "qualifier":
        return None
    word = tokens_of(node.text)[0].norm
    if r.before(place, "COP", "THAT") != "NOUN" and not (ask.role == "counted" and r.before(place) in ("VALUE", "COP", "NOUN")):
        return None
    names = r.lexicon.model.entities[ask.noun]
    bound = ""
    for noun in (names.label, *names.words):
        bound = bound or r.lexicon.metric(word, *(token.norm for token in tokens_of(noun)))
    if not bound or "share" in draft.flags:
        return None
    draft.asks[0] = Ask(bound, ask.stat, ask.transform, "", ask.per, ask.filters, ask.part, ask.first, ask.last, role="counted")
    note_verb(r, place)
    r.span(f"metric {bound}", place, place + 1)
    return place + 1


def note_verb(r: Reading, place: int) -> None:
    """A verb that says which date a time phrase means: "received", "paid"."""
    last = tokens_of(r.node(place).text)[-1].norm
    if last in r.lexicon.verbs:
        r.draft.date, r.draft.verb_at = r.lexicon.verbs[last], place
