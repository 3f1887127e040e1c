"""A question in, the terms that it asks the meaning of out. Every word of what is asked about is a term's, or nothing is defined."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from rag_backend.definitions.catalogue import Catalogue, Phrase, folded
from rag_backend.definitions.frames import Asked, frames_of
from rag_backend.planners.base import Definition


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_DEFINITE = _words("the our your their its this these that those")
_ARTICLES = _DEFINITE | _words("a an term word expression phrase called field column concept notion abbreviation acronym some any all both")
_JOINERS = _words("and or vs versus , & from with against to /")
_PREPOSITIONS = _words("of in on for within under at as from per")
_PARTS = _words(
    "stage step part value kind type category group code level option band component phase element list number formula name label"
)
# Words that ask for a number of what follows: "what is total x" is no question of what x means.
_NUMBER = _words(
    """total average mean median overall number count sum maximum minimum max min highest lowest share percentage percent typical current
    currently combined cumulative top bottom most least many much"""
)
_COUNTED = ("metric:", "entity:", "value:", "word:", "column:")  # what has numbers or rows
_NEAREST, _CLOSE = 3, 0.6
_WORDS_OF_TERM, _WORDS = 10, 24  # more words are no term, and no list of terms


@dataclass(frozen=True)
class Unknown:
    """The meaning of something is asked that nothing declares. `term` is as it was asked; `nearest` are terms that are declared."""

    term: str
    nearest: tuple[str, ...] = ()


def definition_asked(question: str, catalogue: Catalogue) -> Definition | Unknown | None:
    """The terms asked about; Unknown for a question of meaning without a term that is declared; None for any other question."""
    unknown: list[str] = []
    for asked in frames_of(question):
        terms = _terms(asked, catalogue)
        if terms:
            return Definition(terms)
        if asked.certainty == "sure" and len((word := _stopped_by(asked, catalogue)).split()) <= _WORDS_OF_TERM:
            unknown.append(word)
    term = " ".join(itertools.dropwhile(_ARTICLES.__contains__, next(iter(unknown), "").split()))
    return Unknown(term, nearest_terms(term, catalogue)) if term else None


def _stopped_by(asked: Asked, catalogue: Catalogue) -> str:
    """The words that nothing declares: what is asked about, or else where it is said to stand."""
    first = next(_worded(asked))[0]
    return next(iter(asked.context), asked.about[0]) if _read(first, catalogue) else asked.about[0]


def nearest_terms(text: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Labels of declared terms that share words or look with the text."""
    words = set(folded(text)) - _ARTICLES - _PREPOSITIONS
    shared = sorted((-len(words & set(folded(label))), len(label), label) for label in dict.fromkeys(catalogue.labels))
    by_words = [label for common, _, label in shared if common < 0]
    by_look = difflib.get_close_matches(text.casefold(), [label.casefold() for label in catalogue.labels], _NEAREST, _CLOSE)
    return tuple(dict.fromkeys([*by_look, *by_words]))[:_NEAREST]


def _terms(asked: Asked, catalogue: Catalogue) -> tuple[str, ...]:
    if asked.certainty == "bare":
        return _bare(asked.about[0].split(), catalogue)
    if asked.certainty == "naming":
        return _stages(asked.about[0].split(), catalogue)
    if asked.certainty == "listing":
        return _listed(asked.about[0].split(), catalogue)
    found: list[str] = []
    for words, context in _worded(asked):
        named = _said(words, context, catalogue) if asked.said else _read(words, catalogue) if _known(context, catalogue) else ()
        if not named:
            return ()
        found += named
    if asked.certainty == "likely" and not all(catalogue.has_content(one) for one in found):
        return ()
    return tuple(dict.fromkeys(found))


def _worded(asked: Asked) -> Iterator[tuple[list[str], list[str]]]:
    """What is asked about, each with what it is said of or where it stands; `an open order from a closed one`: the order."""
    context = [word for word in " ".join(asked.context).split() if word not in _ARTICLES]
    before: list[str] = []
    for text in asked.about:
        words = [word for word in text.split() if word not in _ARTICLES]
        if before and words and words[-1] in ("one", "ones"):
            words = [*words[:-1], before[-1]]
        before = words
        yield words, context


def _known(words: list[str], catalogue: Catalogue) -> bool:
    return not words or bool(_read(words, catalogue)) or all(word in _PARTS for word in map(_fold, words))


def _said(predicate: list[str], subject: list[str], catalogue: Catalogue) -> tuple[str, ...]:
    """`p` said of `s`: best the term for a p s, else p alone."""
    if found := _one((*predicate, *subject), catalogue) or _one((*subject, *predicate), catalogue):
        return found
    return _read(predicate, catalogue) if _known(subject, catalogue) else ()


def _bare(words: list[str], catalogue: Catalogue) -> tuple[str, ...]:
    """`what is x`: with no article or an indefinite one, the meaning; `the x` only of what has no number of its own."""
    rest = [word for word in words if word not in _ARTICLES]
    found = _read(rest, catalogue, narrow=True) if rest else ()
    number = bool(rest) and rest[0] in _NUMBER and words[0] not in ("a", "an")
    if number and any(one.startswith(_COUNTED[:-1]) for one in found):
        return ()
    if words[0] in _DEFINITE and any(one.startswith(_COUNTED) for one in found):
        return _stages(rest, catalogue)
    return found


