"""A typed query over one table as one SELECT in Spark SQL: groups, metrics, comparison, transforms, having, order, limit.

Named steps, each over those before it: `grouped` (what adds up over rows), `each_<entity>` (one value an entity first), `measured` (all
metrics of a group), `shaped` (shares, running totals, changes, ranks). Fan-out cannot happen: joins are many to one, entities are
counted by their keys, and values of an entity are taken once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from medflow.specs.semantic import SemanticModel
from medflow.specs.table import TableSpec
from rag_backend.labels import name_label
from rag_backend.query.expressions import Base, ratio
from rag_backend.query.lists import absence_sql, is_absence, list_sql
from rag_backend.query.measures import Measures, stat_of
from rag_backend.query.shape import Ordering, against_values, groups_kept, ordered, tested, transformed, where
from rag_backend.query.sources import measures_of
from rag_backend.query.typed_query import MetricUse, TypedQuery
from rag_backend.query.words import conditions

Kind = Literal["group", "metric", "derived"]


@dataclass(frozen=True)
class OutputColumn:
    """One column of an answer; `unit` is count, rate, days, a currency, or '' for a group."""

    name: str
    label: str
    unit: str
    kind: Kind


@dataclass(frozen=True)
class Compiled:
    """Spark SQL, what its columns mean, and the table that it reads."""

    sql: str
    columns: tuple[OutputColumn, ...]
    base: Base


def compile_query(query: TypedQuery, base: Base, tables: Mapping[str, TableSpec]) -> Compiled:
    """The SQL of a query without problems over an admissible source."""
    absence = is_absence(query, base.model)
    if query.form == "list" or absence:
        sql, names = (absence_sql if absence else list_sql)(query, base.model)
        model = base.model
        columns = tuple(OutputColumn(name, name_label(model, name), _unit(model, name), _kind(model, name)) for name in names)
        return Compiled(sql, columns, base)
    steps = _Steps(query, base, measures_of(query, base, tables.get(base.table)))
    return Compiled(steps.sql(), tuple(steps.columns()), base)


def compile_unshaped(query: TypedQuery, base: Base, tables: Mapping[str, TableSpec]) -> Compiled:
    """The SQL of a measure without having, order and limit: every group, and after its columns what `having` tests and against what."""
    steps = _Steps(query, base, measures_of(query, base, tables.get(base.table)))
    return Compiled(steps.unshaped_sql(), tuple(steps.columns()), base)


@dataclass
class _Steps:
    query: TypedQuery
    base: Base
    measures: Measures
    named: dict[str, str] = field(default_factory=dict)

    @property
    def model(self) -> SemanticModel:
        return self.base.model

    @property
    def groups(self) -> dict[str, str]:
        """Output name -> SQL of each group; a name that is shown stands before what tells its rows apart."""
        found: dict[str, str] = {}
        for one in self.query.group_by:
            if shown := self.base.shown(one.dim):
                found[one.dim] = shown
                found[f"{one.dim}_id"] = self.base.value(one.dim, one.grain)
            else:
                found[one.dim] = self.base.value(one.dim, one.grain)
        return found

    def sql(self) -> str:
        self._name_steps()
        rows = f"SELECT {', '.join(column.name for column in self.columns())} FROM shaped{where(groups_kept(self.query.having))}"
        ordering = Ordering(tuple(self.groups), tuple(column.name for column in self.columns()))
        return self._with(ordered(self.query, rows, ordering, bool(self._dated())))

    def unshaped_sql(self) -> str:
        self._name_steps()
        names = [*(column.name for column in self.columns()), *tested(self.query.having)]
        return self._with(f"SELECT {', '.join(names)} FROM shaped")

    def _with(self, last: str) -> str:
        return f"WITH {', '.join(f'{name} AS ({sql})' for name, sql in self.named.items())} {last}"

    def _name_steps(self) -> None:
        """Every step but the last, each under its name."""
        if self.query.unit.entity:
            self._units()
        else:
            self._grouped()
        joins = self._whole()
        shaped = transformed(self.query, self.model, tuple(self.groups))
        shown = [f"measured.{name} IS NOT NULL" for name in self._complete()]
        self.named["shaped"] = f"SELECT {shaped} FROM measured{joins}{where(shown)}"

    def _dated(self) -> list[str]:
        return [one.dim for one in self.query.group_by if self.model.dimensions[one.dim].type == "date"]

    def columns(self) -> list[OutputColumn]:
        found = [OutputColumn(name, name_label(self.model, name), "", "group") for name in self.groups]
        for use in self.query.metrics:
            for name in self.query.outputs(use):
                found.append(OutputColumn(name, self._label_of(use, name), self._unit_of(use, name), "metric"))
        return found

    def _label_of(self, use: MetricUse, name: str) -> str:
        """What a metric's column is called: the metric, of which lines, and what was made of it."""
        if self.query.compare and len(self.query.metrics) == 1:
            return name_label(self.model, name)
        stat = f"{use.stat} of " if use.stat != "default" else ""
        own = f" ({conditions(use.where, self.model)})" if use.where else ""
        derived = name.removeprefix(use.column).strip("_").replace("_", " ")
        unit = self.query.unit
        each = f" for each {unit.entity if unit.period else f'of {self.model.entities[unit.entity].label}'}" if stat and unit.entity else ""
        return f"{stat}{self.model.metrics[use.id].label}{own}{each}{f', {derived}' if derived else ''}"

    def _unit_of(self, use: MetricUse, name: str) -> str:
        """What a metric's column is measured in: shares and changes in percent are fractions, a rank is a number of none."""
        share = use.transform.startswith("share") and (bool(self.query.compare) or name != use.column)
        unit = "rate" if share or name.endswith("change_pct") else self.model.metrics[use.id].unit
        if use.transform == "rank" and name != use.column:
            return "count"
        return "points" if unit == "rate" and name.endswith("change") else unit

    def _from(self, *, in_a_group: bool = False) -> str:
        """FROM and WHERE: filters and window; `in_a_group`: only rows that the groups show, for what is measured over all of them."""
        dims = self.query.dimensions
        time, compare = self.query.time, self.query.compare
        tests = self.base.conditions(self.query.where)
        if compare:
            tests.append(f"({' OR '.join(self._window(number) for number in range(len(compare)))})")
        elif time.date:
            tests += self.base.window(time.date, time.start, time.until)
        if in_a_group:
            tests += [f"{self.base.value(dim)} IS NOT NULL" for dim in self._complete()]
        return f"{self.base.relation(dims)}{where(tests)}"

    def _complete(self) -> list[str]:
        """Groups that leave out the rows without a value: dates, and dimensions that say so."""
        named = [(one.dim, self.model.dimensions[one.dim]) for one in self.query.group_by]
        return [name for name, declared in named if declared.absent == "omit" or declared.type == "date"]

    def _window(self, number: int) -> str:
        window = self.query.compare[number]
        return f"({' AND '.join(self.base.window(self.query.time.date, window.start, window.until))})"

    def _measured_by(self) -> dict[str, tuple[MetricUse, tuple[str, ...]]]:
        """Column of `measured` -> the metric and its conditions: one for each metric, or for each side of a comparison."""
        found = {}
        for use in self.query.metrics:
            own = tuple(self.base.conditions(use.where))
            if not self.query.compare:
                found[use.column] = (use, own)
                continue
            before, after = self.query.outputs(use)[:2]
            found[before], found[after] = (use, (*own, self._window(0))), (use, (*own, self._window(1)))
        return found

    def _grouped(self) -> None:
        asked = self._measured_by()
        extra = {f"having_{one.metric}": one.metric for one in self.query.having}
        plain = {name: self.measures.aggregate(use.id, tests) for name, (use, tests) in asked.items() if not self.model.metrics[use.id].per}
        plain |= {name: self.measures.aggregate(metric) for name, metric in extra.items()} | self._shares_of_groups()
        groups = [f"{sql} AS {name}" for name, sql in self.groups.items()]
        aggregates = [f"{sql} AS {name}" for name, sql in plain.items()]
        columns = [*groups, *aggregates] or ["COUNT(*) AS row_count"]
        self.named["grouped"] = f"SELECT {', '.join(columns)} {self._from()}{_by(self.groups)}"
        families: dict[str, dict[str, tuple[MetricUse, tuple[str, ...]]]] = {}
        for name, (use, tests) in asked.items():
            if entity := self.model.metrics[use.id].per:
                families.setdefault(entity, {})[name] = (use, tests)
        joins = "".join(self._each(entity, uses) for entity, uses in families.items())
        names = [f"grouped.{name}" for name in (*self.groups, *plain)] + [f"of_{e}.{name}" for e, uses in families.items() for name in uses]
        self.named["measured"] = f"SELECT {', '.join(names)} FROM grouped{joins}"

    def _shares_of_groups(self) -> dict[str, str]:
        """Column -> SQL of each share of a row's own whole; of a comparison one for each side."""
        found: dict[str, str] = {}
        for use in self.query.metrics:
            if use.transform != "share_of_group":
                continue
            part, names = tuple(self.base.conditions(use.where)), self.query.outputs(use)
            sides = {names[number]: (self._window(number),) for number in range(len(self.query.compare))}
            found |= {name: self.measures.share(use.id, part, side) for name, side in sides.items()}
            if not sides:
                found[names[1]] = self.measures.share(use.id, part)
        return found

    def _each(self, entity: str, uses: Mapping[str, tuple[MetricUse, tuple[str, ...]]]) -> str:
        """Steps that take one value an entity first; returns the join to the groups."""
        key = self.measures.key(entity)
        groups = [f"{sql} AS {name}" for name, sql in self.groups.items()]
        values = [f"{self.measures.value_of_each(self.model.metrics[use.id], tests)} AS v_{name}" for name, (use, tests) in uses.items()]
        self.named[f"each_{entity}"] = f"SELECT {', '.join([*groups, *values])} {self._from()}{_by(self.groups, key)}"
        stats = [f"{stat_of(self._stat(use), f'v_{name}')} AS {name}" for name, (use, _) in uses.items()]
        grouped = f" GROUP BY {', '.join(self.groups)}" if self.groups else ""
        self.named[f"of_{entity}"] = f"SELECT {', '.join([*self.groups, *stats])} FROM each_{entity}{grouped}"
        if not self.groups:
            return f" CROSS JOIN of_{entity}"
        same = " AND ".join(f"grouped.{name} <=> of_{entity}.{name}" for name in self.groups)
        return f" LEFT JOIN of_{entity} ON {same}"

    def _stat(self, use: MetricUse) -> Literal["mean", "median", "p90", "min", "max"]:
        declared = self.model.metrics[use.id].stat
        assert declared is not None
        return declared if use.stat == "default" else use.stat

    def _units(self) -> None:
        """Metrics of each unit, units that `having` keeps, then the groups."""
        entity, period = self.query.unit.entity, self.query.unit.period
        key = self.base.value(self.query.time.date, period) if period else self.measures.key(entity)
        asked = self._measured_by()
        groups = [f"{sql} AS {name}" for name, sql in self.groups.items()]
        of_each = [self._values_of_unit(use, name, tests) for name, (use, tests) in asked.items()]
        values = [f"{sql} AS {name}" for found in of_each for name, sql in found.items()]
        tests = [(one.metric, tuple(self.base.conditions(one.where))) for one in self.query.unit.having]
        values += [f"{self.measures.tested_of_each(metric, own)} AS unit_{number}" for number, (metric, own) in enumerate(tests)]
        self.named["units"] = f"SELECT {', '.join([*groups, *values])} {self._from()}{_by(self.groups, key)}"
        passed = [f"unit_{number} {test}" for number, test in enumerate(against_values(self.query.unit.having))]
        results = [f"{self._of_units(use, name, entity)} AS {name}" for name, (use, _) in asked.items()]
        if shared := [use for use in self.query.metrics if use.transform == "share_of_group"]:
            results, passed = _passing(self.query.outputs(shared[0]), passed), []
        grouped = f" GROUP BY {', '.join(self.groups)}" if self.groups else ""
        self.named["measured"] = f"SELECT {', '.join([*self.groups, *results])} FROM units{where(passed)}{grouped}"

    def _values_of_unit(self, use: MetricUse, name: str, tests: tuple[str, ...]) -> dict[str, str]:
        """What is kept of each unit for a metric: its value; of a ratio both of its parts."""
        declared = self.model.metrics[use.id]
        if declared.per:
            return {name: self.measures.value_of_each(declared, tests)}
        parts = zip((f"{name}_above", f"{name}_below"), declared.ratio or (), strict=False)
        return {part: self.measures.aggregate(metric, tests) for part, metric in parts} or {name: self.measures.aggregate(use.id, tests)}

    def _of_units(self, use: MetricUse, name: str, entity: str) -> str:
        declared = self.model.metrics[use.id]
        if declared.per:
            return stat_of(self._stat(use), name)
        if declared.ratio:
            return ratio(f"SUM({name}_above)", f"SUM({name}_below)")
        if use.stat != "default":
            return stat_of(use.stat, name)
        return "COUNT(*)" if declared.count == entity and not declared.where and not use.where else f"SUM({name})"

    def _whole(self) -> str:
        """The steps `totals` and `firsts`, metrics over all rows and over those of each first group; returns the joins to them.

        They are computed from the rows: distinct counts and ratios of groups do not add up.
        """
        joins = ""
        if total := self._asked_of("share_of_total", ("average", "total")):
            self.named["totals"] = f"SELECT {', '.join(total)} {self._from(in_a_group=True)}"
            joins += " CROSS JOIN totals"
        if (first := self._asked_of("share_of_first_group", ("parent_group",))) and self.groups:
            name, sql = next(iter(self.groups.items()))
            self.named["firsts"] = f"SELECT {sql} AS first_group, {', '.join(first)} {self._from(in_a_group=True)} GROUP BY {sql}"
            joins += f" LEFT JOIN firsts ON firsts.first_group <=> measured.{name}"
        return joins

    def _asked_of(self, transform: str, sides: tuple[str, ...]) -> list[str]:
        found = {use.column: use for use in self.query.metrics if use.transform == transform}
        found |= {one.metric: MetricUse(id=one.metric) for one in self.query.having if one.of in sides}
        # A share of what a metric's own filter takes is a share of all: the whole is without that filter.
        sql = {name: self.measures.aggregate(use.id) for name, use in sorted(found.items())}
        return [f"{text} AS total_{name}" for name, text in sql.items()]


def _passing(names: tuple[str, ...], tests: list[str]) -> list[str]:
    """How many units pass, and their share of those of which it is known."""
    passing = f"COUNT(CASE WHEN {' AND '.join(tests)} THEN 1 END)"
    known = " AND ".join(f"unit_{number} IS NOT NULL" for number in range(len(tests)))
    return [f"{passing} AS {names[0]}", f"{ratio(passing, f'COUNT(CASE WHEN {known} THEN 1 END)')} AS {names[1]}"]


def _by(groups: Mapping[str, str], key: str = "") -> str:
    """GROUP BY the first columns of the SELECT, and a key that is there."""
    places = [str(place) for place in range(1, len(groups) + 1)]
    by = f" GROUP BY {', '.join([*places, *([key] if key else [])])}" if groups or key else ""
    return f"{by} HAVING COUNT(DISTINCT {key}) = 1" if key else by


def _unit(model: SemanticModel, name: str) -> str:
    return model.metrics[name].unit if name in model.metrics else ""


def _kind(model: SemanticModel, name: str) -> Kind:
    return "metric" if name in model.metrics else "group"
