"""Time phrases at a place of a question: single periods, and ranges of them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from rag_backend.planners.grammar import calendar
from rag_backend.planners.grammar.english import NUMBER_WORDS
from rag_backend.planners.grammar.nodes import Node, Period
from rag_backend.planners.grammar.tokens import Token

_UNITS = {"day": "day", "week": "week", "month": "month", "quarter": "quarter", "year": "year"}
_NAMES = {name.casefold(): number for number, name in enumerate(calendar.MONTHS, 1)}
_SHORT = {name.casefold()[:3]: number for number, name in enumerate(calendar.MONTHS, 1)} | {"sept": 9}
_ORDINAL = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_BEFORE = ("in", "during", "for", "on", "within", "over", "of", "from", "throughout", "through", "at")
_AFTER = ("the", "calendar", "year", "month", "of", "all")
_THAN = {"earlier": ("than", "before"), "prior": ("to", "before"), "later": ("than", "after")}
_Found = tuple[Period, int] | None


def period_at(tokens: tuple[Token, ...], place: int, today: datetime.date) -> Node | None:
    """The longest time phrase that starts at a token, its preposition with it."""
    reader = _Reader(tokens, today)
    try:
        found = reader.phrase(place)
    except (ValueError, OverflowError):
        return None
    if found is None:
        return None
    period, last = found
    text = " ".join(token.text for token in tokens[place:last])
    return Node("TIME", place, last, text, period=period)


@dataclass(frozen=True)
class _Reader:
    tokens: tuple[Token, ...]
    today: datetime.date

    def word(self, place: int) -> str:
        return self.tokens[place].norm if place < len(self.tokens) else ""

    def phrase(self, place: int) -> _Found:
        if self.word(place) == "dated":
            return self.phrase(place + 1)
        for rule in (self._between, self._from_to, self._open):
            if found := rule(place):
                return found
        start = place
        while self.word(start) in (_BEFORE if start == place else _AFTER) and start - place < 4:
            start += 1
        said = start > place and any(
            self.word(k) in ("in", "during", "for", "within", "throughout", "month", "of", "on") for k in range(place, start)
        )
        return self._range(start) or self._from_day(place, self.single(start, said))

    def _from_day(self, place: int, found: _Found) -> _Found:
        """`from April 1, 2025`: that day, or all from it on?"""
        if found is None or found[0].unit != "day" or self.word(place) != "from" or not found[0].start:
            return found
        since = bounded(found[0], "since")
        return Period(None, None, "day", f"from {found[0].label}", ask=(found[0], since)), found[1]

    def _between(self, place: int) -> _Found:
        start = place + (self.word(place) == "in" and self.word(place + 1) == "between")
        if self.word(start) != "between":
            return None
        one = self.single(start + 1, True)
        if one is None or self.word(one[1]) != "and":
            return self._days(start + 1, "and")
        two = self.single(one[1] + 1, True)
        return (_joined(one[0], two[0]), two[1]) if two else None

    def _days(self, place: int, joiner: str) -> _Found:
        """`January 10 to January 20, 2026`: the year is said at the end."""
        month, day = self._month_number(place), self._day_number(place + 1)
        if not month:
            of = self.word(place + 1) == "of"
            month, day = self._month_number(place + 1 + of), self._day_number(place)
            place += of
        ends = ("to", "through", "until", "till", "-") if joiner == "to" else (joiner,)
        if not month or not day or self.word(place + 2) not in ends:
            return None
        two = self._day(place + 3, True) or self._month(self._past_edge(place + 3, "end", "close"), True)
        if two is None or two[0].start is None or (two[0].unit == "month" and self._past_edge(place + 3, "end", "close") == place + 3):
            return None
        return _joined(calendar.period(datetime.date(two[0].start.year, month, day), "day"), two[0]), two[1]

    def _from_to(self, place: int) -> _Found:
        """`from March to May`, `from March on`, `March onwards`."""
        start = place + (self.word(place) == "from")
        if found := self._range(start) if start > place else None:
            return found
        one = self.single(start, True)
        onward = one is not None and (self.word(one[1]) in ("onward", "onwards") or (start > place and self.word(one[1]) == "on"))
        return (bounded(one[0], "since"), one[1] + 1) if one is not None and onward else None

    def _range(self, place: int) -> _Found:
        place = self._past_edge(place + (self.word(place) == "the"), "start", "beginning")
        one = self.single(place, True)
        if one is None or self.word(one[1]) not in ("to", "through", "until", "till", "-"):
            return self._days(place, "to")
        two = self.single(self._past_edge(one[1] + 1, "end", "close"), True)
        return (_joined(one[0], two[0], whole=self.word(one[1]) != "to"), two[1]) if two else None

    def _past_edge(self, place: int, *edges: str) -> int:
        """The place after `the end of`, `the beginning of`: a range goes from the first day to the last anyway."""
        start = place + (self.word(place) == "the")
        return start + 2 if self.word(start) in edges and self.word(start + 1) == "of" else place

    def _open(self, place: int) -> _Found:
        word, start = self.word(place), place + 1
        if word == "on" and self.word(start) in ("or",) and self.word(start + 1) in ("after", "before"):
            word, start = f"on or {self.word(start + 1)}", start + 2
        if word in _THAN and self.word(start) == _THAN[word][0]:
            word, start = _THAN[word][1], start + 1
        if word not in ("since", "before", "after", "until", "till", "through", "on or after", "on or before"):
            return None
        start += self.word(start) == "the"
        if word == "since" and self.word(start) in ("start", "beginning") and self.word(start + 1) == "of":
            start += 2
        edge = self._past_edge(start, "end", "close") if word in ("until", "till", "through") else start
        found = self.single(edge + (self.word(edge) == "the"), True)
        if found is None:
            return None
        if edge != start:
            return bounded(found[0], "until"), found[1]
        if word == "through" and found[0].unit != "day" and found[0].start:
            until = bounded(found[0], word)
            return Period(None, None, found[0].unit, f"through {found[0].label}", ask=(found[0], until)), found[1]
        return bounded(found[0], word), found[1]

    def single(self, place: int, said: bool) -> _Found:
        """One period; `said`: a word before says that it is one, so that a bare month name is a month."""
        place += self.word(place) == "the"
        rules: tuple[Callable[[int, bool], _Found], ...] = (
            self._iso,
            self._day,
            self._month,
            self._quarter,
            self._relative,
            self._to_date,
            self._first_of_year,
            self._year,
        )
        found = [one for rule in rules if (one := rule(place, said)) is not None]
        return max(found, key=lambda one: one[1], default=None)

    def _iso(self, place: int, said: bool) -> _Found:
        match = re.fullmatch(r"(\d{4})-(\d{2})(?:-(\d{2}))?", self.word(place))
        if match is None:
            return None
        day = datetime.date(int(match[1]), int(match[2]), int(match[3] or 1))
        return calendar.period(day, "day" if match[3] else "month"), place + 1

    def _number_of_year(self, place: int) -> int:
        word = self.word(place)
        return int(word) if re.fullmatch(r"(19|20)\d\d", word) else 0

    def _year(self, place: int, said: bool) -> _Found:
        number = self._number_of_year(place)
        return (calendar.year(number), place + 1) if number else None

    def _month_number(self, place: int) -> int:
        word = self.word(place)
        return _NAMES.get(word, 0) or _SHORT.get(word, 0)

    def _month(self, place: int, said: bool) -> _Found:
        month = self._month_number(place)
        if not month:
            return None
        after = place + 1
        after += self.word(after) in (",", "of")
        if self._relative_year(after):
            return calendar.part_of_year("month", month, self._relative_year(after)), after + 2
        if number := self._number_of_year(after):
            return calendar.part_of_year("month", month, number), after + 1
        range_ = self.word(after) in ("to", "through", "until", "till", "-")
        if (
            not said
            or (not range_ and self.word(place) not in _NAMES and self.word(place) in ("mar", "may", "sep", "dec", "jan"))
            or self.word(place) == ""
        ):
            return None
        return Period(None, None, "month", calendar.MONTHS[month - 1], yearless=("month", month)), place + 1

    def _day(self, place: int, said: bool) -> _Found:
        month, day = self._month_number(place), self._day_number(place + 1)
        after = place + 2
        if not month:
            day, month = self._day_number(place), self._month_number(place + 1 + (self.word(place + 1) == "of"))
            after = place + 2 + (self.word(place + 1) == "of")
        if not month or not day:
            return None
        after += self.word(after) == ","
        number = self._number_of_year(after)
        return (calendar.period(datetime.date(number, month, day), "day"), after + 1) if number else None

    def _day_number(self, place: int) -> int:
        if self.word(place) in _ORDINAL and self.word(place + 1) == "of" and self._month_number(place + 2):
            return _ORDINAL[self.word(place)]
        match = re.fullmatch(r"(\d{1,2})(st|nd|rd|th)?", self.word(place))
        return int(match[1]) if match else 0

    def _quarter(self, place: int, said: bool) -> _Found:
        unit, number, after = self._part(place)
        if not number:
            if year := self._number_of_year(place):
                unit, number, after = self._part(place + 1)
                return (calendar.part_of_year(unit, number, year), after) if number and after == place + 2 else None
            return None
        after += self.word(after) in ("of", "in", ",")
        if year := self._number_of_year(after):
            return calendar.part_of_year(unit, number, year), after + 1
        if relative := self._relative_year(after):
            return calendar.part_of_year(unit, number, relative), after + 2
        back = after - (self.word(after - 1) in ("of", "in", ","))
        return Period(None, None, unit, f"{'Q' if unit == 'quarter' else 'H'}{number}", yearless=(unit, number)), back

    def _part(self, place: int) -> tuple[str, int, int]:
        word = self.word(place)
        if re.fullmatch(r"q[1-4]|h[12]", word):
            return ("quarter" if word[0] == "q" else "half"), int(word[1]), place + 1
        if re.fullmatch(r"[1-4]q|[12]h", word):
            return ("quarter" if word[1] == "q" else "half"), int(word[0]), place + 1
        number = _ORDINAL.get(word, 0)
        if number and self.word(place + 1) in ("quarter", "half") and not (self.word(place + 1) == "half" and number > 2):
            return self.word(place + 1), number, place + 2
        return "", 0, place

    def _relative_year(self, place: int) -> int:
        if self.word(place + 1) != "year":
            return 0
        return {"last": self.today.year - 1, "this": self.today.year, "previous": self.today.year - 1}.get(self.word(place), 0)

    def _relative(self, place: int, said: bool) -> _Found:
        word = self.word(place)
        if word in ("today", "yesterday"):
            day = self.today - datetime.timedelta(days=int(word == "yesterday"))
            return calendar.period(day, "day"), place + 1
        if word in ("fiscal", "fy") or (word in ("this", "last") and self.word(place + 1) == "fiscal"):
            return None
        if word in ("this", "current"):
            unit = _UNITS.get(self.word(place + 1), "")
            return (calendar.so_far(self.today, unit), place + 2) if unit else None
        if word not in ("last", "past", "previous", "prior", "preceding", "trailing"):
            return None
        unit = _UNITS.get(self.word(place + 1), "")
        if unit and self.word(place + 2) == "to" and self.word(place + 3) == "date":
            return None
        if unit and word == "past":
            ask = (calendar.last_complete(self.today, unit, 1), _rolling(self.today, unit))
            return Period(None, None, unit, f"past {unit}", ask=ask), place + 2
        if unit:
            return calendar.last_complete(self.today, unit, 1), place + 2
        count, after = self._count(place + 1)
        after += self.word(after) in ("full", "complete", "calendar")
        named = self.word(after)
        unit = _UNITS.get(named[:-1] if named.endswith("s") else named, "")
        return (calendar.last_complete(self.today, unit, count), after + 1) if count and unit else None

    def _count(self, place: int) -> tuple[int, int]:
        word = self.word(place)
        number = NUMBER_WORDS.get(word, 0) or (int(word) if re.fullmatch(r"\d{1,3}", word) else 0)
        return number, place + 1

    def _first_of_year(self, place: int, said: bool) -> _Found:
        """`the first three months of 2026`."""
        count, after = self._count(place + 1)
        unit, end = _UNITS.get(self.word(after).removesuffix("s"), ""), self.word(place)
        number = self._number_of_year(after + 2)
        if end not in ("first", "last") or unit not in ("month", "quarter") or self.word(after + 1) not in ("of", "in") or not number:
            return None
        year = calendar.year(number)
        assert year.start and year.until
        start = year.start if end == "first" else calendar.shifted(year.until, unit, -count)
        until = calendar.shifted(start, unit, count)
        if not count or start < year.start or until > year.until:
            return None
        return Period(start, until, unit, f"the {end} {count} {unit}s of {number}", several=True), after + 3

    def _to_date(self, place: int, said: bool) -> _Found:
        if self._number_of_year(place) == self.today.year and (found := self._to_date(place + 1, said)):
            return found if found[0].unit == "year" else None
        if self.word(place) in ("ytd", "mtd", "qtd"):
            unit = {"y": "year", "m": "month", "q": "quarter"}[self.word(place)[0]]
            return calendar.so_far(self.today, unit), place + 1
        if self.word(place + 1) == "to" and self.word(place + 2) == "date" and self.word(place) in ("year", "month", "quarter"):
            return calendar.so_far(self.today, self.word(place)), place + 3
        return None


def _rolling(today: datetime.date, unit: str) -> Period:
    smaller, count = {"year": ("month", 12), "quarter": ("month", 3), "month": ("day", 30), "week": ("day", 7), "day": ("day", 1)}[unit]
    return calendar.last_complete(today, smaller, count)


def _joined(one: Period, two: Period, *, whole: bool = False) -> Period:
    """From the one to the end of the other; `whole`: the words mean all that is between, never the one against the other."""
    if one.start is None and one.yearless and two.start is not None and one.unit == two.unit:
        first = calendar.part_of_year(one.unit, one.yearless[1], two.start.year)
        one = first if first.start and first.start <= two.start else one
    if one.ask or two.ask or two.yearless or one.yearless:
        return Period(
            None, None, one.unit, f"{one.label} to {two.label}", yearless=one.yearless or two.yearless, bound="range", ends=(one, two)
        )
    if one.start is None or two.until is None or two.until <= one.start:
        raise ValueError("a range that ends before it starts")
    return Period(one.start, two.until, one.unit, f"{one.label} to {two.label}", ends=() if whole else (one, two))


def bounded(period: Period, word: str) -> Period:
    """Everything before, after, since or until a period."""
    if period.start is None:
        return replace(period, bound=word)
    if word in ("since", "on or after"):
        return Period(period.start, None, period.unit, f"since {period.label}")
    if word == "after":
        return Period(period.until, None, period.unit, f"after {period.label}")
    if word == "before":
        return Period(None, period.start, period.unit, f"before {period.label}")
    return Period(None, period.until, period.unit, f"until the end of {period.label}")
