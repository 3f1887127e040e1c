"""Words that say what is to be done with the parts around them: count, average, share, compare, order."""

from __future__ import annotations

from rag_backend.planners.grammar import calendar
from rag_backend.planners.grammar.draft import Ask, Stop
from rag_backend.planners.grammar.parts import Dated, Extreme, Mark, Measure, Part, Split, Target, Thing, Threshold, Values, When
from rag_backend.planners.grammar.splits import shifted_back
from rag_backend.planners.grammar.state import State
from rag_backend.planners.grammar.targets import is_group


def mark(c: State, place: int, part: Mark) -> None:
    draft, wait, kind = c.draft, c.wait, part.kind
    if kind.startswith("STAT_"):
        _stat(c, place, part)
    elif kind == "SHARE":
        _share(c, place, part)
    elif kind == "RATIO":
        draft.flags.add("ratio")
    elif kind == "RUN" and part.text.startswith(("add", "buil")) and not part.text.endswith("over"):
        draft.flags.add("adds up")
    elif kind in ("RUN", "TREND", "CHANGE", "COMPARE", "VS", "LIST"):
        draft.flags.add(kind.lower())
        if kind == "LIST":
            _listed_by_value(c, place)
        after = c.after(part)
        c.joined = c.joined or (kind == "VS" and isinstance(after, Measure))
    elif kind == "OVER":
        _over(c, part)
    elif kind == "SAME":
        _year_before(c, part)
    elif kind in ("GROWN", "SHRUNK"):
        _growth(c, kind == "GROWN")
    elif kind == "HOWMANY" and part.and_said and draft.asks and c.next_target(place, counted=True) is None:
        raise Stop("not_understood", "two numbers: ask for the second with its noun", part.text)
    elif kind == "HOWMANY" and _people(c, place):
        return
    elif kind == "HOWMANY":
        following = c.next_target(place, counted=True)
        if following is not None and _is_said_of(c, place, following):
            raise c.stop(part)
        after = c.after(part)
        if isinstance(after, Mark) and after.kind == "UNIT_WORD" and after.text == "days":
            wait.count = True
            return
        wait.count = (following is not None and not _count_of_before(c, place, following)) or _trailing(c, place)
    elif kind == "MUCH":
        wait.much = True
    elif kind == "FIGURES":
        wait.figures = part.number
    elif kind == "N":
        _count_of_rows(c, part)
    elif kind == "WHICH":
        _which(c, place, part)
    elif kind == "RANK":
        wait.which = True
        draft.flags.add("ranked")
    elif kind in ("ORDER", "BY", "PER"):
        _by(c, place, part)
    elif kind.startswith("DIR_"):
        for ask in draft.asks:
            c.fits(part, ask.id)
        _direction(c, kind == "DIR_DESC")
    elif kind == "WITHOUT" and (part.led_by("AND", "OR", "WITH") or _is_vs(c.before(part))):
        raise Stop("not_understood", "with and without are two questions", part.text)
    elif kind == "WITHOUT":
        wait.absent = True
    elif kind == "UNIT_WORD":
        _unit_word(c, part)
    elif kind == "SEPARATELY":
        draft.flags.add("each")


def _which(c: State, place: int, part: Mark) -> None:
    """`which branch …`; `which translators do we have` lists them."""
    if _which_of_them(c, place):
        return
    if c.draft.asks and part.led_by("AND", "PREP"):
        raise Stop("not_understood", "two questions: ask them one after the other", part.text)
    c.wait.which = True
    if all(isinstance(one, (Mark, Values)) for one in c.parts):
        _listed_by_value(c, place)
        c.wait.which = not c.draft.head
    c.draft.flags.add("which")


def _which_of_them(c: State, place: int) -> bool:
    """`fines by branch: which one is highest?`: the row at that end."""
    following = c.after(c.parts[place])
    last = isinstance(following, Extreme) and following.kind == "sup" and c.after(following) is None
    told = last and following is not None and following.led_by("COP") and len(c.draft.asks) == 1 and bool(c.draft.groups)
    return told and [node.text for node in c.parts[place].lead] in ([":"], [","], [";"])


def _is_vs(part: Part | None) -> bool:
    return isinstance(part, Mark) and part.kind == "VS"


def _listed_by_value(c: State, place: int) -> None:
    """`list the translators`: a word for those who have a value."""
    before = c.before(c.parts[place])
    if c.text(c.parts[place]).casefold() == "names" and before is not None and not c.parts[place].lead:
        raise c.stop(c.parts[place])
    following, target = c.after(c.parts[place]), c.next_target(place)
    values = following if isinstance(following, Values) and following.only and not following.named else None
    table = c.model.joins[join].table if values and values.only and (join := c.model.dimensions[values.only.dim].join) else ""
    listed = [name for name, one in c.model.entities.items() if table and one.table == table and one.list]
    alone = target is None or (isinstance(target, Thing) and target.led_by("WITH", "AND"))
    if listed and alone and not (c.draft.asks or c.draft.subject or c.draft.head):
        c.draft.head = listed[0]


