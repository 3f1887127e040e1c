"""Questions near one that was refused: from what was recognised in it, each of which is answered."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from rag_backend.planners.grammar.lexicon import Lexicon
from rag_backend.planners.grammar.nodes import Node

_MOST, _TRIED = 3, 8


def nearest_questions(nodes: list[Node], lexicon: Lexicon, answered: Callable[[str], bool]) -> tuple[str, ...]:
    """At most three; of those tried, the ones that plan."""
    readings = [one for node in nodes if node.cat == "LEX" for one in node.readings]
    model = lexicon.model
    metrics = [model.metrics[one.id].label for one in readings if one.kind == "METRIC"]
    metrics += [f"number of {model.entities[one.id].label}" for one in readings if one.kind == "NOUN" and one.id]
    dims = [model.dimensions[one.dim].label for one in readings if one.kind == "NOUN" and one.dim]
    dims += [model.dimensions[one.dim].label for one in readings if one.kind == "VALUE"]
    first = next(iter(model.metrics.values())).label
    tried = [
        f"{metric} by {dim}" for metric, dim in itertools.product(dict.fromkeys(metrics or [f"number of {first}"]), dict.fromkeys(dims))
    ]
    tried += list(dict.fromkeys(metrics))
    found: list[str] = []
    for text in tried[:_TRIED]:
        if len(found) < _MOST and answered(text):
            found.append(text)
    return tuple(found)
