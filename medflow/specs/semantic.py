"""The semantic model as declared in `semantic/`: what can be asked. YAML in, one frozen value out; nothing here knows what the tables hold.

A fact table has one row a line; entities are told apart by its key columns; dimensions split and filter, metrics measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from medflow.errors import UsageError
from medflow.specs.codes import CodeList, code_lists
from medflow.specs.declarations import Declarations, digest_of
from medflow.specs.source import Model
from medflow.specs.table import Declared

FOLDER = "semantic"

Stat = Literal["mean", "median", "p90", "min", "max"]
Grain = Literal["none", "day", "week", "month", "quarter", "year", "weekday", "month_of_year"]
Privacy = Literal["public", "restricted"]


class FactTable(Declared):
    """The table of lines."""

    table: str
    label: str


class Entity(Declared):
    """What is counted: the columns of the fact table that tell one from another, and where it has a table of its own.

    `dated`: all of its lines have one date each of every kind. `within`: entities of which it has exactly one.
    `protected`: no number may rest on a few of them where a policy says so.
    """

    label: str
    words: tuple[str, ...] = ()
    key: tuple[str, ...] = Field(min_length=1)
    table: str = ""
    table_key: tuple[str, ...] = ()
    dated: bool = False
    protected: bool = False
    within: tuple[str, ...] = ()
    list: tuple[str, ...] = ()


class Join(Declared):
    """A table that knows more about a key; at most one row of it for a line, which a test holds on data."""

    table: str
    left: str
    right: str
    cardinality: Literal["many_to_one"]
    absent: str


class ValueName(Declared):
    """A value as people call it."""

    label: str
    words: tuple[str, ...] = ()


class CodeValues(Declared):
    """Values that a code list names."""

    list: str
    value: str
    label: str


class RangeValues(CodeValues):
    """Values that a code list gives to ranges of another expression, both ends included."""

    over: str
    first: str
    last: str


class Display(Declared):
    """What is shown instead of a value that only tells rows apart."""

    join: str
    sql: str


class Dimension(Declared):
    """What numbers are split and filtered by. `absent`: whether rows without a value are a group of their own or left out.

    `describes`: the entity for whose noun a word of a value can stand, as "children" for members. `overlapping`: one line counts in
    several values, so only tables of totals keep it; `counts` is the entity that is counted where it is asked for by itself, and `date`
    the date that a time phrase means then. `several`: a line has a list of values, which is tested for one among them and never split by.
    `mixed`: lines of one entity usually differ in it, so that to leave a value out can mean two things. `named`: its values are read
    only where its name stands beside them, as are those of `several`.
    """

    label: str
    about: str = ""
    words: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    type: Literal["string", "date"] = "string"
    sql: str = ""
    join: str = ""
    entity: str = ""
    display: Display | None = None
    level: Literal["header", "line"] = "header"
    privacy: Privacy
    labels: dict[str, ValueName] = Field(default_factory=dict)
    codes: CodeValues | None = None
    ranges: RangeValues | None = None
    values: Literal["data", "declared"] = "declared"
    names: str = ""
    words_of_values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    absent: Literal["group", "omit"] = "group"
    shows_labels: bool = False
    describes: str = ""
    overlapping: bool = False
    several: bool = False
    mixed: bool = False
    named: bool = False
    counts: str = ""
    date: str = ""

    @model_validator(mode="after")
    def _has_one_source(self) -> Dimension:
        if sum(map(bool, (self.sql, self.ranges, self.overlapping))) != 1:
            raise ValueError("a dimension has either sql or ranges, or is overlapping and kept by tables of totals alone")
        return self


class Metric(Declared):
    """What is measured: exactly one of count, sum, ratio and per."""

    label: str
    about: str = ""
    words: tuple[str, ...] = ()
    count: str = ""
    sum: str = ""
    ratio: tuple[str, str] | None = None
    per: str = ""
    value: str = ""
    where: str = ""
    stat: Stat | None = None
    unit: str = "count"
    date: str = ""
    reveals: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_one_kind(self) -> Metric:
        if sum(map(bool, (self.count, self.sum, self.ratio, self.per))) != 1:
            raise ValueError("a metric has exactly one of count, sum, ratio, per")
        if bool(self.per) != bool(self.value and self.stat):
            raise ValueError("a metric with per has value and stat, others have neither")
        return self


class SourceDate(Declared):
    """The date that a table is kept by."""

    column: str
    grain: Literal["month", "year"]


class SourceTable(Declared):
    """A table that answers without the lines: dimension -> column, metric -> expression over its rows, to be summed.

    `within`: dimension -> the metrics of a question that is split or limited by it, instead of `metrics`.
    """

    dates: dict[str, SourceDate]
    dimensions: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, str] = Field(default_factory=dict)
    needs: tuple[str, ...] = ()
    within: dict[str, dict[str, str]] = Field(default_factory=dict)


class _Entities(Declared):
    fact: FactTable
    entities: dict[str, Entity]
    joins: dict[str, Join] = Field(default_factory=dict)


class _Dimensions(Declared):
    dimensions: dict[str, Dimension]


class RunOut(Declared):
    """Days for which a date's latest periods are still being reported, counted back from the last day of the date `until`."""

    date: str
    until: str
    days: int = Field(gt=0)


