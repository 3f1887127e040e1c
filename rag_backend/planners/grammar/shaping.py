"""Shares, running totals, changes and comparisons, and the periods that they and windows are about."""

from __future__ import annotations

from rag_backend.planners.grammar.draft import Reading, Stop
from rag_backend.planners.grammar.measures import add_filters, measure_at, note_verb
from rag_backend.planners.grammar.values import values_at


def share_rule(r: Reading, place: int) -> int | None:
    """`share of loans …`, `what percentage of readers …`: of a total, or a part that conditions after it make up."""
    if r.cat(place) != "SHARE":
        return None
    start = r.skip(place + 1, "PREP", "ALL", "FILL", "TOTAL")
    ask = measure_at(r, start)
    if ask is None or r.draft.asks or ask.stat != "default" or ask.per:
        return None
    ask.transform = "share_of_total"
    add_filters(r, ask.filters, start)
    r.draft.asks.append(ask)
    r.draft.flags.add("share")
    r.draft.part_from = ask.last
    r.span("transform", place, ask.last)
    return ask.last


def change_rule(r: Reading, place: int) -> int | None:
    """`change in fine amount`, `running total of loans`, `trend in returns`."""
    cat = r.cat(place)
    if cat not in ("CHANGE", "RUN", "TREND"):
        return None
    flag = {"CHANGE": "change", "RUN": "run", "TREND": "trend"}[cat]
    if flag in r.draft.flags and cat != "CHANGE":
        return None
    r.draft.flags.add(flag)
    r.span("transform", place, place + 1)
    after = r.skip(place + 1, "PREP", "FILL")
    return after if r.cat(after) in ("METRIC", "NOUN", "HOWMANY", "TOTAL", "VALUE") or r.cat(after).startswith("STAT_") else place + 1


def value_rule(r: Reading, place: int) -> int | None:
    """Values that limit the question; those of one dimension that are held against each other are rows as well."""
    found = values_at(r, place)
    if found is None:
        return None
    if "qualified" not in r.draft.flags and found.joined == "AND" and _of_each(r, place) and not _is_comparison(r):
        raise Stop("not_understood", "it is not clear whether both have to hold for the same one", r.node(place).text)
    add_filters(r, found.conditions, place)
    r.span("where", place, found.last)
    dim = found.conditions[0].dim
    if len(found.conditions[0].values) > 1 and not found.negated and (found.joined == "VS" or _is_comparison(r)):
        if (dim, "none") not in r.draft.groups:
            r.draft.groups.append((dim, "none"))
        r.draft.flags.add("compared")
    return found.last


def _is_comparison(r: Reading) -> bool:
    return "compare" in r.draft.flags


def _of_each(r: Reading, place: int) -> bool:
    """Whether values hang with `with` on entities that have many lines: both at once is another question than either."""
    entities = r.lexicon.model.entities
    nouns = [node.reading.id for node in r.nodes[:place] if node.cat == "NOUN" and node.reading.id]
    return bool(nouns) and not entities[nouns[-1]].dated and r.cat(place - 1) in ("WITH", "HAVE")


def time_rule(r: Reading, place: int) -> int | None:
    """A window; a date that is named before it is the one that it is of."""
    if r.cat(place) == "VS" and r.draft.periods and r.cat(r.skip(place + 1, "FILL")) == "TIME":
        r.draft.flags.add("vs")
        return r.skip(place + 1, "FILL")
    if r.cat(place) == "AND" and "compare" in r.draft.flags and r.draft.periods and r.cat(place + 1) == "TIME":
        r.draft.flags.add("vs")
        return place + 1
    if date := r.date_dim(place):
        after = r.skip(place + 1, "COP", "PREP", "FILL")
        if r.cat(after) != "TIME":
            return _verb(r, place)
        r.draft.date, r.draft.verb_at = date, -1
        r.span("time.date", place, after)
        return after
    if r.cat(place) != "TIME":
        return None
    period = r.node(place).period
    assert period is not None
    if r.draft.periods and "vs" not in r.draft.flags:
        raise Stop("not_understood", "there are two time windows", r.node(place).text)
    previous = place - 1
    while r.cat(previous) in ("FILL", "PREP"):
        previous -= 1
    if r.cat(previous) in ("METRIC", "VALUE", "VERB"):
        note_verb(r, previous)
    r.draft.periods.append((period, place))
    r.span("time", place, place + 1)
    return place + 1


def _verb(r: Reading, place: int) -> int | None:
    """A verb that only says which date is meant; without a window it says nothing that a metric of its name would not."""
    if r.cat(place) != "VERB" or not (r.draft.asks or r.draft.head):
        return None
    timed = [n for n in range(place, len(r.nodes)) if r.cat(n) == "TIME" or r.cat(n).startswith(("GRAIN", "ADV"))]
    helped = any(node.text.casefold().split()[0] in ("did", "do", "does") for node in r.nodes[:place])
    if not timed or not (helped or r.node(place).text.casefold().endswith("d")):
        return None
    note_verb(r, place)
    r.span("time.date", place, place + 1)
    return place + 1
