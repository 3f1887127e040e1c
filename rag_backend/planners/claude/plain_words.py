"""The only words that a model may use towards a reader: those of a closed list, and those that the reader or the declarations used before.

A list of what is forbidden would never end: addresses, numbers in words, orders to the reader, boasts. So nothing else is let through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from medflow.specs.semantic import SemanticModel

# No number, no quantity, no comparison, no cause, and no verb by which a reader could be sent anywhere.
_LISTED = """
    a an the this that these those it its they their there here which what who whose where when how
    is are was were be been being has have had having does do did can cannot could may might must would
    not no nor neither nothing isn't aren't doesn't don't wasn't weren't can't hasn't haven't didn't
    and or but as if so only also such like than then both either yet
    of for from to in on at by with without within about into per between among across under beyond outside beside
    catalogue catalog data dataset table tables row rows column columns field fields record records list lists
    metric metrics measure measures measured dimension dimensions entity entities value values number numbers figure figures
    amount amounts group groups grouped split period periods window date dates kind kinds type types name names label labels
    question questions answer answers answered word words term terms meaning definition definitions information detail details
    contain contains contained containing include includes included including hold holds held cover covers covered
    know known unknown exist exists available unavailable recorded kept stored tracked defined declared described supported related
    asked asks asking reads mean means meant say says said refer refers show shows shown showing describe describes
    concern concerns belong belongs need needs needed require requires unclear clear ambiguous specific particular general
    same other another different separate any some each example instance topic subject scope system assistant i we
"""
_WORDS = frozenset(_LISTED.split())
_SENTENCE = re.compile(r"[A-Za-z](?:[A-Za-z ,;()'\u2019-]|\.(?=\s|$))*\.?")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_HYPHEN = re.compile(r"[-\u2010-\u2015]")


def says_only(text: str, known: Iterable[str]) -> bool:
    """Whether a text is of plain sentences in these words and those of the texts in `known`: no digit, no mark-up, no address."""
    if not _SENTENCE.fullmatch(text):
        return False
    allowed = _WORDS | {form for one in known for word in words_of(one) for form in (word, f"{word}s", f"{word}'s")}
    return all(word in allowed for word in words_of(text))


def words_of(text: str) -> list[str]:
    """The words of a text, folded."""
    return _WORD.findall(_HYPHEN.sub(" ", text.replace("\u2019", "'")).casefold())


def declared_words(model: SemanticModel) -> Iterator[str]:
    """What metrics, dimensions and entities are called."""
    yield from (word for one in model.metrics.values() for word in (one.label, *one.words))
    yield from (word for one in model.dimensions.values() for word in (one.label, *one.words))
    yield from (word for one in model.entities.values() for word in (one.label, *one.words))
