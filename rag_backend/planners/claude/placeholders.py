"""What of a question never leaves the house: identifiers and names of what is not public stand as placeholders in what the model reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.nodes import Node
from rag_backend.planners.grammar.tokens import Token

_PLACEHOLDER = re.compile(r"\[(?:id|name)_\d+\]")
_SAFE_DIGITS = 4  # a plain number of so few digits is a count, a day or a year
_WRITTEN = re.compile(r"^[$€£]?\d{1,3}(?:,\d{3})+(?:\.\d+)?[kmb]?%?$|^[$€£]\d+(?:\.\d+)?[kmb]?n?$|^\d+(?:\.\d+)?%$", re.I)
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


@dataclass(frozen=True)
class Masked:
    """A question as the model may read it, and what its placeholders stand for."""

    text: str
    meant: Mapping[str, str]

    def restored(self, text: str) -> str:
        """Text of the model with what its placeholders stand for."""
        return _PLACEHOLDER.sub(lambda found: self.meant.get(found.group(), found.group()), text)


def masked(question: str, nodes: Sequence[Node], tokens: Sequence[Token], lexicon: Lexicon) -> Masked:
    """The question with a placeholder for each identifier, and for each value of a dimension that is not public."""
    spans: list[tuple[int, int, str]] = [(*found.span(), "id") for found in _ADDRESS.finditer(question)]
    for node in nodes:
        start, end = tokens[node.first].start, tokens[node.last - 1].end
        if any(start < until and end > since for since, until, _ in spans):
            continue
        if private := _private(node, lexicon):
            spans.append((start, end, private))
    meant: dict[str, str] = {}
    parts, place = [], 0
    for start, end, kind in sorted(spans):
        name = f"[{kind}_{len(meant) + 1}]"
        meant[name] = question[start:end]
        parts += [question[place:start], name]
        place = end
    return Masked("".join((*parts, question[place:])), meant)


def _private(node: Node, lexicon: Lexicon) -> str:
    """What kind of placeholder a phrase needs; '' = it may be read."""
    values = [one for one in node.readings if one.kind in ("VALUE", "PREFIX", "PAIR")]
    if values:
        return "" if all(lexicon.model.dimensions[one.dim].privacy == "public" for one in values) else "name"
    if node.cat in ("TIME", "NUMPLUS") or not any(letter.isdigit() for letter in node.text):
        return ""
    digits = sum(letter.isdigit() for letter in node.text)
    plain = node.cat == "NUM" and digits <= _SAFE_DIGITS
    return "" if plain or _WRITTEN.match(node.text) else "id"
