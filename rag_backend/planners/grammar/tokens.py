"""A question as tokens with their places: words, numbers, codes and symbols."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

_TOKEN = re.compile(
    r"""
    (?P<code>\d{4}-\d{2}-\d{2}(?!\d) | \d{4}-\d{2}(?!\d) | \d+-\d+ | \d+\+
           | [^\W\d_]+-?\d[\w.]*[\w] | [^\W\d_]+-?\d | \d+[^\W\d_][\w]*)
  | (?P<number>[$€£]?\d+(?:,\d{3})*(?:\.\d+)?(?:[kKmMbB]n?(?![^\W_]))?%?)
  | (?P<word>[^\W\d_]+(?:'[^\W\d_]+)?)
  | (?P<symbol>[<>]=|[^\w\s]|_)
    """,
    re.VERBOSE,
)
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_MONTH_BEFORE, _MONTH_AFTER = re.compile(rf"\b{_MONTH}$", re.I), re.compile(rf"{_MONTH}\b", re.I)
_DROPPED = frozenset("?.!\"'()")
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2265": "≥", "\u2013": "-", "\u2014": "-"})


@dataclass(frozen=True)
class Token:
    """`text` as written, `norm` folded for look-up, at characters [start, end): with the apostrophe of a plural's possessive."""

    text: str
    norm: str
    start: int
    end: int
    kind: str


def tokens_of(text: str) -> tuple[Token, ...]:
    """Tokens in order; a possessive 's and punctuation that says nothing are left out."""
    straight = text.translate(_QUOTES).replace("(s)", "   ")
    found: list[Token] = []
    for match in _TOKEN.finditer(straight):
        kind = match.lastgroup or "symbol"
        raw = match.group()
        if raw == "'" and found and found[-1].end == match.start() and found[-1].norm.endswith("s"):
            found[-1] = replace(found[-1], end=match.end())  # `readers' fines`
        if raw == "s" and found and found[-1].kind in ("number", "code") and straight[found[-1].end : match.start()] == "'":
            continue  # `2025's`
        if raw in _DROPPED or (raw == "-" and not _apart(straight, match)):
            continue
        norm = unicodedata.normalize("NFKC", raw).casefold()
        if kind == "word" and norm.endswith("'s") and norm not in ("what's", "who's", "let's", "there's", "that's", "how's"):
            norm = norm[:-2]
        found.append(Token(raw, norm, match.start(), match.end(), kind))
    return tuple(found)


def _apart(text: str, match: re.Match[str]) -> bool:
    """Whether a dash stands between words rather than within one; `Jan-Jun` are two."""
    before, after = _MONTH_BEFORE.search(text[: match.start()]), _MONTH_AFTER.match(text, match.end())
    if before and after:
        return True
    return text[match.start() - 1 : match.start()] == " " and text[match.end() : match.end() + 1] == " "


def singular(word: str) -> str:
    """A plural English noun as singular, by its ending; any other word as it is."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 4 and word.endswith("oses"):
        return word[:-2] + "is"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return {"women": "woman", "men": "man", "children": "child"}.get(word, word)
