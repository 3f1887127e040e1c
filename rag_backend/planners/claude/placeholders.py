"""What of a question never leaves the house: identifiers and names of what is not public stand as placeholders in what the model reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.nodes import Node
from rag_backend.planners.grammar.tokens import Token

_PLACEHOLDER = re.compile(r"\[(?:id|name)_\d+\]")
_SAFE_DIGITS = 4  # a plain number of so few digits is a count, a day or a year
_LONG = 7  # digits of numbers side by side that together are one identifier, written in groups
_HUGE = 9  # digits before the point of what is written as an amount and is none that is asked about
_WRITTEN = re.compile(r"^[$€£]?\d{1,3}(?:,\d{3})+(?:\.\d+)?[kmb]?%?$|^[$€£]\d+(?:\.\d+)?[kmb]?n?$|^\d+(?:\.\d+)?%$", re.I)
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_WITHIN = re.compile(r"[\s().\-\u2013]{0,3}")  # what stands between the groups of one identifier
_GLUED = re.compile(r"[.\-\u2013_]?")
_OF_VALUES, _DECLARED = ("VALUE", "PREFIX", "PAIR"), ("METRIC", "STATE", "NOUN", "VERB", "CLOSED")

_Place = tuple[int, int, str]
_Placed = tuple[int, int, Node]


@dataclass(frozen=True)
class Masked:
    """A question as the model may read it, and what its placeholders stand for. `places`: the characters of each, and its placeholder."""

    text: str
    meant: Mapping[str, str]
    places: tuple[_Place, ...] = ()

    def restored(self, text: str) -> str:
        """Text of the model with what its placeholders stand for."""
        return _PLACEHOLDER.sub(lambda found: self.meant.get(found.group(), found.group()), text)


def masked(question: str, nodes: Sequence[Node], tokens: Sequence[Token], lexicon: Lexicon) -> Masked:
    """The question with a placeholder for each identifier, and for each value of a dimension that is not public, or a word of one."""
    placed = [(tokens[node.first].start, tokens[node.last - 1].end, node) for node in nodes]
    spans: list[_Place] = [(*found.span(), "id") for found in _ADDRESS.finditer(question)]
    spans += _grouped(placed, question, lexicon)
    spans += [(start, end, kind) for start, end, node in placed if (kind := _private(node, tokens, lexicon))]
    meant: dict[str, str] = {}
    parts, place, places = [], 0, []
    for start, end, kind in _merged(spans):
        name = f"[{kind}_{len(meant) + 1}]"
        meant[name] = question[start:end]
        places.append((start, end, name))
        parts += [question[place:start], name]
        place = end
    return Masked("".join((*parts, question[place:])), meant, tuple(places))


def _merged(spans: Sequence[_Place]) -> list[_Place]:
    """In order, those that overlap as one."""
    found: list[_Place] = []
    for start, end, kind in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]), found[-1][2])
        else:
            found.append((start, end, kind))
    return found


def _grouped(placed: Sequence[_Placed], question: str, lexicon: Lexicon) -> Iterator[_Place]:
    """Identifiers that are written in groups, `078-05-1120`, or with an ending, `AB123456-2`: neighbours that together are too long."""
    for run in _runs(placed, question, lexicon):
        gaps = [question[before[1] : after[0]] for before, after in pairwise(run)]
        glued = all(map(_GLUED.fullmatch, gaps)) and any(node.cat == "JUNK" for _, _, node in run)
        if gaps and (glued or sum(_digits(node.text) for _, _, node in run) >= _LONG):
            yield run[0][0], run[-1][1], "id"


def _runs(placed: Sequence[_Placed], question: str, lexicon: Lexicon) -> Iterator[list[_Placed]]:
    """Phrases that may be groups of an identifier, as they stand side by side."""
    run: list[_Placed] = []
    for one in placed:
        part = _part_of_id(one[2], lexicon)
        if not (part and run and _WITHIN.fullmatch(question[run[-1][1] : one[0]])):
            yield run
            run = []
        run += [one] if part else []
    yield run


def _part_of_id(node: Node, lexicon: Lexicon) -> bool:
    """Whether a phrase may be a group of an identifier: digits that are no time, no share and no value that may be read."""
    if node.cat in ("TIME", "NUMPLUS") or node.percent or not _digits(node.text):
        return False
    return not _read(node, lexicon) and not (_WRITTEN.match(node.text) and "," in node.text)


def _private(node: Node, tokens: Sequence[Token], lexicon: Lexicon) -> str:
    """What kind of placeholder a phrase needs; '' = it may be read."""
    if any(one.kind in _OF_VALUES for one in node.readings):
        return "" if _read(node, lexicon) else "name"
    if node.cat == "JUNK" and any(token.norm in lexicon.private_words for token in tokens[node.first : node.last]):
        return "name"
    if node.cat in ("TIME", "NUMPLUS") or not _digits(node.text):
        return ""
    if _WRITTEN.match(node.text):
        return "id" if _digits(node.text.partition(".")[0]) >= _HUGE else ""
    counts = _digits(node.text) <= _SAFE_DIGITS and not node.text.startswith("00")
    return "" if node.cat == "NUM" and counts else "id"


def _read(node: Node, lexicon: Lexicon) -> bool:
    """Whether a phrase says something that the model may know: a word that is declared, or a value of a public dimension."""
    of_values = [one for one in node.readings if one.kind in _OF_VALUES]
    declared = any(one.kind in _DECLARED for one in node.readings)
    return declared or any(lexicon.model.dimensions[one.dim].privacy == "public" for one in of_values)


def _digits(text: str) -> int:
    return sum(letter.isdigit() for letter in text)
