"""Two questions in one: split where another question plainly begins, and only if each stands alone, so that nothing said of one is lost
on the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rag_backend.planners.base import Compound, Outcome, Planned, Refused
from rag_backend.query.typed_query import TypedQuery

_MOST = 4
_ASKS = r"(?:how many|how much|what|which|who|show|list|give|tell|display)\b"
_ENDS = re.compile(r"[?;.]\s+(?:and |also |then )*(?=\w)", re.IGNORECASE)
_BEGINS = re.compile(rf"{_ENDS.pattern}|,?\s+(?:and|plus)\s+(?:also )?(?={_ASKS})", re.IGNORECASE)
_POINTS_BACK = re.compile(r"\b(it|its|they|them|their|these|those|that|this|same|there|of which|each|both|he|she|his|her)\b", re.IGNORECASE)


def pieces_of(question: str) -> tuple[str, ...]:
    """The questions in a text; one if no other plainly begins in it."""
    parts = tuple(text for part in _BEGINS.split(question) if (text := part.strip(" ?;.,")))
    return parts if 1 < len(parts) <= _MOST else ()


def compound(question: str, read: Callable[[str], Outcome]) -> Outcome | None:
    """What `read` makes of every question of a text, if each stands alone. One that cannot be answered refuses the whole, and names
    those that can. None: the text is not several questions.
    """
    pieces = pieces_of(question)
    if not pieces or any(_POINTS_BACK.search(piece) for piece in pieces[1:]):
        return None
    outcomes = [read(piece) for piece in pieces]
    planned = [one for one in outcomes if isinstance(one, Planned)]
    apart = len(_ENDS.split(question.strip(" ?;."))) == len(pieces)
    if len(planned) == len(outcomes):
        return Compound(tuple(planned)) if _alone([one.query for one in planned], apart=apart) else None
    refused = next((one for one in outcomes if isinstance(one, Refused)), None)
    if not (planned and apart) or refused is None:
        return None
    answerable = tuple(piece for piece, one in zip(pieces, outcomes, strict=True) if isinstance(one, Planned))
    return Refused(refused.reason_code, f"one of {len(pieces)} questions: {refused.message}", refused.word, answerable)


def _alone(queries: Sequence[TypedQuery], *, apart: bool) -> bool:
    """Whether nothing that is said of one could be meant of another as well: limits are the same, or the first of several sentences has
    none; and what the first is split by is not left open in those that follow.
    """
    first = _limits(queries[0])
    split = all(query.group_by for query in queries) or not queries[0].group_by
    return split and (all(_limits(query) == first for query in queries) or (apart and not any(first)))


def _limits(query: TypedQuery) -> tuple[object, ...]:
    window = (query.time.start, query.time.until) if query.time.start or query.time.until else ()
    return query.where, window, query.compare, query.unit.having, query.having, (query.limit.n,) if query.limit.n else ()