def _count_of_rows(c: State, part: Mark) -> None:
    """A bare number is how many rows are wanted: it stands before what the rows are of, or after the ranking."""
    following, before = c.after(part), c.before(part)
    if isinstance(before, Mark) and before.kind == "PER":
        raise Stop("not_understood", f"so many for every {part.number}: ask for the share or the average", c.text(part))
    alone = following is None or (isinstance(following, (Thing, Extreme, Values)) and not following.led_by("AND", "OR", "PREP"))
    if c.wait.number or part.led_by("OR") or not alone:
        raise c.stop(part)
    c.wait.number = part.number


def _over(c: State, part: Mark) -> None:
    """`month over month`; after a single period, the one before it is meant: "last quarter against the quarter before"."""
    periods = [period for period, _ in c.draft.periods]
    split = any(isinstance(one, Split) and any(dim == "" for dim, _ in one.groups) for one in c.parts)
    unit = part.text or (periods[0].unit if periods else "")
    if len(periods) == 1 and periods[0].unit == unit and periods[0].start and not periods[0].several and not split:
        before = calendar.period(calendar.shifted(periods[0].start, unit, -1), unit)
        c.draft.periods.append((before, part.first))
        c.draft.flags.add("vs")
        c.draft.flags.discard("change")
        return
    if len(periods) == 1 and unit == "year" and not split:
        shifted_back(c, part)
        return
    if not unit or (periods and periods[0].unit != unit and not split):
        raise c.stop(part)
    c.draft.flags.add("change")
    c.group(("", unit))


def _year_before(c: State, part: Mark) -> None:
    """`Q1 2026 against the same quarter a year earlier`: of the one period before or after it."""
    periods = [period for period, _ in c.draft.periods]
    if not periods and any(isinstance(one, When) for one in c.parts):
        c.wait.year_before = True
        return
    if len(periods) != 1:
        raise c.stop(part)
    shifted_back(c, part)


def _is_said_of(c: State, place: int, target: Target) -> bool:
    """Whether a noun is what somebody had, not what is counted: "how many children had a crime loan"."""
    between = [part for part in c.parts[place + 1 :] if part.first <= target.first]
    return any(part.led_by("HAVE", "THAT", "WITH") for part in between)


def _people(c: State, place: int) -> bool:
    """`how many children`: a value whose word stands for what it describes."""
    following = c.after(c.parts[place])
    if not isinstance(following, Values) or following.only is None or following.named or following.negated:
        return False
    entity = c.model.dimensions[following.only.dim].describes
    target = c.next_target(place)
    if not entity or not (target is None or target.led_by("PREP") or _is_said_of(c, place, target)):
        return False
    metric, most = c.lexicon.base_count(entity), c.wait.extreme
    if most is not None and most.kind == "sup" and c.draft.groups:
        c.order(metric, most.desc, c.parts[place])
        c.limit(most)
        c.wait.extreme = None
        return True
    c.ask(Ask(metric, noun=entity, counted=True), c.parts[place])
    c.joined = False
    return True


def _count_of_before(c: State, place: int, following: Target) -> bool:
    """`reader count and fines`: the word counts the noun before it, where another number is joined on."""
    part, before = c.parts[place], c.before(c.parts[place])
    noun = isinstance(before, Thing) and bool(before.entity) and before.last == part.first and not part.lead
    return noun and c.text(part).casefold() in ("count", "headcount", "tally") and following.and_said


def _trailing(c: State, place: int) -> bool:
    """`loans: how many?` and `loan count` count what stands before; nothing waits."""
    asks = c.draft.asks
    if place and asks and isinstance(c.parts[place - 1], (Thing, Measure, Values, When, Split, Threshold)):
        asks[-1].counted = True
    elif place and isinstance(c.parts[place - 1], Thing) and c.draft.head:
        _count_head(c)
    else:
        raise c.stop(c.parts[place])
    return False


def _count_head(c: State) -> None:
    """`branch count`: the noun at the head is what is counted."""
    draft = c.draft
    entity, draft.head = draft.head, ""
    draft.groups = [one for one in draft.groups if one != draft.subject]
    draft.subject = None
    draft.asks.append(Ask(c.lexicon.base_count(entity), noun=entity, counted=True))


