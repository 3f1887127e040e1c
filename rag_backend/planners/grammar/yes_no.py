"""Yes-or-no questions that set two numbers beside each other, as the comparison that answers them; any other is not rewritten."""

from __future__ import annotations

import re

from rag_backend.query.typed_query import TypedQuery, listed

_ASKS = re.compile(r"^\W*(?:is|are|was|were|do|does|did|has|have|had)\b(?: there\b)?\s*", re.IGNORECASE)
_MORE = r"(?:higher|lower|greater|larger|smaller|bigger|longer|shorter)"
_THAN = re.compile(rf"\b(?:any )?{_MORE} than\b(?: (?:it|they|that|those) (?:was|were|is|are)\b)?", re.IGNORECASE)
_MORE_OF = re.compile(
    r"^(?:more|fewer) (?P<one>[^?]+?) (?P<noun>[\w-]+) than (?P<other>[^?]+?) (?P=noun)\b(?P<rest>[^?]*)\??\s*$", re.IGNORECASE
)


def as_comparison(question: str) -> str:
    """`Is A's rate higher than B's?` as `A's rate vs B's?`; '' where the question does not set two things side by side."""
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
