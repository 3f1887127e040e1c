"""Thresholds and superlatives: each belongs to the number before or after it, or to the one that is asked for."""

from __future__ import annotations

from medflow.specs.semantic import SemanticModel
from rag_backend.planners.grammar.draft import Ask, Stop
from rag_backend.planners.grammar.model_of import entities_in, ratio_of
from rag_backend.planners.grammar.parts import Dated, Extreme, Mark, Measure, Part, Target, Thing, Threshold, When
from rag_backend.planners.grammar.state import OF_COUNTS, State

_PEAKS = frozenset(("peaked", "peak", "bottomed", "hit", "reached", "at"))
_PLACED = frozenset(("first", "last", "top", "tops", "number"))
_LINKS = ("COP", "THAT", "HAVE", "PREP", "FILL", "TO", "LIGHT", "TOTAL", "ART")


def threshold(c: State, place: int, part: Threshold) -> None:
    """A number before what it is for, after it, or of the number that is asked for."""
    following = c.next_target(place)
    if following is not None and not _said_in(c, following, part):
        following = None
    if c.wait.measure:
        if not said_in(c.model, c.wait.measure, part.unit):
            raise c.stop(part)
        c.test(c.wait.measure, part, c.split_last and not part.led_by("HAVE"))
        c.wait.measure = ""
        return
    if following is not None and not following.led_by("AND", "OR", "THAT", "COP") and not _for(following):
        c.wait.test, c.wait.after_split = part, c.split_last and not part.led_by("HAVE")
        return
    before = c.before(part)
    asks = c.draft.asks
    linked = isinstance(before, (Measure, Thing)) and asks and asks[-1].first == before.first and all(n.cat in _LINKS for n in part.lead)
    if linked and isinstance(before, (Measure, Thing)) and _said_in(c, before, part):
        ask = asks[-1]
        if not ask.counted and not (ask.noun and not part.led_by("COP") and len(asks) == 1 and not (c.draft.head or c.draft.subject)):
            asks.pop()
            c.test(_averaged(c, ask), part, False)
            return
    c.test("", part, c.split_last)


def said_in(model: SemanticModel, metric: str, unit: str) -> bool:
    """Whether a metric is measured in what a number is said in: dollars, days."""
    return not unit or model.metrics[metric].unit == unit


def _said_in(c: State, target: Target, part: Threshold) -> bool:
    metric = target.metric if isinstance(target, Measure) else c.lexicon.base_count(target.entity) if target.entity else ""
    return not part.unit or (bool(metric) and said_in(c.model, metric, part.unit))


def _averaged(c: State, ask: Ask) -> str:
    """The metric that a threshold after a number is for; of an average, the ratio that is one."""
    if not ask.stats:
        return ask.id
    named = entities_in(c.model, ask.text)
    ratio = ratio_of(c.model, ask.id, c.lexicon.base_count(named[0])) if len(named) == 1 and ask.stats == ["mean"] else ""
    if not ratio:
        raise Stop("not_understood", f"a threshold on the {ask.stats[0]} of {ask.text!r} cannot be computed", ask.text)
    return ratio


def _for(part: Part) -> bool:
    return any(node.cat == "PREP" and node.text.casefold() in ("for", "from", "at", "on", "among", "within") for node in part.lead)


def absent(c: State, part: Target, metric: str) -> None:
    if not c.model.metrics[metric].count or c.draft.absent:
        raise c.stop(part)
    c.draft.absent, c.wait.absent = metric, False
    c.span("having", part)


