"""What numbers are split by: "by branch and month", "for each genre", "monthly", "which state", and what stands at the head."""

from __future__ import annotations

from rag_backend.planners.grammar.draft import Reading, Stop
from rag_backend.planners.grammar.measures import add_filters, measure_at
from rag_backend.planners.grammar.values import values_at


def group_rule(r: Reading, place: int) -> int | None:
    """A group clause; "by" with a number orders what is ranked instead."""
    cat = r.cat(place)
    if cat.startswith("ADV_"):
        return _grain_group(r, cat[4:], "", (place, place + 1))
    if cat.startswith("OVER_"):
        r.draft.flags.add("change")
        return _grain_group(r, cat[5:], "", (place, place + 1))
    if cat == "NOUN" and r.cat(place + 1) == "WISE" and r.dim(place):
        return _add(r, r.dim(place), "none", (place, place + 2))
    if cat.startswith("GRAIN_") and r.cat(place + 1) == "WISE":
        return _grain_group(r, cat[6:], "", (place, place + 2))
    if cat not in ("BY", "PER"):
        return None
    start = r.skip(place + 1, "FILL", "DISTINCT", "ALL")
    if cat == "BY" and (ordered := _by_measure(r, start)):
        return ordered
    last = _item(r, start, cat)
    if last is None:
        return None
    while r.cat(last) in ("AND", "BY", "PER"):
        following = r.skip(last + 1, "FILL", "BY", "PER")
        if r.cat(last) == "BY" and _by_measure_possible(r, last + 1):
            break
        found = _item(r, following, cat)
        if found is None:
            break
        last = found
    r.draft.group_at = place
    return last


def _item(r: Reading, j: int, cat: str) -> int | None:
    """One thing to split by: a dimension, a grain, a date with its grain."""
    if dim := r.dim(j):
        last = j + 1 + (r.cat(j + 1) == "CODE_WORD")
        if values_at(r, j) is not None or (r.cat(last) == "JUNK" and r.cat(last + 1) == "END"):
            return None
        if r.draft.top and cat == "PER":
            r.draft.per.append(dim)
        elif r.draft.top:
            raise Stop("not_understood", "it is not clear whether the ranking is for each of these", r.node(j).text)
        return _add(r, dim, "none", (j, last))
    if r.cat(j).startswith("GRAIN_"):
        last = r.skip(j + 1, "PREP", "FILL")
        dim = r.date_dim(last)
        if dim and last > j + 1:
            return _grain_group(r, r.cat(j)[6:], dim, (j, last + 1))
        if r.draft.top and cat == "PER":
            r.draft.per.append("")
        return _grain_group(r, r.cat(j)[6:], dim if dim and last == j + 1 else "", (j, last + 1 if dim and last == j + 1 else j + 1))
    if (date := r.date_dim(j)) and r.cat(j + 1).startswith("GRAIN_"):
        return _grain_group(r, r.cat(j + 1)[6:], date, (j, j + 2))
    return None


def _add(r: Reading, dim: str, grain: str, place: tuple[int, int]) -> int:
    if (dim, grain) not in r.draft.groups:
        r.draft.groups.append((dim, grain))
    r.draft.group_at = max(r.draft.group_at, place[0])
    r.span(f"group_by {dim or 'date'}", *place)
    return place[1]


def _grain_group(r: Reading, grain: str, date: str, place: tuple[int, int]) -> int:
    """A date's grain; '' is the date that the metric goes by."""
    if date:
        if r.draft.date not in ("", date):
            raise Stop("not_understood", "two dates are named", r.node(place[0]).text)
        r.draft.date, r.draft.verb_at = date, -1
    return _add(r, "", grain, place)


def _by_measure_possible(r: Reading, start: int) -> bool:
    ask = measure_at(r, start)
    return ask is not None and not (r.dim(start) and not ask.filters)


