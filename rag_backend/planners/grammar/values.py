"""Values of dimensions in a question: single ones, lists with `and`, `or` and `vs`, negated ones, codes, pairs and starts of codes."""

from __future__ import annotations

from collections.abc import Sequence

from rag_backend.planners.grammar.draft import Reading, Stop
from rag_backend.planners.grammar.model_of import as_filter
from rag_backend.planners.grammar.nodes import Node
from rag_backend.planners.grammar.parts import Values
from rag_backend.query.typed_query import Condition

_HUGE = 10000
_Group = tuple[Condition, ...]


def values_at(r: Reading, place: int, lead: tuple[Node, ...]) -> Values | None:
    """The values that start here; `not`, `except` and the like belong to them, as does the name of their dimension on either side."""
    if (before_name := _before_its_name(r, place, lead)) is not None:
        return before_name
    negated = r.cat(place) == "NOT"
    j = r.skip(place + 1, "FILL", "PREP", "THAT", "COP", "WITH", "HAVE", "ALL", "NOT", "BETWEEN", "TO") if negated else place
    if negated and r.cat(j) in ("NOUN", "METRIC") and r.cat(j + 1) in ("THAT", "WITH", "HAVE", "PREP"):
        after = r.skip(j + 1, "FILL", "PREP", "THAT", "COP", "WITH", "HAVE", "LIGHT")  # `excluding loans that are late`
        j = after if r.cat(after) == "VALUE" and _counts(r, j) else j
    named = r.dim(j)
    blank = r.skip(j + 1, "COP", "CODE_WORD")
    if named and blank > j + 1 and (r.cat(blank) == "EMPTY" or r.node(blank).text.casefold() == "missing"):
        return Values(place, blank + 1, lead, ((Condition(dim=named, op="is_null"),),), named=True)
    if named and r.cat(j - 1) in ("ALL", "PER") and r.cat(j + 1) == "AND" and r.node(j + 1).text.casefold() == "but":
        negated, start = True, j + 2
    elif named and not negated and r.cat(r.skip(j + 1, "COP", "CODE_WORD")) == "NOT":
        negated = True
        start = r.skip(j + 1, "COP", "CODE_WORD", "NOT", "PREP", "FILL")
    else:
        start = r.skip(j + 1, "COP", "CODE_WORD", "PREP", "CMP_eq", "STARTS", "OR", "FILL") if named else r.skip(j, "CODE_WORD", "ALL")
    if named and start > j + 1 and r.cat(start - 1) in ("FILL", "OR") and r.cat(start) != "VALUE":
        start = r.skip(j + 1, "COP", "CODE_WORD", "PREP", "CMP_eq", "STARTS")
    if negated and r.cat(j) == "METRIC" and (own := as_filter(r.lexicon.model, r.node(j).reading.id)):
        return Values(place, j + 1, lead, ((own.model_copy(update={"op": "in" if own.op == "not_in" else "not_in"}),),), "", True, True)
    found = _list_at(r, start, named, negated=negated)
    if found is None and named and r.node(j).text.casefold().endswith(" by"):
        found = _list_at(r, start, "")  # `treated by a specialist`
    if found is None:
        return None
    groups, last, joined = found
    dims = {one.dim for group in groups for one in group}
    if r.dim(last) in dims and not r.entity(last) and r.cat(last + 1) not in ("VALUE", "NUM"):
        last, named = last + 1, r.dim(last)
    elif r.cat(last) == "PREP" and r.node(last).text.casefold() == "as":
        noun = r.skip(last + 1, "FILL")
        if r.dim(noun) and _same_columns(r, {*dims, r.dim(noun)}):
            last, named = noun + 1, r.dim(noun)
    groups, last = _among_several(r, groups, last)
    last += r.cat(last) == "CODE_WORD"
    after = r.skip(last, "COP", "FILL")
    if r.cat(after) == "EXCLUDED":
        leaving = negated and r.node(place).text.casefold().startswith("leav")
        negated, last = (True if leaving else not negated), after + 1
    both = joined == "AND" and not negated and groups[0][0].op == "has"
    where = _negated(groups) if negated else tuple(groups) if both else _any_of(groups)
    return Values(place, last, lead, where, joined, negated, bool(named))


