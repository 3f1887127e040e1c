"""Nodes to parts: at each place the first rule that fits groups what belongs together; function words lead to what follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rag_backend.planners.grammar.bands import band_at
from rag_backend.planners.grammar.draft import Reading, Stop
from rag_backend.planners.grammar.english import ORDINALS, VAGUE
from rag_backend.planners.grammar.nodes import Node
from rag_backend.planners.grammar.parts import Dated, Extreme, Mark, Measure, Part, Predicate, Split, Thing, Threshold, When
from rag_backend.planners.grammar.tokens import singular, tokens_of
from rag_backend.planners.grammar.values import unknown_value, values_at

_LEADS = frozenset(
    ("FILL", "LIGHT", "ART", "COP", "THAT", "HAVE", "WITH", "PREP", "TO", "AND", "OR", "ALL", "DISTINCT", "TOTAL", "COUNTED", "BETWEEN")
)
_MARKS = frozenset(
    [
        *(
            "SHARE",
            "RATIO",
            "RUN",
            "CHANGE",
            "SAME",
            "SEPARATELY",
            "GROWN",
            "SHRUNK",
            "TREND",
            "COMPARE",
            "VS",
            "LIST",
            "WHICH",
            "RANK",
            "ORDER",
            "DIR_DESC",
            "DIR_ASC",
        ),
        *("WITHOUT", "HOWMANY", "MUCH", "UNIT_WORD", "STAT_mean", "STAT_median", "STAT_p90", "STAT_max", "STAT_min", "BY", "PER"),
    ]
)
_PRONOUNS = frozenset(("he", "she", "his", "her"))
_FIGURES = ("sums", "figures", "numbers", "totals", "metrics", "measures", "amounts", "counts")
Lead = tuple[Node, ...]
_Rule = Callable[[Reading, int, Lead], Part | None]


def parts_of(r: Reading) -> list[Part]:
    """The parts in order.

    Raises:
        Stop: a word is left over, or is one of those that are never answered.
    """
    found: list[Part] = []
    lead: list[Node] = []
    place = 0
    while place < len(r.nodes):
        rules = () if _done_with(r, place) else _RULES
        part = next((part for rule in rules if (part := rule(r, place, tuple(lead))) is not None), None)
        if part is not None:
            found.append(part)
            lead, place = [], part.last
        elif _time_again(r, place):
            place += 2
        elif _another_time(r, place):
            raise left_over(r, place + 1)
        elif _came_in(r, place) or _nobody_named(r, place):
            raise left_over(r, place)
        elif r.cat(place) in _LEADS or _says_where(r, place) or _or_more(r, place) or _done_with(r, place):
            lead.append(r.node(place))
            place += 1
        else:
            raise left_over(r, place)
    if any(node.cat in ("AND", "OR") and node.text != "," for node in lead):
        raise left_over(r, r.nodes.index(lead[-1]))
    return found


def _came_in(r: Reading, place: int) -> bool:
    """`came in March`: in that month, or received then?"""
    if r.cat(place) != "LIGHT" or not r.node(place).text.casefold().startswith(("come", "came", "coming")):
        return False
    following = r.node(place + 1)
    return following.cat == "TIME" or following.text.casefold() in ("in", "during")


def _nobody_named(r: Reading, place: int) -> bool:
    """`what is her late rate` is of somebody whom the question does not name."""
    dims = r.lexicon.model.dimensions
    named = any(node.cat == "VALUE" and dims[node.reading.dim].entity for node in r.nodes[:place])
    return not named and bool(_PRONOUNS & set(r.node(place).text.casefold().split()))


def _time_again(r: Reading, place: int) -> bool:
    """`in May 2026 …, that month`: the one stretch of time that was named."""
    named = [node for node in r.nodes[:place] if node.period is not None and node.cat == "TIME"]
    again = r.node(place).text.casefold() == "that" and r.cat(place + 1).startswith("GRAIN_")
    return (
        again
        and len(named) == 1
        and named[0].period is not None
        and named[0].period.unit == r.cat(place + 1)[6:]
        and not named[0].period.several
    )


def _another_time(r: Reading, place: int) -> bool:
    """`in March 2025 …, that year`: not the stretch of time that was named."""
    return (
        r.node(place).text.casefold() == "that"
        and r.cat(place + 1).startswith("GRAIN_")
        and any(one.cat == "TIME" for one in r.nodes[:place])
    )


def _says_where(r: Reading, place: int) -> bool:
    """`under CO-97`, `over all`: a preposition, not a comparison."""
    return r.node(place).text.casefold() in ("under", "over") and r.cat(r.skip(place + 1, "FILL", "ALL")) in ("VALUE", "PAIR", "NOUN")


def _done_with(r: Reading, place: int) -> bool:
    """`loans renewed with a tag`: a participle that only ties a value to its noun."""
    after = r.node(place + 1).text.casefold() == "with"
    return after and r.cat(place) == "METRIC" and r.node(place).text.casefold().endswith("ed") and bool(r.entity(place - 1))


def _or_more(r: Reading, place: int) -> bool:
    """`five loans or more`: the number was read as a threshold already."""
    return r.cat(place).startswith("POST_") and r.cat(place - 1) in ("NOUN", "METRIC") and r.cat(place - 2) == "NUM"


def _closed(r: Reading, place: int, _: Lead) -> None:
    node = r.node(place)
    if node.cat != "CLOSED":
        return
    reason = node.reading.id
    words = {
        "not_in_data": f"the data do not have {node.text!r}",
        "not_permitted": f"{node.text!r} is never shown in answers",
        "needs_definition": f"{node.text!r} has no declared definition here: say it by a number",
    }
    raise Stop(reason, words[reason], node.text)  # type: ignore[arg-type]


def left_over(r: Reading, place: int) -> Stop:
    """What to say of a word that nothing understands where it stands."""
    node = r.node(place)
    if node.text.casefold() in VAGUE:
        return Stop("needs_definition", f"{node.text!r} has no declared definition here: say it by a number", node.text)
    if node.cat in ("JUNK", "NUM") and (dim := unknown_value(r, place)):
        known = f"{r.lexicon.model.dimensions[dim].label} has no such value" if dim != "?" else "no dimension has such a value"
        return Stop("unknown_value", f"{known}: {node.text!r}", node.text)
    return Stop("not_understood", f"I do not understand {node.text!r} here", node.text)


def _when(r: Reading, place: int, lead: Lead) -> When | None:
    period = r.node(place).period
    return When(place, place + 1, lead, period) if r.cat(place) == "TIME" and period is not None else None


def _threshold(r: Reading, place: int, lead: Lead) -> Threshold | None:
    """`more than 50`, `50 or more`, `50+`, `between 10 and 20`, `above average`, `above the overall`."""
    cat = r.cat(place)
    if found := _within_days(r, place, lead):
        return found
    if cat == "NUM" and r.cat(place + 1) == "UNIT_WORD" and r.cat(place + 2).startswith("POST_"):
        return replace(_over(r, (place, place + 1), lead, (r.cat(place + 2)[5:], place)), last=place + 3)
    if cat.startswith(("AVG_", "ALLOF_")):
        last = place + 1
        if cat.startswith("ALLOF_") and r.cat(last) in ("METRIC", "JUNK") and (r.cat(last) == "METRIC" or r.node(last).text == "rate"):
            last += 1
        return Threshold(place, last, lead, ((cat.split("_")[1], 0.0),), of="average" if cat.startswith("AVG") else "total")
    if cat.startswith("CMP_") and r.node(place).text.casefold().split()[0] in ("older", "younger"):
        return None  # of ages alone
    if cat.startswith("CMP_"):
        j = r.skip(place + 1, "FILL", "CMP_eq")
        if r.cat(j) == "ART" and r.node(j).text.casefold() == "one":
            return Threshold(place, j + 1, lead, ((cat[4:], 1.0),))
        return _over(r, (place, j + 1), lead, (cat[4:], j)) if r.cat(j) == "NUM" else None
    if cat == "NUM" and r.cat(place + 1).startswith("POST_"):
        return _over(r, (place, place + 2), lead, (r.cat(place + 1)[5:], place))
    if cat == "NUM" and r.cat(place + 1) in ("NOUN", "METRIC") and r.cat(place + 2).startswith("POST_"):
        return _over(r, (place, place + 1), lead, (r.cat(place + 2)[5:], place))
    if cat.startswith("POST_") and r.cat(place + 1) == "NUM":  # `94 or more and below 110`
        op = "lt" if cat == "POST_le" else "gt"
        return _over(r, (place, place + 2), lead, (op, place + 1))
    if cat == "NUMPLUS":
        return Threshold(place, place + 1, lead, (("ge", r.node(place).number),))
    if cat == "BETWEEN" and r.cat(place + 1) == r.cat(place + 3) == "NUM" and r.cat(place + 2) in ("AND", "TO"):
        low, high = r.node(place + 1), r.node(place + 3)
        last = r.skip(place + 4, "UNIT_WORD")
        unit = "USD" if low.money or high.money else "days" if r.node(last - 1).text.casefold() == "days" else ""
        return Threshold(place, last, lead, (("ge", low.number), ("le", high.number)), low.percent or high.percent, unit=unit)
    return None


def _within_days(r: Reading, place: int, lead: Lead) -> Threshold | None:
    """`returned within 14 days of issue`: at most so many."""
    start = place + (r.cat(place) == "VERB")
    days = r.cat(start + 1) == "NUM" and r.node(start + 2).text.casefold() == "days"
    if r.node(start).text.casefold() not in ("within", "in") or not days or (start == place and r.node(start).text.casefold() == "in"):
        return None
    after = r.skip(start + 3, "PREP", "FILL")
    dims = r.lexicon.model.dimensions
    begun = {
        dim for dim in dims if dims[dim].sql and any(one.value.endswith(f" {dims[dim].sql})") for one in r.lexicon.model.metrics.values())
    }
    if r.date_dim(after) and r.cat(start + 3) == "PREP" and r.date_dim(after) not in begun:
        return None
    last = after + 1 if r.date_dim(after) and r.cat(start + 3) == "PREP" else start + 3
    return Threshold(place, last, lead, (("le", r.node(start + 1).number),), unit="days")


def _over(r: Reading, at: tuple[int, int], lead: Lead, test: tuple[str, int]) -> Threshold:
    op, number = test
    named = r.node(at[1]).text.casefold() if r.cat(at[1]) == "UNIT_WORD" else ""
    percent = r.node(number).percent or named in ("percent", "%")
    unit = "days" if named == "days" else "USD" if named or r.node(number).money else ""
    return Threshold(at[0], at[1] + bool(named), lead, ((op, r.node(number).number),), percent, unit="" if percent else unit)


def _extreme(r: Reading, place: int, lead: Lead) -> Extreme | None:
    """`top 5`, `the 3 highest`, `highest`, `second lowest`, `two most common`."""
    j, n, offset, top = place, 0, 0, ""
    if r.cat(j) in ("TOP", "BOTTOM"):
        top, j = r.cat(j), j + 1
    if r.cat(j) == "NUM" and not r.node(j).percent and r.node(j).number == int(r.node(j).number):
        n, j = int(r.node(j).number), j + 1
    elif not top and r.node(j).text.casefold() in ORDINALS and r.cat(r.skip(j + 1, "FILL")).startswith("SUP_"):
        offset, j = ORDINALS[r.node(j).text.casefold()] - 1, r.skip(j + 1, "FILL")
    if r.cat(j).startswith("COMMON_"):
        return Extreme(place, j + 1, lead, "common", r.cat(j) == "COMMON_DESC", n)
    if r.cat(j).startswith("SUP_") and not n and r.cat(j + 1) == "NUM" and not r.node(j + 1).percent and r.cat(j + 2) in ("END", "FILL"):
        return Extreme(place, j + 2, lead, "top", r.cat(j) == "SUP_DESC", int(r.node(j + 1).number))
    if r.cat(j).startswith("SUP_"):
        word = r.node(j).text.casefold()
        kind = "most" if word in ("most", "least", "fewest") else "sup"
        return Extreme(place, j + 1, lead, kind, r.cat(j) == "SUP_DESC", n, offset)
    return Extreme(place, j, lead, "top", top == "TOP", n) if top else None


def _split(r: Reading, place: int, lead: Lead) -> Split | None:
    """`by branch and month`, `for each genre`, `monthly`, `month-wise`, `per reader`."""
    cat = r.cat(place)
    if cat.startswith("ADV_"):
        return Split(place, place + 1, lead, (("", cat[4:]),), each=False)
    if r.cat(place + 1) == "WISE" and (r.dim(place) or cat.startswith("GRAIN_")):
        return Split(place, place + 2, lead, ((r.dim(place), cat[6:] if cat.startswith("GRAIN_") else "none"),), each=False)
    if r.dim(place) and r.node(place + 1).text.casefold() in ("mix", "mix of") and not lead:
        return Split(place, place + 1, lead, ((r.dim(place), "none"),), each=False)
    if r.dim(place) and r.cat(place + 1) == "BY" and r.dim(place + 2) == r.dim(place):
        return Split(place, place + 3, lead, ((r.dim(place), "none"),), each=True)
    if _a_month(r, place):
        return Split(place, place + 2, lead, (("", r.cat(place + 1)[6:]),), each=True)
    if cat == "BY" and r.cat(place + 1) == "ALL":
        return None
    over = cat == "CMP_gt" and r.node(place).text.casefold() == "over"
    if cat not in ("BY", "PER") and not over:
        return None
    start = r.skip(place + 1, "FILL", "DISTINCT", "ALL", "PREP")
    item = _item(r, start)
    if item is None:
        entity = r.entity(start) if cat == "PER" and r.cat(start) == "NOUN" else ""
        return Split(place, start + 1, lead, (), each=True, entity=entity) if entity else None
    groups, date, last = [item[0]], item[1], item[2]
    while r.cat(last) == "AND" and not (cat == "PER" and r.cat(last + 1) == "BY"):
        after = r.skip(last + 1, "FILL", "BY", "PER", "ALL")
        another = _item(r, after)
        if another is None or (another[1] and date) or _begins_anew(r, (last, after), another[2]):
            break
        groups, date, last = [*groups, another[0]], another[1] or date, another[2]
    entity = r.entity(start) if cat == "PER" and len(groups) == 1 else ""
    return Split(place, last, lead, tuple(groups), each=cat == "PER", entity=entity, date=date)


def _a_month(r: Reading, place: int) -> bool:
    """`how many loans a month … on average`."""
    said = r.node(place).text.casefold() == "a" and r.node(place + 1).text.casefold() in ("day", "week", "month", "quarter", "year")
    return said and r.cat(place - 1) in ("NOUN", "METRIC") and any(node.cat == "STAT_mean" for node in r.nodes)


def _begins_anew(r: Reading, between: tuple[int, int], last: int) -> bool:
    """`for each branch, show the reader with …`: after the comma stands what rows are of, not one more thing to split by."""
    said = any(r.cat(place) == "FILL" and r.node(place).text.casefold() not in ("the", "our", "a") for place in range(*between))
    return said or (r.node(between[0]).text in (",", ":", ";") and r.cat(last) in ("WITH", "THAT", "HAVE", "COP"))


def _item(r: Reading, j: int) -> tuple[tuple[str, str], str, int] | None:
    """One thing to split by, the date that its grain is of, and the place after it."""
    if dim := r.dim(j):
        last = j + 1 + (r.cat(j + 1) == "CODE_WORD")
        left_out = r.cat(r.skip(last, "COP")) == "NOT"
        valued = not left_out and values_at(r, j, ()) is not None
        return None if valued or r.cat(last) == "JUNK" else ((dim, "none"), "", last)
    if r.cat(j).startswith("GRAIN_"):
        of = r.skip(j + 1, "PREP", "FILL")
        date = r.date_dim(of) if r.cat(of) == "NOUN" else ""
        return (("", r.cat(j)[6:]), date, of + 1 if date else j + 1)
    verb = r.lexicon.verbs.get(r.node(j).text.casefold(), "") if r.cat(j) in ("METRIC", "VALUE") else ""
    if (date := r.date_dim(j) or verb) and r.cat(j + 1).startswith("GRAIN_"):
        return ("", r.cat(j + 1)[6:]), date, j + 2
    return None


def _dated(r: Reading, place: int, lead: Lead) -> Dated | None:
    dim = r.date_dim(place)
    named = r.cat(place + 2) == "TIME" and not r.node(place + 2).text.casefold().startswith(("in ", "of ", "during ", "for "))
    if dim and r.cat(place + 1).startswith("GRAIN_") and named:
        return Dated(place, place + 2, lead, dim, verb=False)
    if not dim or r.cat(place + 1).startswith("GRAIN_"):
        return None
    return Dated(place, place + 1, lead, dim, r.cat(place) == "VERB")


def _measure(r: Reading, place: int, lead: Lead) -> Measure | None:
    return Measure(place, place + 1, lead, r.node(place).reading.id) if r.cat(place) == "METRIC" else None


def _predicate(r: Reading, place: int, lead: Lead) -> Predicate | None:
    return Predicate(place, place + 1, lead, r.node(place).reading.id) if r.cat(place) == "STATE" else None


def _thing(r: Reading, place: int, lead: Lead) -> Thing | None:
    cat = r.cat(place)
    if cat != "NOUN" and not cat.startswith("GRAIN_"):
        return None
    word = tokens_of(r.node(place).text)[-1].norm
    plural = singular(word) != word
    if cat.startswith("GRAIN_"):
        of = r.skip(place + 1, "PREP", "FILL")
        date = r.date_dim(of) if r.cat(of) == "NOUN" else ""
        return Thing(place, of + 1 if date else place + 1, lead, grain=cat[6:], dim=date, plural=plural)
    if r.date_dim(place) and r.cat(place + 1).startswith("GRAIN_"):
        return Thing(place, place + 2, lead, grain=r.cat(place + 1)[6:], dim=r.date_dim(place))
    if not (r.entity(place) or r.dim(place)):
        return None
    last = place + 1 + (r.cat(place + 1) == "CODE_WORD" and bool(r.dim(place)))
    return Thing(place, last, lead, entity=r.entity(place), dim=r.dim(place), plural=plural or last > place + 1)


def _mark(r: Reading, place: int, lead: Lead) -> Mark | None:
    cat, node = r.cat(place), r.node(place)
    if cat == "NUM" and r.node(place + 1).text.casefold() in _FIGURES and r.cat(place + 1) in ("JUNK", "COUNTED"):
        return Mark(place, place + 2, lead, "FIGURES", int(node.number), node.text)
    if cat == "NUM" and not node.percent and node.number == int(node.number) and 0 < node.number <= 1000:
        return Mark(place, place + 1, lead, "N", int(node.number), node.text)
    if cat.startswith("OVER_"):
        return Mark(place, place + 1, lead, "OVER", text=cat[5:])
    return Mark(place, place + 1, lead, cat, text=node.text.casefold()) if cat in _MARKS else None


_RULES: tuple[_Rule, ...] = (_closed, band_at, values_at, _split, _extreme, _threshold, _when, _dated, _measure, _predicate, _thing, _mark)