def _by_measure(r: Reading, start: int) -> int | None:
    """`by fine amount` after something to rank."""
    if values_at(r, start) is not None or not (r.draft.subject or r.draft.head or r.draft.top) or not _by_measure_possible(r, start):
        return None
    ask = measure_at(r, start)
    if ask is None or (ask.role == "total" and ask.noun):
        return None
    return ordered_by(r, ask.last, start, r.draft.top != "bottom")


def ordered_by(r: Reading, last: int, start: int, desc: bool) -> int:
    """Order by the measure that stands from `start`; it is shown too."""
    ask = measure_at(r, start)
    assert ask is not None
    add_filters(r, ask.filters, start)
    ask.filters = []
    if not any(one.id == ask.id and one.stat == ask.stat for one in r.draft.asks):
        r.draft.asks.append(ask)
    r.draft.order.append((ask.id, desc))
    r.draft.flags.add("ranked")
    r.span(f"order_by {ask.id}", start, last)
    return last


def which_rule(r: Reading, place: int) -> int | None:
    """`which branch`, `what month`, `top 5 genres`, `compare branches`: what the rows of the answer are."""
    cat = r.cat(place)
    what = cat == "FILL" and r.node(place).text.casefold().startswith("what") and r.node(place).text.casefold() in ("what", "which")
    if cat not in ("WHICH", "RANK", "COMPARE") and not what:
        return None
    if r.draft.subject:
        return None
    j = r.skip(place + 1, "FILL", "ALL", "DISTINCT")
    if r.cat(j) == "NUM" and cat != "COMPARE":
        r.draft.limit, j = int(r.node(j).number), j + 1
    last = subject_at(r, j, place)
    if last is None and cat in ("COMPARE", "RANK"):
        r.draft.flags.add("compare" if cat == "COMPARE" else "ranked")
        return place + 1
    if last is not None:
        r.draft.flags.add({"RANK": "ranked", "COMPARE": "shown"}.get(cat, "which"))
    return last


def subject_at(r: Reading, j: int, place: int) -> int | None:
    """The dimension or grain that rows are of, with values before it that limit them."""
    found = values_at(r, j)
    noun = found.last if found else j
    if found and r.dim(noun) == "":
        return None
    if r.cat(noun).startswith("GRAIN_") and not found:
        r.draft.subject = ("", r.cat(noun)[6:])
        r.draft.groups.insert(0, r.draft.subject)
    elif r.dim(noun):
        if values_at(r, noun) is not None:
            return None
        r.draft.subject = (r.dim(noun), "none")
        r.draft.groups.insert(0, r.draft.subject)
        if r.entity(noun):
            r.draft.head = (r.entity(noun), r.dim(noun), noun)
    elif r.entity(noun) and not r.lexicon.model.entities[r.entity(noun)].dated and r.cat(place) != "COMPARE":
        raise Stop("not_permitted", f"{r.lexicon.model.entities[r.entity(noun)].label} are counted, never named", r.node(noun).text)
    else:
        return None
    if found:
        add_filters(r, found.conditions, j)
    r.span("group_by", place, noun + 1)
    return noun + 1


def head_rule(r: Reading, place: int) -> int | None:
    """`branches with the highest …`, `branches in Texas`: a noun at the head that names rows or what is counted; which, the end shows."""
    draft = r.draft
    if draft.asks or draft.subject or draft.head or draft.groups or not (r.cat(place) == "NOUN" and r.dim(place)):
        return None
    if r.before(place) not in ("END", "LIST", "WHICH", "VALUE", "PREFIX", "NUM", "THAT", "TIME", "AND", "COP") or "share" in draft.flags:
        return None
    if r.dim(place + 1) or values_at(r, place) is not None or r.cat(place + 1) in ("JUNK", "CODE_WORD"):
        return None
    if r.cat(place + 1) == "WISE":
        return None
    draft.head = (r.entity(place), r.dim(place), place)
    r.span("subject", place, place + 1)
    return place + 1


def list_rule(r: Reading, place: int) -> int | None:
    """`list …`: rows of an entity instead of numbers."""
    if r.cat(place) != "LIST":
        return None
    r.draft.flags.add("list")
    r.span("form", place, place + 1)
    return place + 1