class _Metrics(Declared):
    date: str
    run_out: RunOut | None = None
    metrics: dict[str, Metric]
    ambiguous: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    unanswerable: dict[Literal["not_in_data", "not_permitted", "needs_definition"], tuple[str, ...]] = Field(default_factory=dict)


class _Sources(Declared):
    sources: dict[str, SourceTable] = Field(default_factory=dict)


@dataclass(frozen=True)
class SemanticModel:
    """Everything that can be asked of one fact table."""

    fact: FactTable
    entities: Mapping[str, Entity]
    joins: Mapping[str, Join]
    dimensions: Mapping[str, Dimension]
    metrics: Mapping[str, Metric]
    date: str
    ambiguous: Mapping[str, tuple[str, ...]]
    unanswerable: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, SourceTable]
    codes: Mapping[str, CodeList]
    file_hashes: Mapping[str, str]
    run_out: RunOut | None = None

    @cached_property
    def version(self) -> str:
        """SHA-256 over the files; answers and caches name it."""
        return digest_of(self.file_hashes)

    def date_of(self, metric: str) -> str:
        """The date that a time phrase means for a metric; of a ratio, the one that either of its parts declares."""
        declared = self.metrics[metric]
        parts = (self.date_of(part) for part in declared.ratio or ())
        return declared.date or next((date for date in parts if date != self.date), self.date)

    def values_of(self, dim: str) -> tuple[str, ...]:
        """The declared values of a dimension; none where only the data know them."""
        declared = self.dimensions[dim]
        if declared.labels:
            return tuple(declared.labels)
        named = declared.codes or declared.ranges
        return self.codes[named.list].values(named.value) if named else ()

    def parts(self, metric: str) -> tuple[str, ...]:
        """The metrics that are computed for this one: itself, or the two of a ratio."""
        return self.metrics[metric].ratio or (metric,)


def load_semantic_model(root: Path) -> SemanticModel:
    """Load and check `root/semantic/`.

    Raises:
        UsageError: there is none. DeclarationError: all problems, each as `file:line: what`.
    """
    if not (root / FOLDER).is_dir():
        raise UsageError(f"no semantic model at {root}: the folder {FOLDER} is not there; MEDFLOW_KNOWLEDGE_BASE names the folder")
    files = Declarations(root)
    model = _model(files)
    files.raise_problems()
    assert model is not None  # without a problem, nothing is missing
    return model


def _model(files: Declarations) -> SemanticModel | None:
    def built(name: str, kind: type[Model]) -> Model | None:
        return files.built(files.root / FOLDER / f"{name}.yaml", kind)[1]

    entities, dimensions = built("entities", _Entities), built("dimensions", _Dimensions)
    metrics, sources = built("metrics", _Metrics), built("sources", _Sources)
    codes = code_lists(files)
    if entities is None or dimensions is None or metrics is None or sources is None:
        return None
    model = SemanticModel(
        entities.fact,
        entities.entities,
        entities.joins,
        dimensions.dimensions,
        metrics.metrics,
        metrics.date,
        metrics.ambiguous,
        {str(reason): words for reason, words in metrics.unanswerable.items()},
        sources.sources,
        codes,
        files.hashes,
        metrics.run_out,
    )
    for file, what in _problems(model):
        files.problems.add(files.root / FOLDER / f"{file}.yaml", 1, what)
    return model


def _problems(model: SemanticModel) -> list[tuple[str, str]]:
    """Names that nothing declares, as (file, what)."""
    metrics, dates = set(model.metrics), {name for name, one in model.dimensions.items() if one.type == "date"}
    asked: list[tuple[str, str, set[str], str]] = [("metrics", "date", dates, model.date)]
    asked += [("metrics", "run_out: date", dates, used) for used in ((model.run_out.date, model.run_out.until) if model.run_out else ())]
    for name, metric in model.metrics.items():
        asked += [("metrics", f"{name}: metric", metrics, used) for used in (*(metric.ratio or ()), *metric.reveals)]
        asked += [("metrics", f"{name}: entity", set(model.entities), used) for used in (metric.count, metric.per) if used]
        asked += [("metrics", f"{name}: date", dates, metric.date)] if metric.date else []
    asked += [("metrics", f"{word}: metric", metrics, used) for word, listed in model.ambiguous.items() for used in listed]
    for name, dimension in model.dimensions.items():
        joins = [dimension.join, dimension.display.join if dimension.display else ""]
        asked += [("dimensions", f"{name}: join", set(model.joins), used) for used in joins if used]
        lists = [one.list for one in (dimension.codes, dimension.ranges) if one]
        asked += [("dimensions", f"{name}: code list", set(model.codes), used) for used in lists]
    for name, source in model.sources.items():
        asked += [("sources", f"{name}: date", dates, used) for used in source.dates]
        asked += [("sources", f"{name}: dimension", set(model.dimensions), used) for used in (*source.dimensions, *source.needs)]
        asked += [("sources", f"{name}: metric", metrics, used) for used in source.metrics]
    return [(file, f"{what} {used} is not declared") for file, what, known, used in asked if used not in known]
