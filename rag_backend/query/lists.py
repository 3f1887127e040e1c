"""Entities that have a table of their own, also those that no line names: a list of them, and how many have nothing of a kind."""

from __future__ import annotations

from dataclasses import dataclass

from medflow.specs.semantic import Grain, SemanticModel
from rag_backend.query.expressions import Base, qualified
from rag_backend.query.measures import Measures
from rag_backend.query.shape import Ordering, ordered, values_kept, where
from rag_backend.query.typed_query import MetricUse, TypedQuery


@dataclass(frozen=True)
class _OwnTable(Base):
    """Dimensions of an entity read from its own table instead of through a join from the lines."""

    entity: str = ""

    def value(self, dim: str, grain: Grain = "none") -> str:
        declared = self.model.dimensions[dim]
        own = declared.display.sql if declared.display else declared.sql if declared.join else ""
        return qualified(own, self.entity) if own else self.key

    @property
    def key(self) -> str:
        return f"{self.entity}.{self.model.entities[self.entity].table_key[0]}"


@dataclass(frozen=True)
class _Tested(_OwnTable):
    """The same for conditions, which test what tells rows apart, not what is shown."""

    def value(self, dim: str, grain: Grain = "none") -> str:
        declared = self.model.dimensions[dim]
        return qualified(declared.sql, self.entity) if declared.join else self.key


def list_sql(query: TypedQuery, model: SemanticModel) -> tuple[str, list[str]]:
    """Spark SQL and its columns. Metrics are over the lines of the entity, a count of none being 0."""
    entity = model.entities[query.entity]
    uses = [use.id for use in query.metrics]
    names = [*entity.list, *uses]
    rows = f"SELECT {', '.join(names)} FROM listed{where(values_kept(query.having, 'having_'))}"
    last = ordered(query, rows, Ordering(tuple(entity.list), tuple(names)), by_date=not uses)
    return f"{_listed(query, model, uses)} {last}", names


def absence_sql(query: TypedQuery, model: SemanticModel) -> tuple[str, list[str]]:
    """Spark SQL and its columns: how many entities of their own table have 0 of all that is tested."""
    rows = query.model_copy(update={"entity": query.unit.entity, "having": query.unit.having})
    names = [one.dim for one in query.group_by]
    counted = query.metrics[0].id
    kept = where(values_kept(rows.having, "having_"))
    grouped = f" GROUP BY {', '.join(names)} ORDER BY {counted} DESC, {', '.join(names)}" if names else ""
    shown = ", ".join([*names, f"COUNT(*) AS {counted}"])
    return f"{_listed(rows, model, [])} SELECT {shown} FROM listed{kept}{grouped}", [*names, counted]


def is_absence(query: TypedQuery, model: SemanticModel) -> bool:
    """Whether entities with nothing of a kind are counted that have a table of their own, so that those without a line are known too."""
    entity, tests = model.entities.get(query.unit.entity), query.unit.having
    if query.form == "list" or entity is None or not entity.list or len(query.metrics) != 1 or query.compare or query.limit.n:
        return False
    use = query.metrics[0]
    counted = model.metrics[use.id].count == query.unit.entity and not model.metrics[use.id].where
    own = all(one.dim in entity.list for one in query.group_by)
    none = all(one.op == "eq" and one.value == 0 and not one.where for one in tests)
    return counted and own and use == MetricUse(id=use.id) and bool(tests) and none


def _listed(query: TypedQuery, model: SemanticModel, uses: list[str]) -> str:
    """WITH the entities of the table, what they show, and what is measured of them over the lines."""
    entity = model.entities[query.entity]
    own = _OwnTable(model, entity=query.entity)
    tested = {f"having_{one.metric}": one.metric for one in query.having}
    measured = {**{name: name for name in uses}, **tested}
    columns = [f"{own.value(dim)} AS {dim}" for dim in entity.list]
    columns += [f"{_or_zero(model, metric, name)} AS {name}" for name, metric in measured.items()]
    named = {"counted": _counted(query, model, measured)} if measured else {}
    join = f" LEFT JOIN counted ON counted.entity_key = {own.key}" if measured else ""
    tests = _Tested(model, entity=query.entity).conditions(tuple(g for g in query.where if all(c.dim in entity.list for c in g)))
    named["listed"] = f"SELECT {', '.join(columns)} FROM {entity.table} AS {query.entity}{join}{where(tests)}"
    return f"WITH {', '.join(f'{name} AS ({sql})' for name, sql in named.items())}"


def _counted(query: TypedQuery, model: SemanticModel, measured: dict[str, str]) -> str:
    """Metrics of each entity over the lines; conditions on the entity itself are left to its own table."""
    base = Base(model)
    measures = Measures(base)
    key = measures.key(query.entity)
    lined = tuple(group for group in query.where if not all(c.dim in model.entities[query.entity].list for c in group))
    tests = base.conditions(lined)
    if query.time.date:
        tests += base.window(query.time.date, query.time.start, query.time.until)
    values = ", ".join(f"{measures.aggregate(metric)} AS {name}" for name, metric in measured.items())
    dims = {c.dim for group in lined for c in group}
    return f"SELECT {key} AS entity_key, {values} {base.relation(dims)}{where(tests)} GROUP BY {key}"


def _or_zero(model: SemanticModel, metric: str, name: str) -> str:
    declared = model.metrics[metric]
    return f"COALESCE(counted.{name}, 0)" if declared.count or declared.sum else f"counted.{name}"
