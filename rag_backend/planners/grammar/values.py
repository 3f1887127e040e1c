"""Values of dimensions in a question: single ones, lists with `and`, `or` and `vs`, negated ones, codes and starts of codes."""

from __future__ import annotations

from dataclasses import dataclass

from rag_backend.planners.grammar.draft import Reading, Stop
from rag_backend.query.problems import known_values
from rag_backend.query.typed_query import Condition

_HUGE = 10000


@dataclass(frozen=True)
class Found:
    """Conditions and the place after them; `joined` is what stood between several values: AND, OR, VS or ''."""

    conditions: list[Condition]
    last: int
    joined: str = ""
    negated: bool = False


def values_at(r: Reading, place: int) -> Found | None:
    """The values that start here."""
    negated = r.cat(place) == "NOT"
    j = r.skip(place + 1, "FILL", "PREP", "THAT", "COP") if negated else place
    if r.cat(j) == "PAIR":
        return _pair(r, j, negated)
    named = r.dim(j)
    start = r.skip(j + 1, "COP", "CODE_WORD", "PREP", "CMP_eq") if named else r.skip(j, "CODE_WORD")
    if named and r.cat(start) == "PAIR" and named in (r.node(start).reading.id, r.node(start).reading.dim):
        return _pair(r, start, negated)
    first = _value(r, start, named)
    if first is None:
        return None
    conditions, k, joined = [first], start + 1, ""
    while True:
        joiner, after = r.cat(k), r.skip(k + 1, "FILL", "PREP")
        if r.cat(k) == "AND" and r.cat(k + 1) == "OR":
            joiner, after = "OR", k + 2
        another = _value(r, after, first.dim) if joiner in ("AND", "OR", "VS") else None
        if another is None or another.dim != first.dim or another.op != first.op:
            break
        joined = joiner if joined in ("", "AND") else joined
        conditions.append(another)
        k = after + 1
    if r.dim(k) == first.dim and not r.entity(k) and r.cat(k + 1) not in ("VALUE", "NUM"):
        k += 1
    if r.cat(k) == "CODE_WORD":
        k += 1
    values = tuple(dict.fromkeys(value for one in conditions for value in one.values))
    return Found(_negated(first, values, negated), k, joined, negated)


def _negated(first: Condition, values: tuple[str | int | float, ...], negated: bool) -> list[Condition]:
    if negated and first.op != "in":
        raise Stop("not_understood", "the start of a code cannot be left out, only whole codes", str(first.values[0]))
    return [Condition(dim=first.dim, op="not_in" if negated else first.op, values=values)]


def _pair(r: Reading, place: int, negated: bool) -> Found:
    if negated:
        raise Stop("not_understood", "a pair of codes cannot be left out", r.node(place).text)
    reading = r.node(place).reading
    one, two = reading.value.split("|")
    found = [Condition(dim=reading.id, op="in", values=(one,)), Condition(dim=reading.dim, op="in", values=(two,))]
    return Found(found, place + 1)


def _value(r: Reading, place: int, named: str) -> Condition | None:
    """The value at a place; of the dimension that is named, if one is."""
    cat = r.cat(place)
    if cat == "VALUE":
        reading = r.node(place).reading
        if named and reading.dim != named:
            return _same_column(r, reading.value, named, reading.dim)
        return Condition(dim=reading.dim, op="in", values=(reading.value,))
    if cat == "PREFIX":
        reading = r.node(place).reading
        if named and reading.dim != named:
            return None
        return Condition(dim=reading.dim, op="starts_with", values=(reading.value.rstrip("*"),))
    if cat in ("NUM", "NUMPLUS", "NUMRANGE", "JUNK"):
        return _number(r, place, named)
    return None


def _same_column(r: Reading, value: str, named: str, dim: str) -> Condition | None:
    dims = r.lexicon.model.dimensions
    return Condition(dim=named, op="in", values=(value,)) if dims[named].sql == dims[dim].sql and not dims[named].ranges else None


def _number(r: Reading, place: int, named: str) -> Condition | None:
    """Digits are a value where their dimension is named, or where they are long and only one dimension has them."""
    node = r.node(place)
    text = node.text.upper()
    if named:
        dims = r.lexicon.model.dimensions
        same = [dim for dim in r.lexicon.values.of if dim == named or (dims[named].sql and dims[dim].sql == dims[named].sql)]
        held = {entry.value.upper(): entry.value for dim in same for entry in r.lexicon.values.of[dim]}
        held |= {value.upper(): value for value in known_values(r.lexicon.model, named)}
        found = held.get(text) or held.get(text.zfill(2))
        return Condition(dim=named, op="in", values=(found,)) if found else None
    whole = [one for one in node.readings if one.kind == "VALUE"]
    if len(whole) == 1 and node.cat == "NUM" and node.number >= _HUGE and node.text.isdigit():
        return Condition(dim=whole[0].dim, op="in", values=(whole[0].value,))
    return None


def unknown_value(r: Reading, place: int) -> str:
    """The dimension whose value an unknown word stands for, '?' if some, '' if the word stands elsewhere."""
    before = place - 1
    while r.cat(before) in ("COP", "CODE_WORD"):
        before -= 1
    node, alone = r.node(place), r.node(place - 1).text.casefold() if place else ""
    named = node.text[:1].isupper() or any(letter.isdigit() for letter in node.text)
    if named and r.dim(before) and (before == place - 1 or r.cat(place - 1) in ("COP", "CODE_WORD")):
        return r.dim(before)
    return "?" if named and r.cat(place - 1) in ("PREP", "WITH", "NOT", "BY") and alone != "of" else ""
