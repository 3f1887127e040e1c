"""Tokens to nodes: the longest phrase at each place, of the lexicon, of English, of numbers and of time; all readings kept."""

from __future__ import annotations

import datetime
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rag_backend.planners.grammar.dates import period_at
from rag_backend.planners.grammar.english import NUMBER_WORDS, PHRASES
from rag_backend.planners.grammar.lexicon import Lexicon, Reading
from rag_backend.planners.grammar.nodes import Node
from rag_backend.planners.grammar.tokens import Token, singular

_LONGEST = max(map(len, PHRASES))
_SCALE = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_SUFFIX = {"k": 1e3, "m": 1e6, "b": 1e9, "bn": 1e9}
_AMOUNT = re.compile(r"^[$€£]?([\d,]*\d(?:\.\d+)?)(k|m|b|bn)?(%)?$", re.IGNORECASE)
_CODE = re.compile(r"^[a-z]\d{2}(\.\w*)?\*?$", re.IGNORECASE)
_MOST = 48
_LARGEST = 1e15
_TWO, _TEN, _TENS, _HUNDRED = 2, 10, 20, 100


@dataclass(frozen=True)
class Tagger:
    """Tags the tokens of one question."""

    lexicon: Lexicon
    today: datetime.date
    tokens: tuple[Token, ...]
    text: str

    def nodes(self) -> list[Node]:
        """All nodes in order; a word that nothing knows is of category JUNK."""
        found, place = [], 0
        while place < len(self.tokens):
            node = self._at(place)
            found.append(node)
            place = node.last
        return found

    def _at(self, place: int) -> Node:
        words = self._lexicon_at(place)
        time = period_at(self.tokens, place, self.today)
        english = self._english_at(place)
        options = [one for one in (words, english, time) if one is not None]
        number = self._number_at(place)
        if number is not None:
            options.append(number)
        if not options:
            code = self._code_at(place)
            return code or Node("JUNK", place, place + 1, self.tokens[place].text)
        if english is not None and self._torn_by(place, english):
            return self._english_at(place, 1) or Node("JUNK", place, place + 1, self.tokens[place].text)
        best = max(one.last for one in options)
        ranked = [one for one in options if one.last == best]
        if time in ranked and time is not None:
            return time
        if number is not None and words is not None and words.last == number.last == best:
            return replace(number, readings=words.readings)
        return ranked[0]

    def _lexicon_at(self, place: int) -> Node | None:
        for size in range(min(self.lexicon.longest, len(self.tokens) - place), 0, -1):
            if size > 1 and self._tears(place, size):
                continue
            used = self.tokens[place : place + size]
            phrase = tuple(token.norm for token in used)
            readings = tuple(one for one in self.lexicon.readings(phrase) if not one.exact or self._as_written(one, used))
            if readings:
                if size == 1 and _CODE.match(used[0].norm):
                    longer = self.lexicon.prefixed(used[0].norm)
                    readings += tuple(Reading("PREFIX", dim=dim, value=used[0].text.upper()) for dim in longer)
                return Node("LEX", place, place + size, self._text(place, place + size), readings[0], readings=readings)
        return None

    def _tears(self, place: int, size: int) -> bool:
        """Whether a phrase would tear apart one that reaches further: a noun, "number of book lines", or what is never answered."""
        for start in range(place + 1, place + size):
            words = tuple(token.norm for token in self.tokens[place:start])
            if not self.lexicon.readings(words) and words not in PHRASES:
                continue  # what would be left before it says nothing
            for last in range(place + size + 1, min(start + self.lexicon.longest, len(self.tokens)) + 1):
                readings = self.lexicon.readings(tuple(token.norm for token in self.tokens[start:last]))
                closed = last - start > _TWO and any(one.kind == "CLOSED" for one in readings)
                noun = start == place + size - 1 and last - start == _TWO and all(one.kind == "NOUN" for one in readings) and readings
                if closed or noun:
                    return True
        return False

    def _as_written(self, reading: Reading, used: tuple[Token, ...]) -> bool:
        return "".join(token.text.removesuffix("'s") for token in used) == reading.exact and not self.text.isupper()

    def _torn_by(self, place: int, english: Node) -> bool:
        """Whether `the average`, as one phrase, would tear apart `average fine`."""
        if english.cat in ("TOP", "BOTTOM") and english.last > place + 1:  # `came last month`
            return period_at(self.tokens, english.last - 1, self.today) is not None
        inside = (self._lexicon_at(start) for start in range(place + 1, english.last)) if self.tokens[place].norm == "the" else ()
        return any(one is not None and one.last > english.last for one in inside)

    def _english_at(self, place: int, most: int = _LONGEST) -> Node | None:
        for size in range(min(most, len(self.tokens) - place), 0, -1):
            phrase = tuple(token.norm for token in self.tokens[place : place + size])
            category = PHRASES.get(phrase)
            if category is None and PHRASES.get(tuple(map(singular, phrase)), "").startswith("GRAIN"):
                category = PHRASES[tuple(map(singular, phrase))]
            if category:
                return Node(category, place, place + size, self._text(place, place + size))
        return None

    def _number_at(self, place: int) -> Node | None:
        token, used = self.tokens[place], 1
        value: float | None
        if token.kind == "word":
            value, used = self._in_words(place)
            percent = False
        else:
            match = _AMOUNT.match(token.norm)
            value = float(match[1].replace(",", "")) * _SUFFIX.get((match[2] or "").lower(), 1) if match else None
            percent = bool(match and match[3])
        if value is None or value > _LARGEST:
            return None
        last, money = place + used, token.norm[0] in "$€£"
        following = self.tokens[last].norm if last < len(self.tokens) else ""
        while following in _SCALE:
            value, last = value * _SCALE[following], last + 1
            following = self.tokens[last].norm if last < len(self.tokens) else ""
        if following in ("%", "percent"):
            percent, last = True, last + 1
        elif following in ("dollars", "usd"):
            last, money = last + 1, True
        return Node("NUM", place, last, self._text(place, last), number=value, percent=percent, money=money)

    def _in_words(self, place: int) -> tuple[float | None, int]:
        """`twenty`, `twenty five`, `one` of `one hundred`; and how many words that are."""
        word, following = (self.tokens[at].norm if at < len(self.tokens) else "" for at in (place, place + 1))
        value, ones = NUMBER_WORDS.get(word), 1 if following == "one" else NUMBER_WORDS.get(following, 0)
        if word == "one" and following in _SCALE:
            return 1, 1
        if value is not None and _TENS <= value < _HUNDRED and 0 < ones < _TEN:
            return value + ones, _TWO
        return value, 1

    def _code_at(self, place: int) -> Node | None:
        """`AB-12`, a value of one dimension and one of another; or the start of longer codes."""
        token = self.tokens[place]
        if token.norm.endswith("+") and token.norm[:-1].isdigit():
            return Node("NUMPLUS", place, place + 1, token.text, number=float(token.norm[:-1]))
        match = re.match(r"^(\d+)-(\d+)$", token.norm)
        if match:
            return Node("NUMRANGE", place, place + 1, token.text, number=float(match[1]), readings=(Reading("", value=match[2]),))
        left, dash, right = token.text.partition("-")
        pairs = [Reading("PAIR", one, two) for one, two in _pair(self.lexicon, left, right)] if dash else []
        if len(pairs) == 1:
            return Node("PAIR", place, place + 1, token.text, replace(pairs[0], value=f"{left.upper()}|{right}"))
        if _CODE.match(token.norm) and (dims := self.lexicon.prefixed(token.norm)):
            readings = tuple(Reading("PREFIX", dim=dim, value=token.text.upper()) for dim in dims)
            return Node("LEX", place, place + 1, token.text, readings[0], readings=readings)
        return None

    def _text(self, first: int, last: int) -> str:
        return self.text[self.tokens[first].start : self.tokens[last - 1].end]


