"""One tagged question read from left to right: at each place the first rule that fits consumes what it understands."""

from __future__ import annotations

from collections.abc import Callable

from rag_backend.planners.grammar.bands import band_rule
from rag_backend.planners.grammar.draft import Draft, Reading, Stop
from rag_backend.planners.grammar.english import VAGUE
from rag_backend.planners.grammar.groups import group_rule, head_rule, list_rule, which_rule
from rag_backend.planners.grammar.measures import metric_rule, predicate_rule
from rag_backend.planners.grammar.ranking import common_rule, number_of_rows_rule, order_rule, superlative_rule, top_rule
from rag_backend.planners.grammar.shaping import change_rule, share_rule, time_rule, value_rule
from rag_backend.planners.grammar.tests_of import absence_rule, having_rule, negated_metric_rule
from rag_backend.planners.grammar.values import unknown_value

Rule = Callable[[Reading, int], int | None]


def read(r: Reading) -> Draft:
    """Fill the draft.

    Raises:
        Stop: a word is left over, or what is said cannot be meant.
    """
    place = 0
    while place < len(r.nodes):
        _closed(r, place)
        place = next((last for rule in _RULES if (last := rule(r, place)) is not None and last > place), 0) or _left_over(r, place)
    return r.draft


def _closed(r: Reading, place: int) -> None:
    node = r.node(place)
    if node.cat == "CLOSED":
        reason = node.reading.id
        words = {
            "not_in_data": f"the data do not have {node.text!r}",
            "not_permitted": f"{node.text!r} is never shown in answers",
            "needs_definition": f"{node.text!r} has no declared definition here: say it by a number",
        }
        raise Stop(reason, words[reason], node.text)  # type: ignore[arg-type]


def filler_rule(r: Reading, place: int) -> int | None:
    """Words that say nothing where they stand."""
    cat = r.cat(place)
    if cat in ("FILL", "COP"):
        return place + 1
    following = r.cat(r.skip(place + 1, "FILL", "ALL", "DISTINCT", "COP", "PREP"))
    if cat in ("PREP", "WITH", "HAVE", "THAT", "COME", "ALL", "DISTINCT", "TOTAL", "BY") and following not in ("END", "AND", "OR"):
        if cat == "BY" and following not in ("VALUE", "PAIR", "PREFIX", "JUNK"):
            return None
        if cat == "DISTINCT" and following not in ("NOUN", "METRIC"):
            return None
        return place + 1
    if cat in ("HAVE", "TOTAL", "THAT") and following == "END" and r.draft.asks:
        return place + 1
    if cat == "AND":
        return place + 1 if following not in ("END", "AND", "OR", "JUNK", "TIME") and _joins(r, place) else None
    if cat == "MUCH":
        return place + 1 if any(node.cat == "METRIC" for node in r.nodes[place:]) else None
    return None


def _joins(r: Reading, place: int) -> bool:
    """Whether `and` or a comma stands between things that may be joined; a comma may also close what stands before the question."""
    after = r.cat(r.skip(place + 1, "FILL", "TOTAL", "PREP", "HOWMANY", "ALL", "SHARE", "WITH", "HAVE"))
    if r.node(place).text.startswith(","):
        return True
    return after in ("METRIC", "NOUN", "VALUE", "NOT", "BY", "PER") or after.startswith(("STAT_", "CMP_", "SUP_", "AVG_", "ADV_"))


def _left_over(r: Reading, place: int) -> int:
    if r.dim(place) and r.cat(r.skip(place + 1, "COP", "CODE_WORD")) in ("JUNK", "NUM"):
        place = r.skip(place + 1, "COP", "CODE_WORD")
        label = r.lexicon.model.dimensions[r.dim(place - 1) or r.dim(place - 2)].label if r.dim(place - 1) or r.dim(place - 2) else "this"
        if r.node(place).text.casefold() not in VAGUE and (r.node(place).text[:1].isupper() or not r.node(place).text.isalpha()):
            raise Stop("unknown_value", f"{label} has no such value: {r.node(place).text!r}", r.node(place).text)
    node = r.node(place)
    if node.text.casefold() in VAGUE:
        raise Stop("needs_definition", f"{node.text!r} has no declared definition here: say it by a number", node.text)
    if node.cat == "JUNK" and (dim := unknown_value(r, place)):
        known = f"{r.lexicon.model.dimensions[dim].label} has no such value" if dim != "?" else "no dimension has such a value"
        raise Stop("unknown_value", f"{known}: {node.text!r}", node.text)
    raise Stop("not_understood", f"I do not understand {node.text!r} here", node.text)


_RULES: tuple[Rule, ...] = (
    absence_rule,
    negated_metric_rule,
    band_rule,
    number_of_rows_rule,
    top_rule,
    common_rule,
    superlative_rule,
    order_rule,
    having_rule,
    list_rule,
    which_rule,
    share_rule,
    change_rule,
    time_rule,
    group_rule,
    predicate_rule,
    head_rule,
    metric_rule,
    value_rule,
    filler_rule,
)
