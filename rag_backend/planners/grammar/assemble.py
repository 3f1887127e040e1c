"""A draft as a typed query: what the head of the question is, whom thresholds test, which date a window is of, what a ranking orders by."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import replace

from rag_backend.planners.grammar.choices import Choices
from rag_backend.planners.grammar.draft import Ask, Draft, Stop
from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.metrics_of import Uses, measured
from rag_backend.planners.grammar.thresholds import thresholds
from rag_backend.planners.grammar.windows import Windows, windows_of
from rag_backend.query.problems import problems_of
from rag_backend.query.typed_query import Condition, GroupBy, Having, Limit, MetricUse, Order, TypedQuery, Unit, Where, listed

_WHICH_WHOLE = "Its share of each group's total, or how it is spread over the groups?"
_GRAINS = ("month", "quarter", "year")


class Assembly:
    """One candidate query from one draft; `notes` are what it took as given."""

    def __init__(self, draft: Draft, lexicon: Lexicon, today: datetime.date, choices: Choices) -> None:
        self.draft, self.lexicon, self.model = draft, lexicon, lexicon.model
        self.today, self.choices = today, choices
        self.notes: list[str] = []
        self.of_each_group = False
        self.without: tuple[Condition, ...] = ()
        self.groups = list(dict.fromkeys(draft.groups))
        self.asks = [replace(ask, stats=list(ask.stats)) for ask in draft.asks]

    def query(self) -> TypedQuery:
        """The query.

        Raises:
            Stop: the slots do not make one. Undecided: there is a choice to make.
        """
        if self.draft.absent:
            return self._checked(self._absence())
        listed = self._list()
        if listed is not None:
            return self._checked(listed)
        self._asks()
        self._compared_values()
        self._each_or_together()
        self._compared_with()
        self._over_time()
        self._largest_of_units()
        self._ambiguous_part()
        unit, having = self._of_both() or thresholds(self)
        uses = measured(self, unit)
        window = windows_of(self, uses)
        order, limit = self._order(uses, window)
        query = TypedQuery(
            metrics=uses.metrics,
            group_by=self._group_by(window),
            where=self.where(),
            unit=uses.unit,
            having=having,
            time=window.time,
            compare=window.compare,
            order_by=order,
            limit=limit,
        )
        return self._checked(query)

    def _checked(self, query: TypedQuery) -> TypedQuery:
        for name in self._against_itself(query):
            raise Stop("not_understood", f"{name} is limited by what it measures itself: ask for the number of what is meant")
        if wrong := problems_of(query, self.model):
            raise Stop("not_understood", f"this cannot be computed: {wrong[0]}")
        return query

    def _against_itself(self, query: TypedQuery) -> Iterator[str]:
        """Metrics with a condition of their own on a column that the question limits too: "late rate of late loans" is always 1."""
        limited = [{self.model.dimensions[one.dim].sql or one.dim for one in group} for group in query.where]
        limited += [{self.model.dimensions[one.dim].sql} for one in query.group_by]
        columns = {column for group in limited if len(group) == 1 for column in group} - {""}
        for use in query.metrics:
            wheres = [self.model.metrics[part].where for part in self.model.parts(use.id)]
            own = {self.model.dimensions[one.dim].sql or one.dim for group in use.where for one in group}
            if own & columns or any(re.search(rf"\b{column}\b", where) for column in columns if column.isidentifier() for where in wheres):
                yield self.model.metrics[use.id].label

    # Conditions

    def where(self) -> Where:
        """What limits the whole question."""
        held = (one.group for one in self.draft.filters if not self._is_part(one.role))
        return tuple(group for group in held if not set(group) & set(self.without))

    def _ambiguous_part(self) -> None:
        """`share of loans with crime by branch`: of each branch's loans, or how the crime loans are spread? The words do not say."""
        shares = [ask for ask in self.asks if ask.transform == "share_of_total" and not ask.of]
        inside = [one for one in self.draft.filters if one.role == "maybe" and shares and one.at > shares[0].first]
        own = [one for one in self.draft.filters if one.role in ("maybe", "own") and shares and one.at < shares[0].first]
        named = self.draft.group_at
        ahead = inside and (named > inside[0].at or named < shares[0].first)
        if self.groups and (own or ahead):
            self.of_each_group = self.choices.choose(_WHICH_WHOLE, ("each", "spread")) == "each"

    def part(self) -> Where:
        """What says which part of a total is meant."""
        return tuple(one.group for one in self.draft.filters if self._is_part(one.role))

    def parts_said(self) -> int:
        """In how many places it is said which part is meant."""
        return len({one.at for one in self.draft.filters if self._is_part(one.role)})

    def _is_part(self, role: str) -> bool:
        of = any(ask.of for ask in self.asks)
        each = self.of_each_group and role in ("maybe", "own")
        return not of and (role == "part" or each or (role == "maybe" and not self.groups))

    # What rows are of

    def _list(self) -> TypedQuery | None:
        """Rows of an entity, where its noun stands alone; a noun that something is counted or tested of names the rows of a table."""
        draft = self.draft
        entity = draft.head or self._listed_by_columns()
        numbers = self.asks or draft.tests or draft.order or draft.limit
        if not entity:
            alone = len(self.asks) == 1 and self.asks[0].noun and not (self.groups or self.asks[0].counted or draft.tests)
            if alone and draft.flags & {"list", "shown"} and self.asks[0].transform == "none":
                label = self.model.entities[self.asks[0].noun].label
                raise Stop("not_permitted", f"{label} are counted, never listed", label)
            return None
        if numbers:
            return None
        listed = self.model.entities[entity].list
        columns = all(dim in listed for dim, _ in self.groups)
        if not listed or not columns or draft.group_at >= 0 or draft.periods or draft.flags & {"share", "change", "run", "trend"}:
            if draft.group_at < 0 and (draft.flags & {"list", "which"} or (len(self.groups) == 1 and not draft.periods)):
                raise Stop("not_understood", f"what about {self.model.entities[entity].label}? say which number")
            self._count_head(entity)
            return None
        if any(condition.dim not in listed for group in self.where() for condition in group):
            raise Stop("not_understood", "a list can be limited only by what it shows")
        return TypedQuery(form="list", entity=entity, where=self.where())

    def _listed_by_columns(self) -> str:
        """`name and state of the cardiology branches`: the entity whose list shows all that is named."""
        if "rows of" not in self.draft.flags or self.asks:
            return ""
        shown = [name for name, one in self.model.entities.items() if one.list and all(dim in one.list for dim, _ in self.groups)]
        return shown[0] if len(shown) == 1 else ""

    def _count_head(self, entity: str) -> None:
        """`branches by state`: how many of them."""
        self.groups = [one for one in self.groups if one != self.draft.subject]
        self.asks = [Ask(self.lexicon.base_count(entity), noun=entity)]

    def _asks(self) -> None:
        """A number is asked for: one that is named, else those that are tested."""
        draft = self.draft
        if not self.asks:
            tested = dict.fromkeys(one.metric for one in draft.tests if one.metric)
            self.asks = [Ask(metric, counted=True) for metric in tested]
        counted = [self.model.dimensions[dim].counts for dim, _ in self.groups if dim and self.model.dimensions[dim].counts]
        if not self.asks and counted:
            self.asks = [Ask(self.lexicon.base_count(counted[0]), noun=counted[0])]
        if counted:
            self._plain_counts(counted[0])
        if not self.asks and draft.limit:
            self.asks = [Ask(self.choices.choose("By which number are they ranked?", self._rankings()))]
        if not self.asks:
            raise Stop("not_understood", "no number is asked for: name one")
        chosen = draft.order or draft.tests or draft.limit or draft.by_change is not None
        if "which" in draft.flags and not chosen and draft.subject and self.asks[0].noun and not self.asks[0].counted:
            raise Stop("not_understood", "which of them is not said: name the highest, the lowest, or a threshold")

    def _plain_counts(self, entity: str) -> None:
        """Split by how far they got, all of an entity is counted, whatever word names the start."""
        for ask in self.asks:
            if self.model.metrics[ask.id].count == entity and not self.model.metrics[ask.id].where:
                ask.id = self.lexicon.base_count(entity)

    def _rankings(self) -> list[str]:
        counts = [name for name, one in self.model.metrics.items() if one.count and not one.where]
        if "busy" in self.draft.flags:
            return counts
        counts = counts[:1]
        sums = [name for name, one in self.model.metrics.items() if one.sum and one.unit != "count"][:3]
        return counts + sums

    def _compared_values(self) -> None:
        """`compare A and B`: a row for each of the values."""
        if "compare" not in self.draft.flags and "vs" not in self.draft.flags:
            return
        for one in self._values_of_one():
            if (one.dim, "none") not in self.groups:
                self.groups.append((one.dim, "none"))

    def _of_both(self) -> tuple[Unit, tuple[Having, ...]] | None:
        """`readers with both A and B`: of each reader one line of the one and one of the other."""
        draft = self.draft
        if not draft.both or ("both or either" in draft.flags and self.choices.choose("Both of them, or either?", (True, False)) is False):
            return None
        count, dim = self.lexicon.base_count(draft.both_of), draft.both[0].dim
        named = {value for one in draft.both for value in one.values}
        others = any(one.dim == dim and not named & set(one.values) for held in draft.filters for one in held.group)
        if [ask.id for ask in self.asks] != [count] or draft.tests or others or self.asks[0].transform != "none":
            raise Stop("not_understood", f"of those with both only the number is told: how many {self.model.entities[draft.both_of].label}")
        self.without = tuple(one for group in self.where() for one in group if one.dim == dim)
        whole = next(name for name, one in self.model.metrics.items() if one.count and not one.where)
        return Unit(entity=draft.both_of, having=tuple(Having(metric=whole, op="gt", value=0, where=((one,),)) for one in draft.both)), ()

    def _each_or_together(self) -> None:
        """`loans of A and B`: one number for both, or one for each?"""
        dim, each = self.draft.either, "each" in self.draft.flags
        if each and not dim:
            raise Stop("not_understood", "which of them separately? name two, joined by `and`")
        if not dim or (dim, "none") in self.groups:
            return
        if each or self.choices.choose("All of them together, or each?", ("together", "each")) == "each":
            self.groups.append((dim, "none"))

    def _compared_with(self) -> None:
        """Something is held against nothing."""
        compared = self.groups or self._several() or self.compares_windows()
        if self.draft.flags & {"vs", "compare"} and not compared:
            raise Stop("not_understood", "compared with what? name two values, two periods, or what to split by")

    def _over_time(self) -> None:
        flags = self.draft.flags
        dated = [one for one in self.groups if self._is_date(one)]
        compared = self.compares_windows()
        if flags & {"change", "run", "trend"} and not dated and not compared:
            self.groups.append(("", self.choices.choose("By month, quarter or year?", _GRAINS)))
        if "run" in flags and "share" in flags:
            raise Stop("not_understood", "a running share is not computed: ask for the running total, or for shares")
        if "change" in flags and not compared and "share" in flags:
            raise Stop("not_understood", "the change in percent of each period is not computed: ask for the change, or compare two")
        if "change" in flags and not compared and len(self.asks) > 1:
            raise Stop("not_understood", "the change of several numbers has to be asked for one by one")
        if "change" in flags and not compared:
            self.asks[0].transform = "change"
        if "run" in flags or ("adds up" in flags and (dated or "trend" in flags)):
            self.asks[0].transform = "running_total"

    def compares_windows(self) -> bool:
        """Whether two windows are held against each other."""
        flags, periods = self.draft.flags, self.draft.periods
        if len(periods) == 2:
            return bool(flags & {"vs", "compare", "change"})
        split = any(self._is_date(one) for one in self.groups)
        ends = len(periods) == 1 and bool(periods[0][0].ends) and not split
        return ends and ("change" in flags or ("compare" in flags and not self._several()))

    def _several(self) -> bool:
        """Whether several numbers or values are held against each other."""
        return bool(self._values_of_one()) or len(self.asks) > 1

    def _values_of_one(self) -> list[Condition]:
        """Conditions that list several values."""
        return [one for one in listed(self.where()) if len(one.values) > 1]

    def _is_date(self, group: tuple[str, str]) -> bool:
        return group[0] == "" or self.model.dimensions[group[0]].type == "date"

    def _largest_of_units(self) -> None:
        """`the largest fine of a loan by branch`: no row is looked for, but the largest single one."""
        draft = self.draft
        if "winner" not in draft.flags or len(draft.order) != 1 or draft.subject is not None or draft.offset:
            return
        ask = next(one for one in self.asks if one.id == draft.order[0][0])
        several = draft.limit > 1
        if self.model.metrics[ask.id].per and not several and not ask.stats and not draft.per:
            shown = self.choices.choose("The longest or shortest single one, or the group with it?", ("single", "group"))
            if shown == "single":
                ask.stats = ["max" if draft.order[0][1] else "min"]
                self.draft = replace(draft, order=[], limit=0, per=[])
            return
        if not several and self.model.metrics[ask.id].sum and (ask.per or not self.groups or draft.per):
            ask.stats = ["max" if draft.order[0][1] else "min"]
            self.draft = replace(draft, order=[], limit=0, per=[])

    # Order and groups

    def _order(self, uses: Uses, window: Windows) -> tuple[tuple[Order, ...], Limit]:
        draft = self.draft
        order = list(draft.order)
        if draft.by_change is not None:
            if not window.compare or len(uses.metrics) != 1:
                raise Stop("not_understood", "what grew the most is known only between two periods")
            order = [("change", draft.by_change)]
        elif window.compare and order:
            raise Stop("not_understood", "a comparison is not ranked")
        if (draft.limit or "ranked" in draft.flags) and not order and len(self.asks) > 1:
            raise Stop("not_understood", "by which of the numbers are they ranked?")
        if draft.limit and not order:
            order = [(self.asks[0].id, "bottom" not in draft.flags)]
        if "ranked" in draft.flags and not order and self.groups:
            order = [(self.asks[0].id, "ascending" not in draft.flags)]
        if ("ranked" in draft.flags or order) and not self.groups:
            raise Stop("not_understood", "a ranking needs something to rank: say of what")
        if draft.per and order and not draft.limit and len(self.groups) > 1:
            raise Stop("not_understood", "a ranking within each of them needs how many are wanted: `top 3 for each`")
        self._said_of(order)
        number = self.choices.choose("How many of them?", (5, 10, 20)) if draft.limit < 0 else draft.limit
        shares = {use.id: TypedQuery().outputs(use)[-1] for use in uses.metrics if use.transform == "share_of_group"}
        shown = {use.id: use.id for use in uses.metrics} | shares
        renamed = {ask.id: shown[use.id] for ask, use in zip(self.asks, uses.metrics, strict=False)}
        by = dict.fromkeys(Order(by=shown.get(name) or renamed.get(name) or name or window.date, desc=desc) for name, desc in order)
        return tuple(by), Limit(n=number, offset=draft.offset, per=self._per(number, window), ties=bool(number))

    def _said_of(self, order: list[tuple[str, bool]]) -> None:
        """A peak is one of time, and the busiest are those with the highest count."""
        if "peak" in self.draft.flags and not all(self._is_date(one) for one in self.groups):
            raise Stop("not_understood", "a peak over time, or the highest of them? ask for the highest, or for a month")
        if "busy" in self.draft.flags and any(not self.model.metrics[name].count for name, _ in order if name in self.model.metrics):
            raise Stop("not_understood", "the busiest are those with the highest count: say of what")

    def _per(self, number: int, window: Windows) -> tuple[str, ...]:
        """The groups that the first rows are of each: those said by "each", or said before what is ranked."""
        if not number or self.draft.subject is None:
            return ()
        named = [one for one in self.draft.per if one != self.draft.subject and one in self.groups]
        return tuple(dict.fromkeys(dim or window.date for dim, _ in named))

    def _group_by(self, window: Windows) -> tuple[GroupBy, ...]:
        named = [(dim or window.date, grain) for dim, grain in self.groups]
        if any(self._is_date(one) for one in self.groups) and window.compare:
            raise Stop("not_understood", "two windows are compared already: they are not split by time as well")
        per = [(dim or window.date) for dim, _ in self.draft.per] if self.draft.limit and self.draft.subject else []
        first = [one for one in named if one[0] in per]
        rest = [one for one in named if one not in first]
        return tuple(GroupBy(dim=dim, grain=grain) for dim, grain in first + rest)  # type: ignore[arg-type]

    # Absence

    def _absence(self) -> TypedQuery:
        """Entities with nothing of a kind: from their own table, or of those that are in the lines."""
        draft, declared = self.draft, self.model.metrics[self.draft.absent]
        if draft.tests or draft.order or len(self.asks) > 1:
            raise Stop("not_understood", "ask for what is absent by itself")
        noun = self.asks[0].noun if self.asks else draft.head
        zero = (Having(metric=draft.absent, op="eq", value=0),)
        if noun and self.model.entities[noun].list and not self.asks:
            self.asks = [Ask(draft.absent)]
            window = windows_of(self, Uses((), Unit()))
            if self.groups != [draft.subject]:
                raise Stop("not_understood", "a list is not split")
            return TypedQuery(form="list", entity=noun, where=self.where(), having=zero, time=window.time)
        if not noun and draft.subject and draft.subject[0]:
            self.asks = [Ask(draft.absent)]
            window = windows_of(self, Uses((), Unit()))
            groups = (GroupBy(dim=draft.subject[0]),)
            return TypedQuery(metrics=measured(self, Unit()).metrics, group_by=groups, where=self.where(), having=zero, time=window.time)
        if noun and self.model.entities[noun].list:
            self.asks = [Ask(draft.absent)]
            window = windows_of(self, Uses((), Unit()))
            unit, use = Unit(entity=noun, having=zero), MetricUse(id=self.lexicon.base_count(noun))
            return TypedQuery(metrics=(use,), group_by=self._group_by(window), where=self.where(), unit=unit, time=window.time)
        limited = bool(declared.where or self.where())
        if not noun or not limited or declared.count == noun:
            raise Stop("not_in_data", "what has none at all is not known from the data, only what a list of its own holds")
        if not declared.where:
            raise Stop("not_understood", "name the kind that is absent by a number that is declared for it")
        window = windows_of(self, Uses((), Unit()))
        uses = measured(self, Unit(entity=noun, having=zero))
        return TypedQuery(metrics=uses.metrics, group_by=self._group_by(window), where=self.where(), unit=uses.unit, time=window.time)