def _pair(lexicon: Lexicon, left: str, right: str) -> Iterator[tuple[str, str]]:
    dims = lexicon.model.dimensions
    for one, declared in dims.items():
        if left.upper() not in declared.labels:
            continue
        for two, other in dims.items():
            known = lexicon.model.codes[other.codes.list].values(other.codes.value) if other.codes and other.sql else ()
            if right in known and other.absent == declared.absent == "omit":
                yield one, two


def with_one_reading(nodes: list[Node]) -> Iterator[list[Node]]:
    """Every way of giving each phrase one reading."""
    spots = [(place, node) for place, node in enumerate(nodes) if node.cat == "LEX"]
    choices = [[one for one in node.readings if one.kind != "VERB"] or list(node.readings) for _, node in spots]
    if math.prod(map(len, choices)) > _MOST:
        return
    for picked in itertools.product(*choices):
        chosen = list(nodes)
        for (place, node), reading in zip(spots, picked, strict=True):
            chosen[place] = replace(node, cat=reading.kind, reading=reading)
        yield chosen


def without_repeats(nodes: list[Node]) -> list[Node]:
    """`a crime loan and a poetry loan` as `a crime and a poetry loan`, `crime loans vs poetry loans` alike: the noun is said once."""
    kept = _said_once(nodes)
    nodes = list(kept)
    for place in range(len(nodes) - 1, 0, -1):
        other = next((k for k in range(place + 2, min(place + 4, len(nodes) - 1)) if nodes[k].cat == "VALUE"), 0)
        alike = other and nodes[place - 1].cat == "VALUE" and nodes[place - 1].reading.dim == nodes[other].reading.dim
        one_each = other and nodes[place + 1].cat == "AND" and nodes[other - 1].text.casefold() in ("a", "an")
        joined = one_each or (other and nodes[place + 1].cat == "VS")
        if alike and joined and nodes[place].reading.id and nodes[place].text == nodes[other + 1].text:
            del kept[place]
    return kept


def _said_once(nodes: list[Node]) -> list[Node]:
    """`readers with crime vs readers with poetry` as `readers with crime vs poetry`."""
    for place in range(len(nodes) - 6):
        noun, tie, value, vs, again, tied, other = nodes[place : place + 7]
        alike = noun.text.casefold() == again.text.casefold() and tie.text.casefold() == tied.text.casefold()
        kinds = noun.cat == again.cat == "NOUN" and tie.cat == tied.cat in ("WITH", "PREP", "THAT", "HAVE") and vs.cat == "VS"
        if alike and kinds and value.cat == other.cat == "VALUE" and value.reading.dim == other.reading.dim:
            return [*nodes[: place + 4], *nodes[place + 6 :]]
    return list(nodes)
