"""Metrics of a typed query as SQL aggregates over the rows of one table."""

from __future__ import annotations

from dataclasses import dataclass

from medflow.specs.semantic import Metric, Stat
from medflow.specs.table import TableSpec
from rag_backend.query.expressions import ROWS, Base, qualified, ratio

_SEPARATOR = "|"
_STATS = {"mean": "AVG({0})", "median": "MEDIAN({0})", "p90": "PERCENTILE({0}, 0.9)", "min": "MIN({0})", "max": "MAX({0})"}


@dataclass(frozen=True)
class Measures:
    """Aggregates over `base`; `spec` is its table, where a source's additive columns stand for metrics of their name.

    `asked`: the dimensions of the question. `single`: each group has one row of the source at most, so that columns stand for metrics
    which do not add up.
    """

    base: Base
    spec: TableSpec | None = None
    single: bool = False
    asked: frozenset[str] = frozenset()

    def key(self, entity: str) -> str:
        """What tells one entity of a row from another, as one text; NULL where the row has none."""
        columns = [f"{ROWS}.{name}" for name in self.base.model.entities[entity].key]
        if len(columns) == 1:
            return columns[0]
        texts = (f"CAST({name} AS STRING)" for name in columns)
        return "CONCAT(" + f", '{_SEPARATOR}', ".join(texts) + ")"

    def aggregate(self, metric: str, conditions: tuple[str, ...] = ()) -> str:
        """A metric over the rows that meet all conditions."""
        declared = self.base.model.metrics[metric]
        if declared.ratio:
            above, below = (self.aggregate(part, conditions) for part in declared.ratio)
            return ratio(above, below)
        if self.base.source and self._tells_apart(declared):
            return _distinct(self.key(declared.count), conditions)
        if self.base.source:
            return f"COALESCE(SUM({_only(self.column(metric), conditions)}), 0)"
        own = (*conditions, f"({qualified(declared.where, ROWS)})") if declared.where else conditions
        if declared.count:
            return _distinct(self.key(declared.count), own)
        # Amounts that nobody has determined yet add nothing; the sum of none is 0, as in the tables of totals.
        return f"COALESCE(SUM({_only(qualified(declared.sum or declared.value, ROWS), own)}), 0)"

    def share(self, metric: str, part: tuple[str, ...], conditions: tuple[str, ...] = ()) -> str:
        """What the rows of `part` are of a metric over all rows that meet the conditions."""
        return ratio(self.aggregate(metric, (*part, *conditions)), self.aggregate(metric, conditions))

    def _tells_apart(self, metric: Metric) -> bool:
        """Whether the source keeps one entity from another, each with a row of its own."""
        return bool(metric.count) and not metric.where and set(self.base.model.entities[metric.count].key) <= set(self._grain)

    @property
    def _grain(self) -> tuple[str, ...]:
        return self.spec.grain if self.spec else ()

    def column(self, metric: str) -> str:
        """What a row of a source adds to a metric, or ''; of entities that it keeps apart, which one it is of."""
        source = self.base.source
        assert source is not None
        if self._tells_apart(self.base.model.metrics[metric]):
            return self.key(self.base.model.metrics[metric].count)
        for within in (source.within[dim] for dim in sorted(self.asked & set(source.within))):
            return qualified(within[metric], ROWS) if metric in within else ""
        if metric in source.metrics:
            return qualified(source.metrics[metric], ROWS)
        own = {column.name for column in (self.spec.columns if self.spec else ()) if column.additive or self.single}
        return f"{ROWS}.{metric}" if metric in own and not source.metrics else ""

    def tested_of_each(self, metric: str, conditions: tuple[str, ...] = ()) -> str:
        """What a threshold for each entity tests: the metric over its rows, or the one value that it has."""
        declared = self.base.model.metrics[metric]
        return self.value_of_each(declared, conditions) if declared.per else self.aggregate(metric, conditions)

    def value_of_each(self, metric: Metric, conditions: tuple[str, ...] = ()) -> str:
        """The one value of an entity: the same on all of its rows."""
        return f"MAX({_only(qualified(metric.value, ROWS), conditions)})"


def stat_of(stat: Stat, value: str) -> str:
    """A statistic over values; the median and the 90th percentile are interpolated."""
    return _STATS[stat].format(f"CAST({value} AS DOUBLE)" if stat in ("mean", "median", "p90") else value)


def _distinct(key: str, conditions: tuple[str, ...]) -> str:
    """How many there are; a key stands bare, since one that stands for a person may stand nowhere else."""
    kept = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
    return f"COUNT(DISTINCT {key}){kept}"


def _only(value: str, conditions: tuple[str, ...]) -> str:
    return f"CASE WHEN {' AND '.join(conditions)} THEN {value} END" if conditions else value
