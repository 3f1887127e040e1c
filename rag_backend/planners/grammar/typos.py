"""Misspelt words: repaired only to the one word of the lexicon that is a letter away, never numbers, codes, short or known words."""

from __future__ import annotations

from dataclasses import replace

from rag_backend.planners.grammar.english import KEEP, VAGUE
from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.tokens import Token, singular

_LEAST = 5
_OWN = frozenset({"number", "month", "months", "quarter", "quarters", "average", "median", "monthly", "quarterly", "highest", "lowest"})


def repaired(tokens: tuple[Token, ...], lexicon: Lexicon) -> tuple[tuple[Token, ...], tuple[str, ...]]:
    """The tokens with repairs, and a note for each."""
    known = lexicon.known
    found, notes = [], []
    for token in tokens:
        word = token.norm
        if token.kind != "word" or len(word) < _LEAST or word in known or singular(word) in known or word in KEEP or word in VAGUE:
            found.append(token)
            continue
        near = {one for one in (*lexicon.by_letter.get(word[0], ()), *_OWN) if one[0] == word[0] and _one_apart(word, one)}
        near = {one for one in near if not _inflected(word, one) and not _inflected(one, word)}
        meanings = {lexicon.readings((one,)) or one for one in near}
        if len({singular(one) for one in near}) != 1 and (len(meanings) != 1 or not near):
            found.append(token)
            continue
        meant = word_for(word, near)
        found.append(replace(token, norm=meant))
        notes.append(f"read {token.text!r} as {meant!r}")
    return tuple(found), tuple(notes)


def _inflected(word: str, one: str) -> bool:
    """Whether one is the other with an ending, which makes it another word; a last letter doubled does not."""
    return one.startswith(word) and one != word + word[-1]


def word_for(word: str, near: set[str]) -> str:
    """Of a singular and its plural, the one that ends as the word does."""
    return min(near, key=lambda one: (one[-1] != word[-1], one))


def _one_apart(one: str, two: str) -> bool:
    """Whether one letter more, less or other, or two neighbours swapped, make one word the other."""
    if one == two or abs(len(one) - len(two)) > 1:
        return False
    start = next((k for k, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    left, right = one[start:], two[start:]
    if len(one) == len(two):
        return left[1:] == right[1:] or (left[:2] == right[1::-1] and left[2:] == right[2:])
    return left[1:] == right if len(one) > len(two) else left == right[1:]