def _before_its_name(r: Reading, place: int, lead: tuple[Node, ...]) -> Values | None:
    """`the 25 tag`: one of a list of values, before the name of the list."""
    named = r.dim(place + 1)
    if not named or not r.lexicon.model.dimensions[named].several or r.cat(place) not in ("NUM", "JUNK"):
        return None
    found = _number(r, place, named)
    return Values(place, place + 2, lead, ((found,),), named=True) if found else None


def _among_several(r: Reading, groups: list[_Group], last: int) -> tuple[list[_Group], int]:
    """`X1 among any tags`: the name of a list of values after a value that stands for itself elsewhere."""
    noun = r.skip(last, "PREP", "FILL", "ALL", "ART")
    dim = r.dim(noun)
    if not dim or not r.lexicon.model.dimensions[dim].several or any(len(group) > 1 or group[0].op != "in" for group in groups):
        return groups, last
    held = {entry.value for entry in r.lexicon.values.of.get(dim, ())}
    if not all(set(group[0].values) <= held for group in groups):
        return groups, last
    return [(Condition(dim=dim, op="has", values=group[0].values),) for group in groups], noun + 1


def _counts(r: Reading, place: int) -> bool:
    """Whether a word stands for what is counted, without more."""
    metric = r.lexicon.model.metrics.get(r.node(place).reading.id) if r.cat(place) == "METRIC" else None
    return bool(r.entity(place) and not r.dim(place)) or bool(metric and metric.count and not metric.where)


def _list_at(r: Reading, place: int, named: str, *, negated: bool = False) -> tuple[list[_Group], int, str] | None:
    """The values as alternatives, the place after them, and what joins them."""
    first = _one(r, place, named)
    if first is None:
        return None
    groups, k, joined = [first], place + 1, ""
    while True:
        joiner, after = r.cat(k), r.skip(k + 1, "FILL", "PREP", "NOT", "CODE_WORD")
        if r.cat(k) in ("AND", "OR") and r.cat(k + 1) in ("AND", "OR"):
            joiner, after = r.cat(k + 1), r.skip(k + 2, "FILL", "PREP", "NOT", "CODE_WORD")
        another = _one(r, after, first[0].dim) if joiner in ("AND", "OR", "VS", "TO") else None
        if another is None or [one.dim for one in another] != [one.dim for one in first] or another[0].op != first[0].op:
            break
        if not negated and "NOT" in [r.cat(at) for at in range(k + 1, after)]:
            raise Stop("not_understood", "those with it against those without it are two questions", r.node(k + 1).text)
        if joiner == "TO" and not any(node.cat == "COMPARE" for node in r.nodes):
            break
        again = joiner == "AND" and any(r.cat(at) == "PREP" for at in range(k + 1, after))  # `for A and for B`: one after the other
        if {joiner, joined} == {"AND", "OR"} and not negated:
            raise Stop("not_understood", "`and` with `or`: which belong together?", r.node(k).text)
        joined = "EACH" if again else joiner if joined in ("", "AND") else joined
        groups.append(another)
        k = after + 1
    return groups, k, joined


def _any_of(groups: Sequence[_Group]) -> tuple[_Group, ...]:
    """Single values of one dimension are one condition; one pair is two that must both hold."""
    if len(groups[0]) == 1:
        values = tuple(dict.fromkeys(value for group in groups for value in group[0].values))
        return ((groups[0][0].model_copy(update={"values": values}),),)
    if len(groups) == 1:
        return tuple((one,) for one in groups[0])
    firsts = {group[0].values for group in groups}
    if len(firsts) == 1:
        seconds = tuple(value for group in groups for value in group[1].values)
        return ((groups[0][0],), (groups[0][1].model_copy(update={"values": seconds}),))
    raise Stop("not_understood", "alternatives of pairs have to be asked separately")


