"""A list: one row an entity that has a table of its own, also those that no line names."""

from __future__ import annotations

from dataclasses import dataclass

from medflow.specs.semantic import Grain, SemanticModel
from rag_backend.query.expressions import Base, qualified
from rag_backend.query.measures import Measures
from rag_backend.query.shape import Ordering, ordered, values_kept, where
from rag_backend.query.typed_query import TypedQuery


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
    own = _OwnTable(model, entity=query.entity)
    uses = [use.id for use in query.metrics]
    tested = {f"having_{one.metric}": one.metric for one in query.having}
    measured = {**{name: name for name in uses}, **tested}
    columns = [f"{own.value(dim)} AS {dim}" for dim in entity.list]
    columns += [f"{_or_zero(model, metric, name)} AS {name}" for name, metric in measured.items()]
    named = {"counted": _counted(query, model, measured)} if measured else {}
    join = f" LEFT JOIN counted ON counted.entity_key = {own.key}" if measured else ""
    tests = _Tested(model, entity=query.entity).conditions(tuple(g for g in query.where if all(c.dim in entity.list for c in g)))
    named["listed"] = f"SELECT {', '.join(columns)} FROM {entity.table} AS {query.entity}{join}{where(tests)}"
    names = [*entity.list, *uses]
    rows = f"SELECT {', '.join(names)} FROM listed{where(values_kept(query.having, 'having_'))}"
    last = ordered(query, rows, Ordering(tuple(entity.list), tuple(names)), by_date=not uses)
    return f"WITH {', '.join(f'{name} AS ({sql})' for name, sql in named.items())} {last}", names


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