def _stat(c: State, place: int, part: Mark) -> None:
    stat = part.kind[5:]
    later = [p for p in c.parts[place + 1 :] if isinstance(p, Measure) or (isinstance(p, Mark) and p.kind in ("HOWMANY", "MUCH"))]
    noun = c.next_target(place)
    if later or (isinstance(noun, Thing) and noun.entity) or not c.draft.asks:
        c.wait.stats.append(stat)
    else:
        c.draft.asks[-1].stats.append(stat)
    if stat in ("max", "min"):
        c.draft.flags.add("extreme")


def _share(c: State, place: int, part: Mark) -> None:
    draft = c.draft
    following = c.next_target(place)
    whole = part.text.endswith(("total", "in percent", "in %")) and part.text.startswith(("as", "in "))
    ratio = part.led_by_word("as") or part.text in ("divided by",) or part.text.startswith("as ")
    if part.and_said and draft.asks and following is None:
        raise Stop("not_understood", "two numbers: ask for the share by itself", part.text)
    if part.text.startswith("as ") and not draft.asks:
        raise Stop("not_understood", "name the part first: `fines as a share of costs`", part.text)
    if part.text.startswith("mix") and sum(isinstance(one, Split) for one in c.parts) != 1:
        raise Stop("not_understood", "the mix of which whole? say `share of … by …`", part.text)
    if "share" in draft.flags:
        return
    draft.flags |= {"share", "divided"} if part.text == "divided by" else {"share"}
    if draft.asks and not whole and ratio and following is not None:
        draft.asks[-1].of, draft.asks[-1].transform = "?", "share_of_total"
        c.wait.share = True
    elif draft.asks and (whole or following is None):
        draft.asks[-1].transform = "share_of_total"
    else:
        c.wait.share = True
    before = c.before(part)
    said_of = not part.lead or part.led_by_word("as", ":") or all(node.text in (":", ",") for node in part.lead)
    if isinstance(before, Values) and said_of and c.wait.share:
        for one in draft.filters:
            if one.at == before.first:
                one.role = "part" if ratio else "maybe"


def _growth(c: State, up: bool) -> None:
    draft = c.draft
    draft.flags.add("change")
    if c.wait.extreme is not None:
        draft.by_change = up if c.wait.extreme.desc else not up
        draft.limit = draft.limit or c.wait.extreme.n or c.wait.number or 1
        c.wait.extreme, c.wait.number = None, 0
    elif any(isinstance(one, Extreme) and one.kind == "most" for one in c.parts):
        draft.by_change = up


def _by(c: State, place: int, part: Mark) -> None:
    following = c.after(part)
    if isinstance(following, When) and part.kind == "PER":
        if not following.period.several:
            raise c.stop(part)
        c.group(("", following.period.unit))
        return
    across = part.text.startswith(("across", "over"))
    if isinstance(following, Thing) and following.entity and not following.dim and across and c.draft.subject is None:
        return
    if isinstance(following, Values) and part.kind == "PER" and c.next_target(place) is None:
        raise c.stop(following)
    target = c.next_target(place)
    if isinstance(following, Values) and part.kind == "BY" and _ranks(c, target):
        c.wait.order = part
        return
    if isinstance(following, (Values, When)) and part.kind != "ORDER":
        return
    if isinstance(following, Dated) or (isinstance(following, Thing) and following.dim and is_group(c, following)):
        if isinstance(following, Thing) and part.kind == "ORDER":
            c.draft.order.append((following.dim, False))
        return
    if target is None and not isinstance(following, (Extreme, Mark)):
        raise c.stop(part)
    c.wait.order = part


def _ranks(c: State, target: Target | None) -> bool:
    """`top 3 branches by crime loans`: what is counted ranks them."""
    ranked = c.draft.limit and c.draft.subject and not (c.draft.order or c.draft.asks)
    counted = isinstance(target, Thing) and bool(target.entity) and target.plural and not target.lead
    return bool(ranked and counted)


def _direction(c: State, desc: bool) -> None:
    draft = c.draft
    if draft.order:
        draft.order[-1] = (draft.order[-1][0], desc)
    elif len(draft.asks) == 1 and draft.groups:
        draft.order.append((draft.asks[0].id, desc))
    elif len(draft.asks) > 1:
        raise Stop("not_understood", "by which of the numbers are they ranked?")
    else:
        draft.flags |= {"ranked"} if desc else {"ranked", "ascending"}


def _unit_word(c: State, part: Mark) -> None:
    """`in dollars`, `in days`: what the number is measured in, where it is."""
    units = {c.model.metrics[one.id].unit for one in c.draft.asks}
    if part.text == "days" and ("days" in units or c.wait.count):
        return
    if part.text in ("percent", "%") and "share" in c.draft.flags:
        return
    if part.text in ("dollars", "usd", "bucks", "dollar") and "USD" in units:
        return
    raise c.stop(part)