def _negated(groups: Sequence[_Group]) -> tuple[_Group, ...]:
    """None of the values; of a pair, not both at once."""
    if groups[0][0].op not in ("in", "has"):
        raise Stop("not_understood", "the start of a code cannot be left out, only whole codes", str(groups[0][0].values[0]))
    if len(groups[0]) == 1:
        return ((_any_of(groups)[0][0].model_copy(update={"op": "not_in"}),),)
    return tuple(tuple(one.model_copy(update={"op": "not_in"}) for one in group) for group in groups)


def _one(r: Reading, place: int, named: str) -> _Group | None:
    """The value at a place, of the dimension that is named, if one is; a pair is two conditions."""
    cat = r.cat(place)
    if cat == "PAIR":
        reading = r.node(place).reading
        if named and named not in (reading.id, reading.dim):
            return None
        one, two = reading.value.split("|")
        return Condition(dim=reading.id, op="in", values=(one,)), Condition(dim=reading.dim, op="in", values=(two,))
    found = _value(r, place, named)
    return (found,) if found else None


def _value(r: Reading, place: int, named: str) -> Condition | None:
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
        return _letter(r, place, named) or _number(r, place, named)
    return None


def _letter(r: Reading, place: int, named: str) -> Condition | None:
    """`starting with S`, where the dimension is named and has such codes."""
    text = r.node(place).text.upper()
    if not named or r.cat(place - 1) != "STARTS" or not text.isalnum():
        return None
    dims = r.lexicon.model.dimensions
    same = [dim for dim in r.lexicon.values.of if dim == named or (dims[named].sql and dims[dim].sql == dims[named].sql)]
    held = any(entry.value.startswith(text) for dim in same for entry in r.lexicon.values.of[dim])
    return Condition(dim=named, op="starts_with", values=(text,)) if held else None


def _same_column(r: Reading, value: str, named: str, dim: str) -> Condition | None:
    dims = r.lexicon.model.dimensions
    if dims[named].several:
        held = any(entry.value == value for entry in r.lexicon.values.of.get(named, ()))
        return Condition(dim=named, op="has", values=(value,)) if held else None
    return Condition(dim=named, op="in", values=(value,)) if dims[named].sql == dims[dim].sql and not dims[named].ranges else None


def _same_columns(r: Reading, dims: set[str]) -> bool:
    return len({r.lexicon.model.dimensions[dim].sql for dim in dims}) == 1


def _number(r: Reading, place: int, named: str) -> Condition | None:
    """Digits are a value where their dimension is named, or where they are long and only one dimension has them."""
    node = r.node(place)
    text = node.text.upper()
    if named:
        dims = r.lexicon.model.dimensions
        same = [dim for dim in r.lexicon.values.of if dim == named or (dims[named].sql and dims[dim].sql == dims[named].sql)]
        held = {entry.value.upper(): entry.value for dim in same for entry in r.lexicon.values.of[dim]}
        held |= {value.upper(): value for value in r.lexicon.model.values_of(named)}
        found = held.get(text) or held.get(text.zfill(2))
        return Condition(dim=named, op="has" if dims[named].several else "in", values=(found,)) if found else None
    whole = [one for one in node.readings if one.kind == "VALUE"]
    if len(whole) == 1 and node.cat == "NUM" and node.number >= _HUGE and node.text.isdigit():
        return Condition(dim=whole[0].dim, op="in", values=(whole[0].value,))
    return None


def unknown_value(r: Reading, place: int) -> str:
    """The dimension whose value an unknown word stands for, '?' if some, '' if the word stands elsewhere."""
    before = place - 1
    while r.cat(before) in ("COP", "CODE_WORD", "FILL", "STARTS"):
        before -= 1
    node, alone = r.node(place), r.node(place - 1).text.casefold() if place else ""
    named = node.text[:1].isupper() or any(letter.isdigit() for letter in node.text)
    if named and before >= 0 and r.dim(before):
        return r.dim(before)
    if node.cat == "NUM":
        return ""
    return "?" if named and r.cat(place - 1) in ("PREP", "WITH", "NOT", "BY", "TO") and alone != "of" else ""
