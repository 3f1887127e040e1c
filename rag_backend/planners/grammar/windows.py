"""Which date a question goes by, its window, and the two windows of a comparison; checked against the days that there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag_backend.planners.grammar.draft import Ask, Stop
from rag_backend.planners.grammar.nodes import Period
from rag_backend.planners.grammar.resolve import candidates, fit
from rag_backend.planners.grammar.tokens import singular
from rag_backend.query.typed_query import Time, Window

if TYPE_CHECKING:
    from rag_backend.planners.grammar.assemble import Assembly
    from rag_backend.planners.grammar.metrics_of import Uses


_ALIKE = 1.2  # months, quarters and halves of a year are of different length, too


@dataclass(frozen=True)
class Windows:
    """The date that groups and windows are of, and what is asked of it."""

    date: str
    time: Time
    compare: tuple[Window, ...] = ()


def windows_of(a: Assembly, uses: Uses) -> Windows:
    """The windows of an assembly.

    Raises:
        Stop: a window is outside the data, or two windows cannot be compared.
    """
    dated = bool(uses.unit.period) or any(dim == "" for dim, _ in a.groups)
    if not a.draft.periods and not dated:
        return Windows("", Time())
    date = _date(a, uses)
    periods = [_resolved(a, period, date) for period, _ in a.draft.periods]
    if not periods:
        return Windows(date, Time(date=date) if uses.unit.period else Time())
    if a.compares_windows() and "against" in a.draft.flags:
        raise Stop("not_understood", "two values and two periods: which belongs to which?")
    if a.compares_windows():
        return _compared(date, list(periods[0].ends) if len(periods) == 1 else periods)
    if len(periods) > 1:
        raise Stop("not_understood", "there are two time windows", periods[1].label)
    return Windows(date, Time(date=date, start=periods[0].start, until=periods[0].until))


def _date(a: Assembly, uses: Uses) -> str:
    draft = a.draft
    metrics = [use.id for use in uses.metrics] or [ask.id for ask in a.asks]
    metrics = [one.metric for one in uses.unit.having if a.model.metrics[one.metric].per] or metrics
    defaults = list(dict.fromkeys(a.model.date_of(metric) for metric in metrics))
    if draft.date:
        return draft.date
    own = [a.model.dimensions[dim].date for dim, _ in a.groups if dim and a.model.dimensions[dim].date]
    if own:
        return own[0]
    named, sure = next((said for ask in a.asks if (said := _of_its_noun(a, ask))[0]), ("", False))
    if named:
        return named if sure else a.choices.choose("By which date?", list(dict.fromkeys([named, *defaults])))
    if draft.maybe_date:
        return a.choices.choose("By which date?", list(dict.fromkeys([draft.maybe_date, *defaults])))
    meant = [found for ask in a.asks if (found := _of_its_word(a, ask))]
    if meant and len(a.asks) == 1:
        return a.choices.choose("By which date?", list(dict.fromkeys([*meant, *defaults])))
    if len(defaults) > 1:
        return a.choices.choose("These numbers go by different dates. By which one?", defaults)
    return defaults[0]


def _of_its_word(a: Assembly, ask: Ask) -> str:
    """The date that is called by the word of a kind, as in "returned loans in March": it, or the usual one?"""
    for word in ask.text.casefold().split():
        date = a.lexicon.verbs.get(word, "")
        if date and word in a.model.dimensions[date].label.casefold().split() and a.model.metrics[ask.id].where:
            return date
    return ""


def _of_its_noun(a: Assembly, ask: Ask) -> tuple[str, bool]:
    """The date that is called by the noun of a number, as in "returns in March", and whether a word after it says so: "returns made"."""
    words = ask.text.casefold().split()
    for word in words:
        dims = {one.dim for one in a.lexicon.readings((singular(word),)) if one.kind == "NOUN" and one.dim and singular(word) != word}
        if dates := [dim for dim in dims if a.model.dimensions[dim].type == "date"]:
            return dates[0], word != words[-1]
    return "", False


def _resolved(a: Assembly, period: Period, date: str) -> Period:
    span = a.lexicon.values.span.get(date)
    label = a.model.dimensions[date].label
    found = candidates(period, span, a.today)
    if period.ask and period.label.startswith("through") and any(dim == "" for dim, _ in a.groups):
        found = found[:1]  # month by month through a year: that year's months
    if not found:
        if period.bound == "range":
            raise Stop("ambiguous", f"which year is meant by {period.label}?", period.label)
        raise Stop("not_in_data", _outside(a, date), period.label)
    chosen = a.choices.choose(f"Which {period.label}?", found)
    checked = fit(chosen, span)
    if checked.outside:
        raise Stop("not_in_data", f"{label}: {_outside(a, date)}", chosen.label)
    if checked.note:
        a.notes.append(checked.note)
    return chosen


def _outside(a: Assembly, date: str) -> str:
    first, last = a.lexicon.values.span[date]
    return f"the data run from {first.isoformat()} to {last.isoformat()}"


def _compared(date: str, periods: list[Period]) -> Windows:
    """Two windows, the earlier one first."""
    if len(periods) != 2 or any(one.start is None or one.until is None for one in periods):
        raise Stop("not_understood", "two whole periods are compared, no more and none that is open")
    first, second = sorted(periods, key=lambda one: (one.start, one.until))
    windows = []
    for one in (first, second):
        assert one.start and one.until
        windows.append(Window(label=one.label, start=one.start, until=one.until))
    days = sorted((one.until - one.start).days for one in windows)
    if days[1] > _ALIKE * days[0] and first.unit != second.unit:
        raise Stop("not_understood", "the two periods are not of one length: name two that are")
    if windows[0].until > windows[1].start:
        raise Stop("not_understood", "the two periods overlap")
    return Windows(date, Time(date=date), tuple(windows))
