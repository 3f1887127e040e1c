"""A draft as a typed query: what the head of the question is, whom thresholds test, which date a window is of, what a ranking orders by."""

from __future__ import annotations

import datetime
from dataclasses import replace

from rag_backend.planners.grammar.choices import Choices
from rag_backend.planners.grammar.draft import Ask, Draft, Stop, Test
from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.metrics_of import Uses, measured
from rag_backend.planners.grammar.windows import Windows, windows_of
from rag_backend.query.problems import problems_of
from rag_backend.query.typed_query import GroupBy, Having, Limit, Order, TypedQuery, Unit

_GRAINS = ("month", "quarter", "year")


class Assembly:
    """One candidate query from one draft; `notes` are what it took as given."""

    def __init__(self, draft: Draft, lexicon: Lexicon, today: datetime.date, choices: Choices) -> None:
        self.draft, self.lexicon, self.model = draft, lexicon, lexicon.model
        self.today, self.choices = today, choices
        self.notes: list[str] = []
        self.groups = list(dict.fromkeys(draft.groups))
        self.asks = [replace(ask) for ask in draft.asks]

    def query(self) -> TypedQuery:
        """The query.

        Raises:
            Stop: the slots do not make one. Undecided: there is a choice to make.
        """
        if self.draft.absent:
            return self._checked(self._absence())
        listed = self._head()
        if listed is not None:
            return self._checked(listed)
        self._asks()
        self._over_time()
        unit, having = self._tests()
        uses = measured(self, unit)
        window = windows_of(self, uses)
        order, limit = self._order()
        groups = self._group_by(window)
        query = TypedQuery(
            metrics=uses.metrics,
            group_by=groups,
            where=self.where(),
            unit=uses.unit,
            having=having,
            time=window.time,
            compare=window.compare,
            order_by=tuple(self._dated(one, window) for one in order),
            limit=limit,
        )
        return self._checked(query)

    def _checked(self, query: TypedQuery) -> TypedQuery:
        if wrong := problems_of(query, self.model):
            raise Stop("not_understood", f"this cannot be computed: {wrong[0]}")
        return query

    def where(self) -> tuple:  # type: ignore[type-arg]
        return tuple((one,) for one, at in self.draft.filters if not self._is_part(at))

    def _is_part(self, at: int) -> bool:
        return bool("share" in self.draft.flags and self.draft.part_from >= 0 and at >= self.draft.part_from)

    def part(self) -> list:  # type: ignore[type-arg]
        return [one for one, at in self.draft.filters if self._is_part(at)]

    def _head(self) -> TypedQuery | None:
        """Decide what a noun at the head is: rows, what is counted, or a list."""
        draft = self.draft
        if draft.head is None or draft.subject is not None:
            return self._list_of_asked()
        entity, dim, at = draft.head
        if draft.order or (draft.tests and not draft.asks) or ("list" in draft.flags and (self.asks or draft.tests)):
            if (dim, "none") not in self.groups:
                self.groups.insert(0, (dim, "none"))
            return None
        if not entity:
            raise Stop("not_understood", f"what about each {self.model.dimensions[dim].label}? say which number")
        count = Ask(self.lexicon.base_count(entity), noun=entity, first=at, last=at + 1)
        if self.asks or self.groups or draft.periods or draft.tests or not self.model.entities[entity].list:
            if "list" in draft.flags:
                raise Stop("not_understood", "a list has no window and no groups")
            self.asks.insert(0, count)
            return None
        form = "list" if "list" in draft.flags else self.choices.choose("Do you want the list, or how many there are?", ("list", "count"))
        if form == "list":
            return TypedQuery(form="list", entity=entity, where=self._own_where(entity))
        self.asks.insert(0, count)
        return None

    def _own_where(self, entity: str) -> tuple:  # type: ignore[type-arg]
        listed = self.model.entities[entity].list
        if any(one.dim not in listed for one, _ in self.draft.filters):
            raise Stop("not_understood", "a list can be limited only by what it shows")
        return self.where()

    def _list_of_asked(self) -> TypedQuery | None:
        draft = self.draft
        if draft.subject and draft.head and not (self.asks or draft.tests or draft.order or draft.limit):
            entity = draft.head[0]
            if self.model.entities[entity].list and len(self.groups) == 1 and not draft.periods:
                return TypedQuery(form="list", entity=entity, where=self._own_where(entity))
        if "list" in draft.flags and len(self.asks) == 1 and self.asks[0].noun and not self.groups and self.asks[0].role != "counted":
            label = self.model.entities[self.asks[0].noun].label
            raise Stop("not_permitted", f"{label} are counted, never listed", label)
        return None

    def _asks(self) -> None:
        """A number is asked for: one that is named, else those that are tested."""
        if not self.asks:
            tested = dict.fromkeys(one.metric for one in self.draft.tests if one.metric)
            self.asks = [Ask(metric) for metric in tested]
        if not self.asks and self.draft.limit:
            self.asks = [Ask(self.choices.choose("By which number are they ranked?", self._rankings()))]
        if not self.asks:
            raise Stop("not_understood", "no number is asked for: name one")
        if "which" in self.draft.flags and not (self.draft.order or self.draft.tests or self.draft.limit or self._only_filters()):
            raise Stop("not_understood", "which of them is not said: name the highest, the lowest, or a threshold")

    def _only_filters(self) -> bool:
        """`what branches are there for …`: nothing chooses among the rows."""
        return bool(self.draft.asks) and not self.draft.asks[0].noun

    def _rankings(self) -> list[str]:
        counts = [name for name, one in self.model.metrics.items() if one.count and not one.where][:1]
        sums = [name for name, one in self.model.metrics.items() if one.sum and one.unit != "count"][:3]
        return counts + sums

    def _over_time(self) -> None:
        flags = self.draft.flags
        dated = [one for one in self.groups if self._is_date(one)]
        compared = "vs" in flags or ("change" in flags and len(self.draft.periods) == 1 and self.draft.periods[0][0].ends)
        if flags & {"change", "run", "trend"} and not dated and not compared:
            self.groups.append(("", self.choices.choose("By month, quarter or year?", _GRAINS)))
        if "change" in flags and not compared:
            self.asks[0].transform = "change"
        if "run" in flags:
            self.asks[0].transform = "running_total"

    def _is_date(self, group: tuple[str, str]) -> bool:
        return group[0] == "" or self.model.dimensions[group[0]].type == "date"

    def _tests(self) -> tuple[Unit, tuple[Having, ...]]:
        """Whom thresholds are for: the rows, or each entity that is counted."""
        draft, first = self.draft, self.asks[0]
        unit: list[Having] = []
        rows: list[Having] = []
        for test in draft.tests:
            of_rows = bool(self.groups) and (
                draft.subject is not None or draft.head is not None or test.at > draft.group_at or not first.noun
            )
            if of_rows and first.noun and not test.metric and draft.group_at < 0:
                of_rows = False
            having = self._having(test, of_rows)
            (rows if of_rows else unit).append(having)
        if unit and (not first.noun or any(one.of for one in unit)):
            raise Stop("not_understood", "it is not clear what the threshold is for: split by something, or count something")
        if unit and any(self.model.metrics[one.metric].count == first.noun and not self.model.metrics[one.metric].where for one in unit):
            raise Stop("not_understood", "a threshold on a count needs something that has several of them")
        return (Unit(entity=first.noun, having=tuple(unit)) if unit else Unit()), tuple(rows)

    def _having(self, test: Test, of_rows: bool) -> Having:
        metric = test.metric or (self.asks[0].id if of_rows or not self.asks[0].noun else self._measure_of_each())
        declared = self.model.metrics[metric]
        if declared.per:
            raise Stop("not_understood", f"a threshold on {declared.label} cannot be computed")
        if test.of:
            return Having(metric=metric, op=test.op, of="average")  # type: ignore[arg-type]
        value = test.value or 0.0
        if declared.unit == "rate" and (test.percent or value > 1):
            if not test.percent:
                self.notes.append(f"{value:g} is read as {value:g} percent")
            value = round(value / 100, 10)
        elif test.percent:
            raise Stop("not_understood", f"{declared.label} is no rate: a threshold in percent does not fit")
        return Having(metric=metric, op=test.op, value=value)  # type: ignore[arg-type]

    def _measure_of_each(self) -> str:
        sums = [name for name, one in self.model.metrics.items() if one.sum and one.unit != "count" and not one.where][:3]
        if not sums:
            raise Stop("not_understood", "the number is of nothing that is named")
        return self.choices.choose("Which number is the threshold for?", sums)

    def _order(self) -> tuple[list[tuple[str, bool]], Limit]:
        draft = self.draft
        order = list(draft.order)
        if draft.limit and not order:
            order = [(self.asks[0].id, draft.top != "bottom")]
        if "ranked" in draft.flags and not order and self.groups:
            order = [(self.asks[0].id, True)]
        if order and not self.groups:
            raise Stop("not_understood", "a ranking needs something to rank: say of what")
        number = draft.limit
        if number < 0:
            number = self.choices.choose("How many of them?", (5, 10, 20))
        per = tuple(dim for dim in draft.per if dim)
        ties = bool(number)
        return order, Limit(n=number, offset=draft.offset, per=per, ties=ties)

    def _group_by(self, window: Windows) -> tuple[GroupBy, ...]:
        named = [(dim or window.date, grain) for dim, grain in self.groups]
        if any(self._is_date(one) for one in self.groups) and window.compare:
            raise Stop("not_understood", "two windows are compared already: they are not split by time as well")
        first = [one for one in named if one[0] in self.draft.per]
        rest = [one for one in named if one not in first]
        return tuple(GroupBy(dim=dim, grain=grain) for dim, grain in first + rest)  # type: ignore[arg-type]

    def _dated(self, one: tuple[str, bool], window: Windows) -> Order:
        by, desc = one
        if window.compare and by:
            raise Stop("not_understood", "a comparison is not ranked")
        return Order(by=by or window.date, desc=desc)

    def _absence(self) -> TypedQuery:
        """Entities with nothing of a kind: from their own table, or of those that are in the lines."""
        draft, declared = self.draft, self.model.metrics[self.draft.absent]
        if draft.tests or draft.order or len(self.asks) > 1:
            raise Stop("not_understood", "ask for what is absent by itself")
        noun = self.asks[0].noun if self.asks else (draft.head or ("", "", 0))[0]
        counted = bool(self.asks)
        whole = not declared.where
        zero = (Having(metric=draft.absent, op="eq", value=0),)
        if noun and self.model.entities[noun].list and not counted:
            self.asks = [Ask(draft.absent)]
            window = windows_of(self, Uses((), Unit()))
            if self.groups and self.groups != [(draft.head[1] if draft.head else "", "none")]:
                raise Stop("not_understood", "a list is not split")
            return TypedQuery(form="list", entity=noun, where=self.where(), having=zero, time=window.time)
        if not noun and draft.head:
            self.asks = [Ask(draft.absent)]
            window = windows_of(self, Uses((), Unit()))
            groups = tuple(GroupBy(dim=dim) for dim in [draft.head[1]])
            return TypedQuery(metrics=measured(self, Unit()).metrics, group_by=groups, where=self.where(), having=zero, time=window.time)
        if not noun or whole or declared.count == noun:
            raise Stop("not_in_data", "what has none at all is not known from the data, only what a list of its own holds")
        window = windows_of(self, Uses((), Unit()))
        uses = measured(self, Unit(entity=noun, having=zero))
        return TypedQuery(metrics=uses.metrics, group_by=self._group_by(window), where=self.where(), unit=uses.unit, time=window.time)
