"""Ranges of whole numbers against a dimension of bands: answered where the bands make the range up exactly, else refused."""

from __future__ import annotations

from rag_backend.planners.grammar.draft import Reading, Stop
from rag_backend.planners.grammar.nodes import Node
from rag_backend.planners.grammar.parts import Values
from rag_backend.planners.grammar.values import values_at
from rag_backend.query.typed_query import Condition

_TOP = 10**6
_OLDEST = 130


def band_at(r: Reading, place: int, lead: tuple[Node, ...]) -> Values | None:
    """`aged 65 to 74`, `under 18`, `65 and older`: the bands that such an age makes up exactly."""
    bands = r.lexicon.bands
    if len(bands) != 1:
        return None
    dim, listed = next(iter(bands.items()))
    j, named = place, False
    if r.cat(j) == "AGED" or r.dim(j) == dim:
        j, named = r.skip(j + 1, "COP", "PREP", "FILL"), True
    if not named and r.cat(j) == "VALUE" and r.node(j).reading.dim == dim and r.cat(j + 1) == "AGED":
        return Values(place, j + 2, lead, ((Condition(dim=dim, op="in", values=(r.node(j).reading.value,)),),))
    if named and r.cat(j) == "VALUE" and r.node(j).reading.dim == dim:
        return values_at(r, j, lead) if r.cat(place) == "AGED" else None
    found = _range_at(r, j)
    if found is None:
        return None
    low, high, last = found
    named = named or any("old" in node.text or "young" in node.text for node in r.nodes[j:last])
    if r.cat(last) == "AGED" or r.dim(last) == dim:
        last, named = last + 1, True
    if not named and not _of_people(r, place, last):
        return None
    one = Condition(dim=dim, op="in", values=_exactly(listed, low, high, r.node(j).text))
    return Values(place, last, lead, ((one,),), named=True)


def _of_people(r: Reading, place: int, last: int) -> bool:
    """Whether a bare "over 65" hangs on an entity that can have an age: one that no table of its own describes."""
    noun = place - 1
    while r.cat(noun) in ("COP", "THAT"):
        noun -= 1
    value = r.node(noun).reading if r.cat(noun) == "VALUE" else None
    if value is not None and r.lexicon.model.dimensions[value.dim].describes:
        return r.cat(last) not in ("METRIC", "NOUN", "UNIT_WORD", "VALUE")
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
    if cat == "NUM" and r.cat(j + 1) in ("TO", "BETWEEN") and r.cat(j + 2) == "NUM":
        return int(r.node(j).number), int(r.node(j + 2).number), j + 3
    return None


def _exactly(listed: list[tuple[int, int, str]], low: int, high: int, word: str) -> tuple[str, ...]:
    inside = [one for one in sorted(listed) if low <= one[0] and one[1] <= high]
    if not inside or inside[0][0] != low or inside[-1][1] != min(high, max(last for _, last, _ in listed)):
        names = ", ".join(value for _, _, value in sorted(listed))
        raise Stop("not_in_data", f"the data know only these bands: {names}", word)
    return tuple(value for _, _, value in inside)