def extreme(c: State, place: int, part: Extreme) -> None:
    draft, following = c.draft, c.next_target(place)
    if c.wait.extreme or (draft.flags & {"winner"} and (draft.order or draft.limit)) or (draft.limit and part.n):
        raise Stop("not_understood", "two rankings have to be asked one after the other", c.text(part))
    if part.led_by_word("from"):
        raise c.stop(part)
    draft.flags.add("extreme")
    said = set(c.text(part).casefold().split())
    draft.flags |= {flag for flag, words in (("peak", _PEAKS), ("busy", OF_COUNTS)) if said & words}
    if draft.by_change is not None and part.kind == "most":
        draft.by_change = draft.by_change == part.desc
        c.limit(part)
        return
    after_verb = part.kind == "most" and draft.asks and not draft.asks[-1].noun and c.parts[place - 1].last <= part.first
    if part.kind == "sup" and following is None and not draft.asks and draft.subject:
        _counted_before(c, part)
    shown = part.kind in ("sup", "most") and following is None and len(draft.asks) == 1 and draft.groups and not c.wait.count
    if shown and all(isinstance(one, (When, Dated)) for one in c.parts[place + 1 :]):
        c.fits(part, draft.asks[0].id)
        c.order(draft.asks[0].id, part.desc, part)
        c.limit(part)
    elif after_verb and isinstance(c.parts[place - 1], Measure) and (following is None or following.lead):
        c.fits(part, draft.asks[-1].id)
        c.order(draft.asks[-1].id, part.desc, part)
        c.limit(part)
    elif part.kind == "common" and (following is None or not isinstance(following, Thing) or following.lead):
        c.order(c.of_lines(), part.desc, part)
        c.limit(part)
    elif part.kind == "top" and part.n and following is None and not any(isinstance(p, Mark) for p in c.parts[place + 1 :]):
        first_of_all(c, part)
    else:
        c.wait.extreme = part


def _counted_before(c: State, part: Extreme) -> None:
    """`in which month were loans highest`: how many of them there were."""
    noun = c.before(part)
    counted = isinstance(noun, Thing) and noun.plural and bool(noun.entity) and not noun.dim and noun.led_by("COP", "FILL", "HAVE")
    if isinstance(noun, Thing) and counted and not noun.led_by("WITH", "PREP", "THAT") and not part.led_by("AND", "WITH", "PREP"):
        c.draft.asks.append(Ask(c.lexicon.base_count(noun.entity), noun=noun.entity, counted=True, first=noun.first, text=c.text(noun)))


def first_of_all(c: State, part: Extreme) -> None:
    """`bottom three only`: so many of what is asked for, from the end that is said."""
    if c.text(part).casefold().startswith(("first", "the first")) and any(dim == "" for dim, _ in c.draft.groups):
        raise Stop("not_understood", "the earliest, or those with the most? say `earliest` by a window, or `top`", c.text(part))
    c.draft.limit = part.n
    if not part.desc:
        c.draft.flags.add("bottom")


def extreme_of(c: State, part: Target, metric: str, extreme: Extreme) -> None:
    leads = c.text(extreme).casefold().startswith("lead")
    named = isinstance(part, Thing) and bool(part.dim or part.grain) and not c.wait.count
    if leads and (named or c.wait.number or not c.draft.groups):
        raise c.stop(extreme)
    if c.wait.share and c.draft.asks:
        raise Stop("not_understood", "the largest share of what? name the rate", c.text(part))
    if isinstance(part, Thing) and part.grain and "first" in c.text(extreme).casefold().split():
        raise c.stop(extreme)
    if isinstance(part, Thing) and named and extreme.kind in ("top", "common", "sup"):
        number = extreme.n or c.wait.number or (-1 if part.plural else 1)
        c.wait.number = number
        c.subject(part)
        c.draft.limit, c.draft.offset = number, extreme.offset
        if not extreme.desc:
            c.draft.flags.add("bottom")
        if extreme.kind == "common":
            c.order(c.of_lines(), extreme.desc, part)
    elif metric and (c.wait.share or c.wait.count or leads or not (isinstance(part, Thing) and extreme.kind in ("sup", "top"))):
        c.fits(extreme, metric)
        c.order(metric, extreme.desc, part)
        c.limit(extreme)
    elif isinstance(part, Thing) and part.entity:
        label = c.model.entities[part.entity].label
        raise Stop("not_permitted", f"{label} are counted, never named", c.text(part))
    else:
        raise c.stop(part)
    c.wait.extreme = None


def placed(c: State, part: Target, metric: str) -> None:
    """Ranked by a number; `which branch comes last by loans`, `which was highest by loans`: the one at that end."""
    extreme = c.wait.extreme
    if extreme is None or not c.draft.groups or c.draft.order:
        c.order(metric, True, part)
        return
    place = set(c.text(extreme).casefold().split()) & _PLACED
    timed = any(dim == "" for dim, _ in c.draft.groups)
    if (
        extreme.kind not in ("sup", "top")
        or extreme.n
        or (extreme.kind == "top" and (timed or not place or len(c.text(extreme).split()) == 1))
    ):
        raise c.stop(extreme)
    c.fits(extreme, metric)
    c.order(metric, extreme.desc, part)
    c.limit(extreme)
    c.wait.extreme = None
