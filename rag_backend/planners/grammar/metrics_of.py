"""What is asked for as metrics of a typed query: statistics, averages for each of something, shares, and the unit they are taken of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag_backend.planners.grammar.draft import Ask, Stop
from rag_backend.planners.grammar.model_of import as_filter, entities_in, ratio_of
from rag_backend.query.problems import in_units
from rag_backend.query.typed_query import PERIODS, MetricUse, TypedQuery, Unit, Where

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
    if shared := _of_passing(a, unit):
        return Uses((shared,), unit)
    found = [_use(a, ask, stat) for ask in a.asks for stat in (dict.fromkeys(ask.stats) or ("default",))]
    entities = {entity for _, entity in found if entity} | ({unit.entity} - {""})
    if len(entities) > 1 or (entities and any(not entity for _, entity in found) and not unit.entity):
        raise Stop("not_understood", "numbers for each of different things have to be asked separately")
    uses = list(dict.fromkeys(use for use, _ in found))
    if len({use.column for use in uses}) < len(uses):
        raise Stop("not_understood", "the same number is asked for twice")
    if entities and not unit.entity:
        unit = Unit(entity=entities.pop())
    if unit.having and not all(in_units(TypedQuery(unit=unit), a.model, use) for use in uses):
        raise Stop("not_understood", f"with a threshold for each of the {a.model.entities[unit.entity].label}, only they are counted")
    return Uses(tuple(uses), unit)


def _of_passing(a: Assembly, unit: Unit) -> MetricUse | None:
    """`share of loans returned within 14 days`: of each, whether it passes."""
    ask = a.asks[0]
    shared = ask.transform == "share_of_total" and len(a.asks) == 1 and not ask.of and not ask.stats and not a.part()
    counted = bool(unit.having) and a.lexicon.base_count(unit.entity) == ask.id
    if shared and counted and len({one.metric for one in unit.having}) > 1:
        raise Stop("not_understood", "which of the thresholds is for the part, and which for the whole?")
    return MetricUse(id=ask.id, transform="share_of_group") if shared and counted else None


def _use(a: Assembly, ask: Ask, stat: str) -> tuple[MetricUse, str]:
    """The metric, and the entity that it is taken of first."""
    declared = a.model.metrics[ask.id]
    if ask.per in PERIODS:
        return _of_periods(a, ask, stat)
    if ask.transform == "share_of_total":
        if stat != "default":
            raise Stop("not_understood", "a share of an average is not defined")
        return _share(a, ask), ""
    metric, entity = ask.id, ask.per
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


def _of_periods(a: Assembly, ask: Ask, stat: str) -> tuple[MetricUse, str]:
    """`average monthly fines`: what the fines of a month are on average."""
    declared, averaged = a.model.metrics[ask.id], stat if stat != "default" else "mean"
    if ask.per == "year" and not a.draft.periods:
        raise Stop("not_understood", "the first and the last year are not whole: name the years")
    if declared.ratio or declared.per or ask.transform != "none":
        raise Stop("not_understood", f"{declared.label} of each {ask.per} are not averaged: ask by {ask.per}")
    if declared.sum and _named(a, ask):
        raise Stop("not_understood", f"one number on average by {ask.per}, or the sum of a {ask.per} on average? the words can mean either")
    return MetricUse(id=ask.id, stat=averaged), ask.per  # type: ignore[arg-type]


def _entity_for(a: Assembly, ask: Ask) -> str:
    """Of what a statistic without "per" is: of what the metric is named after, if that is one; a count is of nothing that is known."""
    declared = a.model.metrics[ask.id]
    if not declared.sum:
        raise Stop("not_understood", f"{declared.label} on average for each of what?")
    if named := [name for name in _named(a, ask) if a.model.entities[name].dated]:
        return named[0]
    return a.choices.choose("For each of what?", [name for name in a.model.entities if a.lexicon.base_count(name)])


def _named(a: Assembly, ask: Ask) -> list[str]:
    """The entities that the words of the question name which name the metric, or stand beside it."""
    return [ask.of_entity] if ask.of_entity else entities_in(a.model, ask.text)


def _share(a: Assembly, ask: Ask) -> MetricUse:
    """A share of a total; of a part, by its declared ratio or by the metric's own condition."""
    declared, part = a.model.metrics[ask.id], a.part()
    if a.parts_said() > 1:
        raise Stop("not_understood", "say which of the conditions are of the part, and which of the whole")
    if ask.of:
        return _of_whole(a, ask)
    whole = a.lexicon.base_count(declared.count) if declared.count else ""
    if part:
        same = [name for name, one in a.model.metrics.items() if one.count == declared.count and one.where]
        ratios = [ratio_of(a.model, name, ask.id) for name in same if ((as_filter(a.model, name),),) == part]
        if any(ratios):
            return MetricUse(id=next(filter(None, ratios)))
        return _part_of_whole(a, ask.id, part)
    if not a.groups:
        if not (whole and declared.where):
            raise Stop("not_understood", "the share of what? name the part, or what to split by")
        return _of_whole(a, Ask(ask.id, of=whole))
    uses = [MetricUse(id=ask.id, transform="share_of_total")]
    if len(a.groups) > 1:
        first = MetricUse(id=ask.id, transform="share_of_first_group")
        named_first = a.draft.per and a.draft.per[0] == a.groups[0] and "each after" not in a.draft.flags
        uses = [first] if named_first else [*uses, first]
    own = as_filter(a.model, ask.id) if declared.where else None
    if declared.where and (ratio := ratio_of(a.model, ask.id, whole)):
        uses.append(MetricUse(id=ratio))
    elif own is not None and whole:
        uses.append(MetricUse(id=whole, transform="share_of_group", where=((own,),)))
    elif declared.where and declared.count:
        raise Stop("not_understood", f"{declared.label} as a share of what? name the whole")
    return a.choices.choose("The share of which total?", uses)


def _of_whole(a: Assembly, ask: Ask) -> MetricUse:
    """One number as a share of another: by the ratio that is declared, or by what makes the one a part of the other."""
    part, whole = a.model.metrics[ask.id], a.model.metrics[ask.of]
    if "divided" in a.draft.flags and (ratio := ratio_of(a.model, ask.id, ask.of)):
        return MetricUse(id=ratio)
    if (part.count, part.unit) != (whole.count, whole.unit):
        raise Stop("not_understood", f"{part.label} are no part of {whole.label}")
    if ratio := ratio_of(a.model, ask.id, ask.of):
        return MetricUse(id=ratio)
    own = as_filter(a.model, ask.id)
    if own is None or whole.where or (part.count, part.sum) != (whole.count, whole.sum):
        raise Stop("not_understood", f"{part.label} as a share of {whole.label} is not declared")
    return _part_of_whole(a, ask.of, ((own,),))


def _part_of_whole(a: Assembly, metric: str, part: Where) -> MetricUse:
    """What conditions take of a metric: of each group's own, of each period's, or of all."""
    own = a.groups or a.compares_windows()
    return MetricUse(id=metric, transform="share_of_group" if own else "share_of_total", where=part)
