"""What something means, in sentences that are derived from its declaration, with the file that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from medflow.specs.semantic import Dimension, Metric, RangeValues
from rag_backend.definitions.catalogue import Catalogue
from rag_backend.definitions.conditions import column_in_words, in_words, listed

_SHOWN = 20  # values of a dimension that are told one by one
_UNITS = {"rate": "a fraction, shown in percent", "count": ""}


@dataclass(frozen=True)
class Explained:
    """A term, its meaning, and the file of the knowledge base that declares it."""

    term: str
    text: str
    source: str

    @property
    def sentence(self) -> str:
        """The whole as one line of text."""
        named = self.term if "_" in self.term else f"{self.term[:1].upper()}{self.term[1:]}"
        return f"{named}: {self.text} ({self.source})"


def explained(references: tuple[str, ...], catalogue: Catalogue) -> tuple[Explained, ...]:
    """Each term once, followed by its parts and by the rules about it."""
    found = [one for reference in references for one in _with_parts(reference, catalogue)]
    every = [rule for one in dict.fromkeys(found) for rule in catalogue.glossary.rules_about(one)]
    return tuple(_EXPLAIN[one.partition(":")[0]](one.partition(":")[2], catalogue) for one in dict.fromkeys((*found, *every)))


def _with_parts(reference: str, catalogue: Catalogue) -> Iterator[str]:
    kind, _, name = reference.partition(":")
    if kind == "term" and not catalogue.glossary.terms[name].text:
        yield from catalogue.glossary.terms[name].parts
        return
    yield reference
    if kind == "term":
        yield from catalogue.glossary.terms[name].parts
    if kind == "metric" and catalogue.model.metrics[name].ratio:
        yield from (f"metric:{part}" for part in catalogue.model.parts(name) if _worth_telling(catalogue.model.metrics[part]))


def _worth_telling(metric: Metric) -> bool:
    return bool(metric.where or metric.about or metric.ratio or metric.per)


def _term(name: str, catalogue: Catalogue) -> Explained:
    term = catalogue.glossary.terms[name]
    return Explained(term.label, _closed(term.text), catalogue.glossary.files[f"term:{name}"])


def _rule(name: str, catalogue: Catalogue) -> Explained:
    rule = catalogue.glossary.rules[name]
    return Explained(rule.label, _closed(rule.text), catalogue.glossary.files[f"rule:{name}"])


def _word(name: str, catalogue: Catalogue) -> Explained:
    labels = [catalogue.model.metrics[one].label for one in catalogue.model.ambiguous[name]]
    return Explained(name, _closed(f"it can mean {listed(labels)}; a question with it is asked back"), "semantic/metrics.yaml")


def _metric(name: str, catalogue: Catalogue) -> Explained:
    model, metric = catalogue.model, catalogue.model.metrics[name]
    date = model.dimensions[model.date_of(name)]
    parts = [_computed(metric, catalogue), metric.about, f"dated by {date.label} unless the question names another date"]
    unit = _UNITS.get(metric.unit, f"in {metric.unit}")
    return Explained(metric.label, " ".join(_closed(part) for part in (*parts, unit) if part), "semantic/metrics.yaml")


def _computed(metric: Metric, catalogue: Catalogue) -> str:
    model = catalogue.model
    only = f" whose {in_words(metric.where, model)}" if metric.where else ""
    if metric.ratio:
        above, below = (model.metrics[part].label for part in metric.ratio)
        return f"{above} divided by {below}, each taken over the whole group first"
    if metric.count:
        return f"the number of distinct {model.entities[metric.count].label}{only}"
    if metric.sum:
        about = _about_column(catalogue, metric.sum)
        return f"the sum of {in_words(metric.sum, model)} over {model.fact.label}{only}{f' ({about})' if about else ''}"
    return f"for each of the {model.entities[metric.per].label}{only}, {in_words(metric.value, model)}; a group shows the {metric.stat}"


def _dimension(name: str, catalogue: Catalogue) -> Explained:
    declared = catalogue.model.dimensions[name]
    about = declared.about or (declared.sql.isidentifier() and _about_column(catalogue, declared.sql, declared.join)) or ""
    parts = [about if about != declared.label else "", _ranged(declared, catalogue)]
    if declared.level == "line":
        parts.append(f"may differ from one of the {catalogue.model.fact.label} to the next")
    parts += [f"numbers can be split and filtered by it{'' if declared.type == 'string' else ', by day, week, month, quarter or year'}"]
    parts.append(_values(name, catalogue))
    return Explained(declared.label, " ".join(_closed(part) for part in parts if part), "semantic/dimensions.yaml")


def _ranged(declared: Dimension, catalogue: Catalogue) -> str:
    return f"told by {in_words(declared.ranges.over, catalogue.model)}" if declared.ranges else ""


def _values(name: str, catalogue: Catalogue) -> str:
    values = catalogue.model.values_of(name)
    if not values or len(values) > _SHOWN:
        return f"{len(values)} values are declared" if values else ""
    told = [f"{value} ({label})" if (label := _label(value, name, catalogue)) and label != value else value for value in values]
    return f"its values are {listed(told, 'and')}"


def _label(value: str, dim: str, catalogue: Catalogue) -> str:
    declared = catalogue.model.dimensions[dim]
    named = declared.codes or declared.ranges
    if named:
        return next((row[named.label] for row in catalogue.model.codes[named.list].rows if row[named.value] == value), "")
    return catalogue.group_labels(dim).get(value, "")


def _entity(name: str, catalogue: Catalogue) -> Explained:
    model, entity = catalogue.model, catalogue.model.entities[name]
    keys = [column_in_words(key, model) for key in entity.key]
    within = [model.entities[one].label for one in entity.within]
    told = f"counted by distinct {listed(keys, 'and')}"
    inner = f"each belongs to one of the {listed(within, 'and one of the')}" if within else ""
    return Explained(entity.label, " ".join(_closed(part) for part in (told, inner) if part), "semantic/entities.yaml")


def _value(name: str, catalogue: Catalogue) -> Explained:
    model = catalogue.model
    dim, _, value = name.partition(":")
    declared = model.dimensions[dim]
    if declared.ranges:
        return _range(declared, declared.ranges, value, catalogue)
    if declared.codes:
        label = _label(value, dim, catalogue)
        return Explained(f"{declared.label} {value}", _closed(label), f"codes/{declared.codes.list}.yaml")
    group = _label(value, dim, catalogue)
    named = declared.labels[value].label if value in declared.labels else value
    text = f"a {declared.label}{'' if named == value else f', written {value} in the data'}{f': {group}' if group else ''}"
    return Explained(named, _closed(text), "semantic/dimensions.yaml")


def _range(declared: Dimension, ranges: RangeValues, value: str, catalogue: Catalogue) -> Explained:
    rows = [row for row in catalogue.model.codes[ranges.list].rows if row[ranges.value] == value]
    spans = [
        row[ranges.first] if row[ranges.first] == row[ranges.last] else f"from {row[ranges.first]} to {row[ranges.last]}" for row in rows
    ]
    text = f"a {declared.label}: {in_words(ranges.over, catalogue.model)} {listed(spans)}"
    return Explained(rows[0][ranges.label], _closed(text), f"codes/{ranges.list}.yaml")


def _table(name: str, catalogue: Catalogue) -> Explained:
    table = catalogue.tables[name]
    return Explained(name, f"{_closed(table.about)} {_closed('one row for each ' + ', '.join(table.grain))}", table.file)


def _column(name: str, catalogue: Catalogue) -> Explained:
    table, _, column = name.rpartition(".")
    about = next(one.about for one in catalogue.tables[table].columns if one.name == column)
    return Explained(column, _closed(f"a column of {table}: {about}"), catalogue.tables[table].file)


def _about_column(catalogue: Catalogue, column: str, join: str = "") -> str:
    """What its table says of a column."""
    model = catalogue.model
    table = catalogue.tables.get(model.joins[join].table if join else model.fact.table)
    return next((one.about for one in table.columns if one.name == column), "") if table else ""


def _closed(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else ""


_EXPLAIN: Mapping[str, Callable[[str, Catalogue], Explained]] = {
    "term": _term,
    "rule": _rule,
    "word": _word,
    "metric": _metric,
    "dimension": _dimension,
    "entity": _entity,
    "value": _value,
    "table": _table,
    "column": _column,
}
