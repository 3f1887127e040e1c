"""Yes-or-no questions that set two numbers beside each other, as the comparison that answers them; any other is not rewritten."""

from __future__ import annotations

import re

from rag_backend.query.typed_query import TypedQuery, listed

_ASKS = re.compile(r"^\W*(?:is|are|was|were|do|does|did|has|have|had)\b(?: there\b)?\s*", re.IGNORECASE)
_MORE = r"(?:higher|lower|greater|larger|smaller|bigger|longer|shorter)"
_BEATS = r"(?:outnumber|outnumbered|exceed|exceeded|surpass|surpassed|outpace|outpaced|outstrip|outstripped)(?! \$?\d)"
_THAN = re.compile(rf"\b(?:(?:any )?{_MORE} than|{_BEATS})\b(?: (?:it|they|that|those) (?:was|were|is|are)\b)?", re.IGNORECASE)
_HOW_MUCH_MORE = re.compile(r"^\W*how (much|many) (?:more or less|more or fewer|more|less|fewer)\b\s*", re.IGNORECASE)
_MORE_THAN = re.compile(r"\bthan\b(?! \$?\d+(?! *\?| *$|\d))", re.IGNORECASE)
_MORE_OF = re.compile(
    r"^(?:more|fewer) (?P<one>[^?]+?) (?P<noun>[\w-]+) than (?P<other>[^?]+?) (?P=noun)\b(?P<rest>[^?]*)\??\s*$", re.IGNORECASE
)


def as_comparison(question: str) -> str:
    """`Is A's rate higher than B's?` as `A's rate vs B's?`; '' where the question does not set two things side by side."""
    if _HOW_MUCH_MORE.match(question):
        said, times = _MORE_THAN.subn("vs", _HOW_MUCH_MORE.sub(r"how \1 ", question))
        return said if times == 1 and not _HOW_MUCH_MORE.search(said) else ""
    begun = _ASKS.match(question)
    if begun is None:
        return ""
    rest = question[begun.end() :]
    if counted := _MORE_OF.match(rest):
        return f"{counted['one']} vs {counted['other']} {counted['noun']}{counted['rest']}"
    said, times = _THAN.subn("vs", rest)
    return said if times == 1 else ""


def sets_beside(query: TypedQuery) -> bool:
    """Whether a query shows the two numbers that are compared, and nothing else."""
    shown = {one.dim for one in query.group_by}
    two = [one for one in listed(query.where) if one.dim in shown and len(one.values) == len(("one", "other"))]
    return (
        not query.having and not query.limit.n and (len(query.compare) == len(("before", "after")) or (len(two) == 1 and len(shown) == 1))
    )
