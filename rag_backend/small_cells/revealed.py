"""What a shown value gives away: a count itself; a sum what it is added up from; a ratio both of its parts and their difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from medflow.specs.semantic import Metric, SemanticModel
from rag_backend.query.expressions import ROWS, qualified
from rag_backend.small_cells.line_sets import LineSet


@dataclass(frozen=True)
class Revealed:
    """A number that a value gives away: the lines behind it. Numbers of one `quantity` can be subtracted from each other."""

    quantity: str
    lines: LineSet


def revealed_by(metric: str, model: SemanticModel) -> tuple[Revealed, ...]:
    """What a metric reveals: derived from its kind, and what it declares in `reveals`."""
    declared = model.metrics[metric]
    found = dict.fromkeys(_derived(metric, declared, model))
    for other in declared.reveals:
        found |= dict.fromkeys(revealed_by(other, model))
    return tuple(found)


def _derived(metric: str, declared: Metric, model: SemanticModel) -> Iterator[Revealed]:
    if declared.ratio:
        for part in declared.ratio:
            yield from revealed_by(part, model)
        yield from _difference(*(model.metrics[part] for part in declared.ratio))
        return
    lines = LineSet(_tests(declared))
    if declared.count:
        yield Revealed(f"count {declared.count}", lines)
    elif declared.sum:
        # A sum over many may be added up from the amounts of a few.
        amount = qualified(declared.sum, ROWS)
        yield Revealed(f"sum {declared.sum}", lines)
        yield Revealed(f"added {declared.sum}", lines.also([f"{amount} <> 0"]))
    else:
        yield Revealed(f"value {metric}", lines.also([f"{qualified(declared.value, ROWS)} IS NOT NULL"]))


def _difference(above: Metric, below: Metric) -> Iterator[Revealed]:
    """The rest of the counted: of one kind of entity only, since the difference of two kinds counts nothing."""
    if above.count and above.count == below.count and above.where != below.where:
        yield Revealed(f"count {above.count}", LineSet(_tests(below)).without(LineSet(_tests(above))))


def _tests(metric: Metric) -> tuple[str, ...]:
    return (f"({qualified(metric.where, ROWS)})",) if metric.where else ()
