"""Total coverage, of what the model read: every word that says something is cited, and every part of the query is what its words mean.

The lexicon is the judge. Words that it knows must mean what they are cited for; words that nobody declared license nothing by
themselves: the reading that they led to is asked back, so that a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from medflow.specs.semantic import SemanticModel
from rag_backend.planners.claude.asked import Asked, meant, settled, windows
from rag_backend.planners.claude.elements import Element, elements_of, negative, numbers_of
from rag_backend.planners.claude.reading import Cited
from rag_backend.planners.claude.unasked import unasked
from rag_backend.planners.grammar.lexicon import Reading
from rag_backend.planners.grammar.nodes import Node
from rag_backend.query.typed_query import TypedQuery

# Function words, and phrases that only introduce what is asked. No noun, negation, quantifier or comparative is among them.
_SAYS_NOTHING = frozenset(
    (
        "FILL",
        "LIGHT",
        "ART",
        "COP",
        "THAT",
        "WHICH",
        "HAVE",
        "WITH",
        "PREP",
        "BY",
        "PER",
        "AND",
        "TO",
        "HOWMANY",
        "MUCH",
        "COUNTED",
        "CODE_WORD",
        "WISE",
        "UNIT_WORD",
    )
)


@dataclass(frozen=True)
class Coverage:
    """What is wrong with a reading, in words that the model can act on; and the words in it that nobody declared."""

    problems: tuple[str, ...]
    undeclared: tuple[str, ...]


def coverage(asked: Asked, query: TypedQuery, cited: Sequence[Cited]) -> Coverage:
    """Hold a reading against the question."""
    added = additions(asked, query, cited)
    seen = {id(node) for node in asked.within(cited)}
    left = [node for node in asked.nodes if node.cat not in _SAYS_NOTHING and id(node) not in seen]
    problems = [f"the word {asked.called(node)} is read by nothing" for node in left]
    problems += [f"{asked.called(node)} {told}" for node in asked.nodes for told in _lost(node, query, asked)]
    undeclared = [node.text for node in asked.nodes if node.cat == "JUNK" or (node.cat == "TIME" and not settled(node))]
    return Coverage((*dict.fromkeys((*problems, *added.problems)),), tuple(dict.fromkeys((*added.undeclared, *undeclared))))


def additions(asked: Asked, query: TypedQuery, cited: Sequence[Cited]) -> Coverage:
    """What a reading does that the words cited for it do not say, whatever it leaves out."""
    problems: list[str] = []
    undeclared: list[str] = []
    for element in elements_of(query, asked.lexicon.model):
        nodes = asked.within([one for one in cited if _same_slot(one.slot, element.slot)])
        unknown = [node.text for node in nodes if node.cat == "JUNK"]
        if not nodes:
            problems.append(f"{element.slot} cites no words of the question")
        elif not any(_licensed(node, element, asked) for node in nodes):
            undeclared += unknown
            if not unknown:
                problems.append(f"{element.slot} is not what {_quoted(nodes, asked)} means here")
    return Coverage((*dict.fromkeys((*problems, *unasked(asked, query))),), tuple(dict.fromkeys(undeclared)))


def _same_slot(cited: str, slot: str) -> bool:
    """Words cited for a part of a slot, or for the whole that it is a part of, are words for it."""
    return cited == slot or cited.startswith((f"{slot}.", f"{slot}[")) or slot.startswith((f"{cited}[", f"{cited}."))


def _licensed(node: Node, element: Element, asked: Asked) -> bool:
    readings = (node.reading, *node.readings)
    if node.cat in element.categories or any(element.means(one) for one in readings):
        return True
    return asked.says("SHARE", "RATIO", "STAT_mean") and any(element.in_part(one) for one in readings)


def _quoted(nodes: Sequence[Node], asked: Asked) -> str:
    return " ".join(asked.called(node) for node in nodes[:4])


def _lost(node: Node, query: TypedQuery, asked: Asked) -> Iterator[str]:
    """What a known phrase says and the query does not do."""
    model = asked.lexicon.model
    if node.cat == "LEX" and not _used(node, query, asked):
        yield "means something that the query does nothing with"
    if node.cat == "NUM" and not _number_kept(node, query):
        yield "is a number that the query does not hold"
    if node.cat == "TIME" and not _window_kept(node, query):
        yield "is a time that the query does not hold"
    holds = _HOLDS.get(node.cat) or _HOLDS.get(node.cat.partition("_")[0])
    if holds is not None and not holds(query, node.cat, model):
        yield "asks for something that the query does not do"


def _used(node: Node, query: TypedQuery, asked: Asked) -> bool:
    """Whether the query does what a phrase means. What is counted without more is named beside all that it has: a date, a value."""
    model = asked.lexicon.model
    if any(_licensed(node, element, asked) for element in elements_of(query, model)):
        return True
    dates = {dim for dim in query.dimensions if model.dimensions[dim].type == "date"}
    return any(one.dim in dates or _only_counts(one, model) for one in node.readings)


def _only_counts(one: Reading, model: SemanticModel) -> bool:
    if one.kind == "NOUN":
        return bool(one.id) and not one.dim
    declared = model.metrics.get(one.id) if one.kind == "METRIC" else None
    return bool(declared and declared.count and not declared.where)


def _number_kept(node: Node, query: TypedQuery) -> bool:
    wanted = node.number / 100 if node.percent else node.number
    values = {str(value) for group in query.where for one in group for value in one.values}
    return any(abs(wanted - one) < 1e-9 for one in numbers_of(query)) or node.text in values


def _window_kept(node: Node, query: TypedQuery) -> bool:
    wanted, held = meant(node), windows(query)
    return bool(held & wanted) if wanted else bool(held)


_Holds = Callable[[TypedQuery, str, SemanticModel], bool]


def _ordered(query: TypedQuery, category: str, _: SemanticModel) -> bool:
    down = category in ("TOP", "SUP_DESC", "COMMON_DESC", "DIR_DESC")
    stat = "max" if down else "min"
    return any(one.desc is down for one in query.order_by) or any(use.stat == stat for use in query.metrics)


def _statistic(query: TypedQuery, category: str, model: SemanticModel) -> bool:
    wanted = category.removeprefix("STAT_")
    of_itself = wanted == "mean" and any(model.metrics[use.id].ratio or model.metrics[use.id].per for use in query.metrics)
    return of_itself or any(use.stat == wanted for use in query.metrics)


def _compared(query: TypedQuery, category: str, _: SemanticModel) -> bool:
    """A threshold in that direction; one of a value that stands for a range of numbers is a list of values."""
    op = category.partition("_")[2]
    thresholds = {one.op for one in (*query.having, *query.unit.having)}
    tests = {one.op for group in query.where for one in group}
    return op in thresholds | tests or (not thresholds and "in" in tests)


def _against(query: TypedQuery, category: str, _: SemanticModel) -> bool:
    of = "average" if category.startswith("AVG") else "total"
    return any(one.of == of and one.op == category.partition("_")[2] for one in query.having)


def _shared(query: TypedQuery, _: str, model: SemanticModel) -> bool:
    return any(use.transform.startswith("share") or model.metrics[use.id].ratio for use in query.metrics)


def _set_beside(query: TypedQuery, _: str, __: SemanticModel) -> bool:
    return bool(query.group_by or query.compare) or len(query.metrics) > 1 or any(one.of for one in query.having)


def _grained(query: TypedQuery, category: str, _: SemanticModel) -> bool:
    grain = category.partition("_")[2]
    moved = any(use.transform == "change" for use in query.metrics)
    return moved or query.unit.entity == grain or any(one.grain == grain for one in query.group_by)


def _changed(query: TypedQuery, _: str, __: SemanticModel) -> bool:
    return bool(query.compare) or any(use.transform == "change" for use in query.metrics)


def _negated(query: TypedQuery, _: str, __: SemanticModel) -> bool:
    return negative(query)


_HOLDS: dict[str, _Holds] = {
    **dict.fromkeys(("NOT", "WITHOUT", "EXCLUDED"), _negated),
    **dict.fromkeys(("TOP", "BOTTOM", "SUP", "COMMON"), _ordered),
    **dict.fromkeys(("CMP", "POST"), _compared),
    **dict.fromkeys(("AVG", "ALLOF"), _against),
    **dict.fromkeys(("VS", "COMPARE"), _set_beside),
    **dict.fromkeys(("GRAIN", "ADV"), _grained),
    **dict.fromkeys(("CHANGE", "GROWN", "SHRUNK", "OVER", "SAME"), _changed),
    "STAT": _statistic,
    "SHARE": _shared,
    "RUN": lambda query, _, __: any(use.transform == "running_total" for use in query.metrics),
    "BETWEEN": lambda query, _, __: bool(query.where or query.compare or query.having or query.unit.having or query.time.start),
    "LIST": lambda query, _, __: query.form == "list" or bool(query.group_by),
    "STARTS": lambda query, _, __: any(one.op == "starts_with" for group in query.where for one in group),
}
