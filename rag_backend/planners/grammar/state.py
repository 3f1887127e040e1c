"""The reading of one question as far as it is: the draft, what waits for its number or noun, and the steps that every rule is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag_backend.planners.grammar.draft import Ask, Draft, Filter, Reading, Stop, Test
from rag_backend.planners.grammar.model_of import ratio_of
from rag_backend.planners.grammar.parts import Dated, Extreme, Mark, Measure, Part, Split, Target, Thing, Threshold, Values, When
from rag_backend.planners.grammar.tokens import tokens_of
from rag_backend.query.typed_query import Condition

OF_TIME = frozenset(("longest", "slowest", "shortest", "fastest", "quickest", "longer", "shorter"))
OF_COUNTS = frozenset(("busiest", "busy"))
RANKING = frozenset(("ORDER", "RANK", "BY", "WHICH"))
AVERAGES = ("average", "mean", "avg")


@dataclass
class Pending:
    """Words that wait for the number or the noun that they belong to."""

    count: bool = False
    much: bool = False
    stats: list[str] = field(default_factory=list)
    test: Threshold | None = None
    after_split: bool = False
    extreme: Extreme | None = None
    share: bool = False
    absent: bool = False
    measure: str = ""
    of: str = ""
    per: str = ""
    order: Mark | None = None
    number: int = 0
    figures: int = 0
    which: bool = False
    year_before: bool = False


class State:
    """What the rules read and write. `leads`: the function words that lead to the present part, over values and windows."""

    def __init__(self, r: Reading, parts: list[Part]) -> None:
        self.r, self.parts, self.lexicon, self.model = r, parts, r.lexicon, r.lexicon.model
        self.draft, self.wait = Draft(), Pending()
        self.joined, self.split_last = True, False
        self.leads: set[str] = set()
        self.limits: set[int] = set()
        self.dated = self.by_verb = False
        self.unsaid: list[Part] = []

    def begins(self, part: Part) -> bool:
        """Whether one more number may be asked for here: after a joiner, or where a question word begins anew."""
        wait = self.wait
        return self.joined or wait.count or wait.much or bool(wait.stats) or wait.share

    def ask(self, ask: Ask, part: Part) -> None:
        wait, draft = self.wait, self.draft
        if wait.much and self.model.metrics[ask.id].count and not self.r.node(part.first).reading.value:
            raise self.stop(part)
        ask.of_entity, wait.of = wait.of, ""
        ask.first, ask.text, ask.stats = part.first, self.text(part), [*wait.stats]
        if wait.share:
            if draft.asks and draft.asks[-1].of == "?":
                draft.asks[-1].of, wait.share = "" if ask.id == draft.asks[-1].id else ask.id, False
                return
            ask.transform, wait.share = "share_of_total", False
        wait.stats, wait.count, wait.much = [], False, False
        ask.per, wait.per = wait.per or ask.per, ""
        if self._said_again(ask, part):
            draft.asks[-1].counted = True
            return
        if part.led_by("AND") and any(one.id == ask.id and one.stats == ask.stats for one in draft.asks):
            raise Stop("not_understood", "the same number is asked for twice", self.text(part))
        self.one_clause(part)
        draft.asks.append(ask)
        self.span(f"metric {ask.id}", part)

    def _said_again(self, ask: Ask, part: Part) -> bool:
        """`loans returned in May: number of loans per branch`: after the colon the same is counted, and only split."""
        before, asks = self.before(part), self.draft.asks
        mark = before if isinstance(before, Mark) and before.kind == "HOWMANY" else None
        lead = [node.text for one in (mark, part) if one for node in one.lead if node.cat == "AND"]
        said = [self.model.metrics[one.id] for one in (*asks, ask)]
        same = len(asks) == 1 and said[0].count == said[1].count != "" and not (said[0].where or said[1].where)
        same = same and not (asks[0].stats or ask.stats or asks[0].per or ask.per)
        plain = asks[0].transform == ask.transform == "none" if asks else False
        return same and plain and lead == [":"] and all(isinstance(one, Split) for one in self.parts if one.first > part.first)

    def one_clause(self, part: Part) -> None:
        """What stands between two numbers might hold for the first of them alone."""
        draft = self.draft
        if not draft.asks:
            return
        first = draft.asks[0].first
        if draft.group_at > first and any(isinstance(one, Split) and one.first > part.first for one in self.parts):
            raise Stop("not_understood", "one question at a time: what is split differently has to be asked separately", self.text(part))
        if any(first < at for at in [*(one.at for one in draft.filters), *(at for _, at in draft.periods)]) and not self._carried(part):
            raise Stop("not_understood", "it is not clear whether what was said before holds for both", self.text(part))

    def _carried(self, part: Part) -> bool:
        """`… at branch A in 2025, and what was …`: what was said before holds for the second question, which limits nothing itself."""
        before = self.before(part)
        mark = before if isinstance(before, Mark) and before.kind in ("HOWMANY", "MUCH") else None
        lead = [*(mark.lead if mark else ()), *part.lead]
        again = bool(mark) or any(node.text.casefold().startswith(("what", "how")) for node in lead)
        later = any(isinstance(one, (Values, When, Threshold, Split)) and one.first > part.first for one in self.parts)
        kinds = {condition.dim for one in self.draft.filters for condition in one.group}
        counted = any(self._is_kind(dim) for dim in kinds)
        joined = any(node.cat == "AND" for node in lead)
        return again and joined and not (later or counted or self.dated or self.by_verb or self.draft.tests)

    def _is_kind(self, dim: str) -> bool:
        """Whether metrics are told apart by a dimension: then a value of it says which number is meant."""
        column = self.model.dimensions[dim].sql
        return any(column and column in one.where for one in self.model.metrics.values())

    def subject(self, part: Thing) -> None:
        """What the rows of the answer are."""
        draft, wait = self.draft, self.wait
        if part.entity and not part.dim:
            if wait.number or (wait.which and not draft.asks):
                label = self.model.entities[part.entity].label
                raise Stop("not_permitted", f"{label} are counted, never named", self.text(part))
            raise self.stop(part)
        group = ("", part.grain) if part.grain else (part.dim, "none")
        if part.grain and part.dim:
            self.date(part.dim, part)
        if draft.subject not in (None, group) and not self.joined:
            raise self.stop(part)
        ranked = bool(draft.order) and draft.subject is None and not part.lead
        if draft.asks and not (self.joined or ranked or wait.which or wait.number or wait.extreme or part.led_by_word("what", "which")):
            raise self.stop(part)
        if group not in draft.groups:
            draft.groups.append(group)
        if draft.subject is None:
            draft.subject, draft.head = group, part.entity
        if wait.number and not any(isinstance(one, Extreme) or (isinstance(one, Mark) and one.kind in RANKING) for one in self.parts):
            raise self.stop(part)  # `readers at two branches`: how many there are, not how many to show
        if wait.number:
            draft.limit, wait.number = wait.number, 0
        if wait.which or part.led_by_word("what", "which"):
            draft.flags.add("which")
        wait.which = False
        self.span("group_by", part)

    def filter(self, group: tuple, part: Part, role: str = "") -> None:  # type: ignore[type-arg]
        known = [one for one in self.draft.filters if one.role == role]
        if any(one.group == group for one in known):
            return
        for one in known:
            if len(one.group) == len(group) == 1 and one.group[0].dim == group[0].dim and one.group[0].op == group[0].op == "in":
                raise Stop("not_understood", "two conditions on the same thing that cannot both hold", self.text(part))
        self.draft.filters.append(Filter(group, part.first, role))

    def group(self, group: tuple[str, str]) -> None:
        if group not in self.draft.groups:
            self.draft.groups.append(group)

    def before(self, part: Part) -> Part | None:
        """The part before one, if there is one."""
        return next((one for one in reversed(self.parts) if one.last <= part.first), None)

    def after(self, part: Part) -> Part | None:
        """The part after one, if there is one."""
        return next((one for one in self.parts if one.first >= part.last), None)

    def date(self, dim: str, part: Part, *, by_verb: bool = False) -> None:
        """The date that windows and periods are of; a noun says it for good, a later verb takes the place of an earlier one."""
        if self.dated and by_verb:
            self.unsaid.append(part)
            return
        if self.draft.date not in ("", dim) and not (self.by_verb and by_verb):
            raise Stop("not_understood", "two dates are named", self.text(part))
        self.draft.date, self.by_verb = dim, by_verb
        self.span("time.date", part)

    def verb(self, place: int) -> None:
        """A verb that says which date a time phrase means: "received", "paid"."""
        words = [token.norm for token in tokens_of(self.r.node(place).text) if token.norm not in ("out", "in")]
        word = words[-1] if words else ""
        if word in self.lexicon.verbs and not self.dated:
            self.draft.date, self.by_verb, self.dated = self.lexicon.verbs[word], True, True

    def next_target(self, place: int, *, counted: bool = False) -> Target | None:
        """The number or noun that follows, with nothing but its values between."""
        for part in self.parts[place + 1 :]:
            if isinstance(part, (Measure, Thing)):
                return part
            passed = isinstance(part, Values) or (isinstance(part, Dated) and part.verb) or (counted and isinstance(part, When))
            if not passed and not (isinstance(part, Mark) and part.kind in ("HOWMANY", "MUCH")):
                return None
        return None

    def test(self, metric: str, part: Threshold, after_split: bool) -> None:
        if metric:
            self.fits(part, metric)
        self._one_more_test(part, metric)
        noun = self._limited_by(part)
        for op, value in part.tests:
            number = None if part.of else value
            self.draft.tests.append(Test(metric, op, number, part.of, part.percent, after_split, part.unit, noun))
        self.span("having", part)

    def _rate_beside_count(self, part: Part, metric: str) -> bool:
        """`branches with at least 20 loans have a late rate over 5 %`: a rate is of the rows, and so is the count beside it."""
        draft, before = self.draft, self.before(part)
        leads = [part, before] if isinstance(before, Measure) else [part]
        tied = any(one.led_by("WITH", "HAVE") or one.led_by_word("on", "across") for one in leads)
        if not (tied and metric and draft.tests and draft.subject) or any(isinstance(one, Split) for one in self.parts):
            return False
        earlier = {test.metric or (draft.asks[0].id if draft.asks else "") for test in draft.tests}
        kinds = [self.model.metrics[name] for name in (*earlier, metric) if name]
        return len(kinds) == len(("rate", "count")) and sorted((bool(one.ratio), bool(one.count)) for one in kinds) == [
            (False, True),
            (True, False),
        ]

    def _one_more_test(self, part: Part, metric: str) -> None:
        """`at least 9 loans or over $5`, `3 loans over $5`: another threshold is joined by `and`, and both hold for the same."""
        before = self.before(part)
        leads = [part, before] if isinstance(before, Measure) else [part]
        if any(one.led_by("OR") for one in leads) and (self.draft.tests or self.draft.filters):
            raise Stop("not_understood", "one of two thresholds: ask for each by itself", self.text(part))
        noun = self.before(before) if before else None
        near = [*leads, *(one for one in (before, noun) if one)]
        joined = self.text(part).casefold().startswith("and ") or any(one.led_by("AND", "THAT") for one in near)
        joined = joined or self._rate_beside_count(part, metric)
        if self.draft.tests and not joined:
            raise Stop("not_understood", "what each of the two thresholds is for is not clear: join them by `and`", self.text(part))

    def set_per(self, entity: str, part: Part) -> None:
        """The last number is on average for each of these.

        Raises:
            Stop: it is for each of something else already.
        """
        ask = self.draft.asks[-1]
        if ask.per not in ("", entity):
            raise Stop("not_understood", "two averages have to be asked separately", self.text(part))
        ask.per = entity

    def _limited_by(self, part: Part) -> str:
        """The noun right before a threshold, of which only some are meant: `the fines of loans that cost more than $5`."""
        before = part if part.led_by("AND", "OR") else self.before(part)
        if isinstance(before, (Measure, Values)) and not before.led_by("AND", "OR"):
            before = self.before(before)
        return before.entity if isinstance(before, Thing) and before.first in self.limits else ""

    def fits(self, part: Part, metric: str) -> None:
        """`slowest`, `longer than` are said of times alone.

        Raises:
            Stop: of anything else.
        """
        text, declared = self.text(part), self.model.metrics[metric]
        if set(text.casefold().split()) & OF_TIME and declared.unit != "days":
            raise Stop("not_understood", f"{text!r} is said of times, not of {declared.label}", text)
        if set(text.casefold().split()) & OF_COUNTS and not declared.count:
            raise Stop("not_understood", f"{text!r} is said of how many there are, not of {declared.label}", text)

    def order(self, metric: str, desc: bool, part: Part) -> None:
        """Rank by a metric, which is shown too."""
        draft, wait = self.draft, self.wait
        stats, wait.stats = wait.stats, []
        if not any(one.id == metric for one in draft.asks):
            averaged = isinstance(part, Measure) and tokens_of(self.r.node(part.first).text)[0].norm in AVERAGES
            noun = part.entity if isinstance(part, Thing) else ""
            ask = Ask(metric, stats=stats, noun=noun, averaged=averaged, counted=True, first=part.first, text=self.text(part))
            ask.of_entity, wait.of = wait.of, ""
            if wait.share:
                ask.transform, wait.share = "share_of_total", False
            draft.asks.append(ask)
        draft.order.append((metric, desc and not draft.flags & {"bottom", "ascending"}))
        draft.flags.add("ranked")
        self.span(f"order_by {metric}", part)

    def limit(self, extreme: Extreme) -> None:
        draft = self.draft
        draft.limit = extreme.n or self.wait.number or draft.limit or 1
        draft.offset, self.wait.number = extreme.offset or draft.offset, 0
        draft.flags.add("winner")

    def of_lines(self) -> str:
        return next((name for name, one in self.model.metrics.items() if one.count and not one.where), "")

    def has_ratio(self, metric: str, entity: str) -> bool:
        """Whether a number for each of an entity is declared."""
        return bool(ratio_of(self.model, metric, self.lexicon.base_count(entity)))

    def mean_follows(self) -> bool:
        return any(isinstance(one, Mark) and one.kind == "STAT_mean" for one in self.parts) and not self.wait.stats

    def stop(self, part: Part) -> Stop:
        return Stop("not_understood", f"I do not understand {self.text(part)!r} here", self.text(part))

    def unfinished(self) -> Stop:
        waiting = [part for part in self.parts if isinstance(part, (Mark, Extreme, Threshold))]
        text = self.text(waiting[-1]) if waiting else ""
        return Stop("not_understood", f"{text!r} is said of a number or a thing that is not named", text)

    def text(self, part: Part) -> str:
        return " ".join(node.text for node in self.r.nodes[part.first : part.last])

    def span(self, slot: str, part: Part) -> None:
        self.draft.spans.append((slot, part.first, part.last))


def opposite(one: Condition) -> Condition:
    """The same test the other way round."""
    return one.model_copy(update={"op": "in" if one.op == "not_in" else "not_in"})
