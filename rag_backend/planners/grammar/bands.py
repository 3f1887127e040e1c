"""Ranges of whole numbers against a dimension of bands: answered where the bands make the range up exactly, else refused."""

from __future__ import annotations

from rag_backend.planners.grammar.draft import Reading, Stop
from rag_backend.query.typed_query import Condition

_TOP = 10**6
_OLDEST = 130


def bands_at(r: Reading, place: int) -> tuple[Condition, int] | None:
    """The condition on a band and the place after it, if an age stands here."""
    bands = r.lexicon.bands()
    if len(bands) != 1:
        return None
    dim, listed = next(iter(bands.items()))
    j, named = place, False
    if r.cat(j) == "AGED" or r.dim(j) == dim:
        j, named = r.skip(j + 1, "COP", "PREP"), True
    found = _range_at(r, j)
    if found is None:
        return None
    low, high, last = found
    if r.cat(last) == "AGED":
        last, named = last + 1, True
    if not named and not _of_people(r, place, last):
        return None
    return Condition(dim=dim, op="in", values=_exactly(listed, low, high, r.node(j).text)), last


def _of_people(r: Reading, place: int, last: int) -> bool:
    """Whether a bare "over 65" hangs on an entity that can have an age: one that no table of its own describes."""
    noun = place - 1
    while r.cat(noun) in ("COP", "THAT"):
        noun -= 1
    declared = r.lexicon.model.entities.get(r.entity(noun))
    if declared is None or declared.dated or declared.table:
        return False
    return r.cat(last) not in ("METRIC", "NOUN", "UNIT_WORD", "VALUE")


def _range_at(r: Reading, j: int) -> tuple[int, int, int] | None:
    """(lowest, highest, place after) of whole numbers."""
    cat = r.cat(j)
    if cat == "NUMPLUS":
        return int(r.node(j).number), _TOP, j + 1
    if cat == "NUMRANGE":
        return int(r.node(j).number), int(r.node(j).readings[0].value), j + 1
    if cat == "BETWEEN" and r.cat(j + 1) == r.cat(j + 3) == "NUM" and r.cat(j + 2) == "AND":
        return int(r.node(j + 1).number), int(r.node(j + 3).number), j + 4
    if cat in ("CMP_gt", "CMP_ge", "CMP_lt", "CMP_le") and r.cat(j + 1) == "NUM":
        number = int(r.node(j + 1).number)
        low, high = {"gt": (number + 1, _TOP), "ge": (number, _TOP), "lt": (0, number - 1), "le": (0, number)}[cat[4:]]
        return (low, high, j + 2) if number <= _OLDEST else None
    if cat == "NUM" and r.cat(j + 1) in ("POST_ge", "POST_le") and r.node(j).number <= _OLDEST:
        number = int(r.node(j).number)
        return (number, _TOP, j + 2) if r.cat(j + 1) == "POST_ge" else (0, number, j + 2)
    if cat == "NUM" and r.cat(j + 1) == "TO" and r.cat(j + 2) == "NUM":
        return int(r.node(j).number), int(r.node(j + 2).number), j + 3
    return None


def _exactly(listed: list[tuple[int, int, str]], low: int, high: int, word: str) -> tuple[str, ...]:
    inside = [one for one in sorted(listed) if low <= one[0] and one[1] <= high]
    if not inside or inside[0][0] != low or inside[-1][1] != min(high, max(last for _, last, _ in listed)):
        names = ", ".join(value for _, _, value in sorted(listed))
        raise Stop("not_in_data", f"the data know only these bands: {names}", word)
    return tuple(value for _, _, value in inside)


def band_rule(r: Reading, place: int) -> int | None:
    """`aged 65 to 74`, `under 18`, `65 and older`: the bands that such an age makes up exactly."""
    if r.cat(place) == "AGED" and r.cat(place + 1) == "VALUE" and r.node(place + 1).reading.dim in r.lexicon.bands():
        return place + 1
    found = bands_at(r, place)
    if found is None:
        return None
    condition, last = found
    r.draft.filters.append((condition, place))
    r.span("where", place, last)
    return last
