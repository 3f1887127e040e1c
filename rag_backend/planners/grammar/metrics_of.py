"""What is asked for as metrics of a typed query: statistics, averages for each of something, shares, and the unit they are taken of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medflow.specs.semantic import SemanticModel
from rag_backend.planners.grammar.draft import Ask, Stop
from rag_backend.planners.grammar.measures import as_filter
from rag_backend.query.typed_query import MetricUse, Unit

if TYPE_CHECKING:
    from rag_backend.planners.grammar.assemble import Assembly


@dataclass(frozen=True)
class Uses:
    """Metrics, and the unit that they are taken of first."""

    metrics: tuple[MetricUse, ...]
    unit: Unit


def measured(a: Assembly, unit: Unit) -> Uses:
    """The metrics of an assembly.

    Raises:
        Stop: a statistic or a share that the metric does not have.
    """
    found = [_use(a, ask) for ask in a.asks]
    entities = {entity for _, entity in found if entity} | ({unit.entity} - {""})
    if len(entities) > 1 or (entities and any(not entity for _, entity in found) and not unit.entity):
        raise Stop("not_understood", "numbers for each of different things have to be asked separately")
    ids = [use.id for use, _ in found]
    if len(set(ids)) < len(ids):
        raise Stop("not_understood", "the same number is asked for twice")
    if entities and not unit.entity:
        unit = Unit(entity=entities.pop())
    if unit.having and any(use.id != a.lexicon.base_count(unit.entity) for use, _ in found):
        raise Stop("not_understood", f"with a threshold for each of the {a.model.entities[unit.entity].label}, only they are counted")
    return Uses(tuple(use for use, _ in found), unit)


def _use(a: Assembly, ask: Ask) -> tuple[MetricUse, str]:
    """The metric, and the entity that it is taken of first."""
    declared = a.model.metrics[ask.id]
    if ask.transform == "share_of_total":
        return _share(a, ask), ""
    metric, stat, entity = ask.id, ask.stat, ask.per
    if ask.averaged and entity and declared.ratio:
        metric, declared, stat = declared.ratio[0], a.model.metrics[declared.ratio[0]], "mean"
    if declared.per:
        if entity not in ("", declared.per):
            raise Stop("not_understood", f"{declared.label} is one value for each of the {a.model.entities[declared.per].label}")
        return MetricUse(id=metric, stat=stat, transform=ask.transform), ""  # type: ignore[arg-type]
    if declared.ratio:
        if stat not in ("default", "mean") or (entity and a.model.metrics[declared.ratio[1]].count != entity):
            raise Stop("not_understood", f"{declared.label} is a ratio: it has no {stat if stat != 'default' else 'value for each'}")
        return MetricUse(id=metric, transform=ask.transform), ""  # type: ignore[arg-type]
    if stat == "default" and not entity:
        return MetricUse(id=metric, transform=ask.transform), ""  # type: ignore[arg-type]
    if not entity:
        entity = _entity_for(a, ask)
    if stat in ("default", "mean") and (ratio := ratio_of(a.model, metric, a.lexicon.base_count(entity))):
        return MetricUse(id=ratio, transform=ask.transform), ""  # type: ignore[arg-type]
    if declared.count == entity:
        raise Stop("not_understood", f"{declared.label} for each of themselves is one")
    return MetricUse(id=metric, stat="mean" if stat == "default" else stat, transform=ask.transform), entity  # type: ignore[arg-type]


def _entity_for(a: Assembly, ask: Ask) -> str:
    """Of what an average without "per" is: asked back for an amount; a count is of nothing that is known."""
    declared = a.model.metrics[ask.id]
    if not declared.sum:
        raise Stop("not_understood", f"{declared.label} on average for each of what?")
    return a.choices.choose("For each of what?", [name for name in a.model.entities if a.lexicon.base_count(name)])


def ratio_of(model: SemanticModel, above: str, below: str) -> str:
    """The metric that divides one by the other, or ''."""
    return next((name for name, one in model.metrics.items() if one.ratio == (above, below)), "")


def _share(a: Assembly, ask: Ask) -> MetricUse:
    """A share of a total; of a part, by its declared ratio or by the metric's own condition."""
    declared, part = a.model.metrics[ask.id], a.part()
    whole = a.lexicon.base_count(declared.count) if declared.count else ""
    if part:
        same = [name for name, one in a.model.metrics.items() if one.count == declared.count and one.where]
        ratios = [ratio_of(a.model, name, ask.id) for name in same if [as_filter(a.model, name)] == part]
        if any(ratios):
            return MetricUse(id=next(filter(None, ratios)))
        if a.groups:
            raise Stop("not_understood", "a share of each group's own total cannot be computed for these conditions")
        return MetricUse(id=ask.id, transform="share_of_total", where=tuple((one,) for one in part))
    ratio = ratio_of(a.model, ask.id, whole) if declared.where else ""
    if not a.groups:
        own = as_filter(a.model, ask.id) if whole and declared.where else None
        if not ratio and own is None:
            raise Stop("not_understood", "the share of what? name the part, or what to split by")
        return MetricUse(id=ratio) if ratio or own is None else MetricUse(id=whole, transform="share_of_total", where=((own,),))
    uses = [MetricUse(id=ask.id, transform="share_of_total")]
    if len(a.groups) > 1:
        uses.append(MetricUse(id=ask.id, transform="share_of_first_group"))
    if ratio:
        uses.append(MetricUse(id=ratio))
    return a.choices.choose("The share of which total?", uses)