def _listed(words: list[str], catalogue: Catalogue) -> tuple[str, ...]:
    """The values of a dimension or the parts of a term; never things that are counted."""
    rest = [word for word in words if word not in _ARTICLES]
    found = _stages(rest, catalogue) or _read(rest, catalogue, narrow=True)
    terms = [one for one in found if one.startswith("term:") and catalogue.glossary.terms[one.partition(":")[2]].parts]
    dims = [one for one in found if one.startswith("dimension:") and catalogue.model.values_of(one.partition(":")[2])]
    return () if any(one.startswith(_COUNTED) for one in found) else (*terms, *dims)


def _stages(words: list[str], catalogue: Catalogue) -> tuple[str, ...]:
    """`x stages`, `stages of x`: the term x that has parts."""
    words = [word for word in words if word not in _ARTICLES]
    rest = [word for word in words if _fold(word) not in _PARTS and word not in _PREPOSITIONS]
    if len(rest) == len(words) or not rest or any(one.startswith("dimension:") for one in catalogue.named(tuple(words))):
        return ()
    named = catalogue.named(tuple(rest))
    return tuple(one for one in named if one.startswith("term:") and catalogue.glossary.terms[one.partition(":")[2]].parts)


def _read(words: list[str], catalogue: Catalogue, narrow: bool = False) -> tuple[str, ...]:
    """References of one or several terms joined by `and` and the like; () if a word is left over."""
    if len(words) > _WORDS:
        return ()
    if found := _one(tuple(words), catalogue, narrow):
        return found
    for place in (place for place, word in enumerate(words) if word in _JOINERS):
        left, right = words[:place], words[place + 1 :]
        if left and right and right[-1] in ("one", "ones"):
            right = [*right[:-1], left[-1]]
        while right and right[0] in _JOINERS:
            right = right[1:]
        first = _sharing(left, right, catalogue) or _one(tuple(left), catalogue, narrow)
        if first and (others := _read(right, catalogue, narrow)):
            return (*first, *others)
    return ()


def _sharing(left: list[str], right: list[str], catalogue: Catalogue) -> tuple[str, ...]:
    """`open and closed orders`: the left part with the last words of the right one."""
    for place in range(1, len(right)):
        if left and (found := catalogue.named((*left, *right[place:]))):
            return found
    return ()


def _one(phrase: Phrase, catalogue: Catalogue, narrow: bool = False) -> tuple[str, ...]:
    """One term: by its name, a value beside its dimension, a pair of codes, or a term with where it stands. `narrow`: not of a value."""
    if not 0 < len(phrase) <= _WORDS_OF_TERM:
        return ()
    if found := _plainly(phrase, catalogue):
        return found
    for place in range(1, len(phrase) - 1):
        if phrase[place] in _PREPOSITIONS and (found := _in_place(phrase[:place], phrase[place + 1 :], catalogue, narrow)):
            return found
    return ()


def _plainly(phrase: Phrase, catalogue: Catalogue) -> tuple[str, ...]:
    """A term without its surroundings; a word such as `stages` may close it."""
    if found := catalogue.named(phrase) or _value(phrase, catalogue):
        return found
    if phrase[:2] in (("number", "of"), ("count", "of")) and (found := catalogue.named(phrase[2:])):
        return found
    bare = tuple(word for word in phrase if _fold(word) not in _PARTS)
    return catalogue.named(bare) if 0 < len(bare) < len(phrase) and phrase[-1] != bare[-1] else ()


def _in_place(left: Phrase, right: Phrase, catalogue: Catalogue, narrow: bool) -> tuple[str, ...]:
    around = _plainly(right, catalogue)
    if not around or (narrow and any(one.startswith("value:") for one in around)):
        return ()
    if all(_fold(word) in _PARTS for word in left):
        return around
    return catalogue.named((*right, *left)) or _plainly((*left, *right), catalogue) or _plainly(left, catalogue)


def _value(phrase: Phrase, catalogue: Catalogue) -> tuple[str, ...]:
    """`code 97`, `97 code`: a value beside its dimension; `AB-97`: one value of each of two dimensions."""
    for place in range(1, len(phrase)):
        for name, value in ((phrase[:place], phrase[place:]), (phrase[place:], phrase[:place])):
            dims = [one.partition(":")[2] for one in catalogue.named(name) if one.startswith("dimension:")]
            if found := catalogue.value_of(dims, tuple(word for word in value if _fold(word) not in ("code", "group", "value"))):
                return (found,)
    return _pair(phrase, catalogue)


def _pair(phrase: Phrase, catalogue: Catalogue) -> tuple[str, ...]:
    left, dash, right = phrase[-1].partition("-") if phrase else ("", "", "")
    before = catalogue.named(phrase[:-1])
    if not dash or (len(phrase) > 1 and not any(one.startswith("dimension:") for one in before)):
        return ()
    dims = list(catalogue.model.dimensions)
    one, two = catalogue.value_of(dims, (left,)), catalogue.value_of(dims, (right,))
    return (one, two) if one and two else ()


def _fold(word: str) -> str:
    return folded(word)[0] if folded(word) else word
