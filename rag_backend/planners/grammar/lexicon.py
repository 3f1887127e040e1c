"""Everything that a question may name: words of the semantic model and values of its dimensions, by phrase, with all readings kept."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from medflow.specs.semantic import Dimension, SemanticModel
from rag_backend.planners.grammar.english import PHRASES
from rag_backend.planners.grammar.tokens import singular, tokens_of

Phrase = tuple[str, ...]
_REPAIRED = 5
_SHORT = 2  # values of so few letters are only meant when written as declared: `IN` the state is not `in`
_BAND = re.compile(r"^(\d+)(?:-(\d+)|\+)$")


@dataclass(frozen=True)
class ValueEntry:
    """A value of a dimension as the data have it, and how people call it."""

    value: str
    label: str = ""


@dataclass(frozen=True)
class Values:
    """What only the data know: values by dimension, and by date dimension the first and the last day."""

    of: Mapping[str, Sequence[ValueEntry]] = field(default_factory=dict)
    span: Mapping[str, tuple[datetime.date, datetime.date]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """One thing that a phrase can mean. `kind` is METRIC, STATE, NOUN, VALUE, PREFIX, VERB or CLOSED.

    A noun is an entity, a dimension or both; a state is an adjective that with a counted noun is the name of a metric.
    """

    kind: str
    id: str = ""
    dim: str = ""
    value: str = ""
    exact: str = ""


@dataclass(frozen=True)
class Lexicon:
    """Phrases (folded words) to readings."""

    model: SemanticModel
    values: Values
    phrases: Mapping[Phrase, tuple[Reading, ...]]
    singulars: Mapping[Phrase, tuple[Reading, ...]]
    verbs: Mapping[str, str]
    longest: int
    words: frozenset[str]

    @classmethod
    def of(cls, model: SemanticModel, values: Values) -> Lexicon:
        """Built once for a release: the model's words, and the values that the data hold."""
        exact: dict[Phrase, list[Reading]] = {}
        for text, reading in _entries(model, values):
            phrase = tuple(token.norm for token in tokens_of(text))
            for form in _forms(phrase) if reading.kind == "NOUN" else (phrase,):
                if form and reading not in exact.setdefault(form, []):
                    exact[form].append(reading)
        folded: dict[Phrase, list[Reading]] = {}
        for phrase, readings in exact.items():
            for reading in readings:
                listed = folded.setdefault(tuple(map(singular, phrase)), [])
                if reading not in listed:
                    listed.append(reading)
        verbs = {word: name for name, one in model.dimensions.items() for text in one.verbs for word in [text.casefold()]}
        plain = {reading for readings in exact.values() for reading in readings if not reading.value}
        named = {reading for reading in plain if reading.kind not in ("VALUE", "CLOSED")}
        public = {r for rs in exact.values() for r in rs if r.kind == "VALUE" and _may_be_meant(model, r.dim)}
        words = {w for p, rs in exact.items() if any(r in named or r in public for r in rs) for w in p if w.isalpha()}
        return cls(
            model,
            values,
            {phrase: tuple(_merged(found, model)) for phrase, found in exact.items()},
            {phrase: tuple(_merged(found, model)) for phrase, found in folded.items()},
            verbs,
            max((len(phrase) for phrase in exact), default=1),
            frozenset(words | {singular(word) for word in words} | set(verbs)),
        )

    @cached_property
    def known(self) -> frozenset[str]:
        """Every word of any phrase, of English or of the lexicon."""
        return frozenset(word for phrase in (*PHRASES, *self.phrases) for word in phrase)

    @cached_property
    def private_words(self) -> frozenset[str]:
        """Words of values that are not public, but for those that English or what is declared uses too."""
        private: set[str] = set()
        read = {word for phrase in PHRASES for word in phrase}
        for phrase, readings in self.phrases.items():
            hidden = all(one.kind == "VALUE" and self.model.dimensions[one.dim].privacy != "public" for one in readings)
            (private if hidden else read).update(phrase)
        return frozenset(word for word in private - read if any(map(str.isalpha, word)))

    @cached_property
    def by_letter(self) -> Mapping[str, tuple[str, ...]]:
        """Words that a misspelt one may be repaired to, by first letter."""
        found: dict[str, list[str]] = {}
        english = {phrase[0] for phrase in PHRASES if len(phrase) == 1}
        for word in sorted(self.words - english):
            if len(word) >= _REPAIRED:
                found.setdefault(word[0], []).append(word)
        return {letter: tuple(words) for letter, words in found.items()}

    def readings(self, phrase: Phrase) -> tuple[Reading, ...]:
        """What a phrase means; as written before in the singular."""
        return self.phrases.get(phrase) or self.singulars.get(tuple(map(singular, phrase))) or ()

    def metric(self, *words: str) -> str:
        """The metric that a phrase names, or ''."""
        named = [one.id for one in self.readings(tuple(words)) if one.kind == "METRIC"]
        return named[0] if len(named) == 1 else ""

    def base_count(self, entity: str) -> str:
        """The metric that counts all of an entity, or ''."""
        return base_count(self.model, entity)

    def prefixed(self, text: str) -> list[str]:
        """Dimensions of codes in which a code is the start of longer ones."""
        start = text.upper()
        found = []
        for dim, entries in self.values.of.items():
            if only_named(self.model.dimensions[dim]):
                continue
            longer = start if "." in start else f"{start}."
            if any(entry.value.startswith(longer) and entry.value != start for entry in entries):
                found.append(dim)
        return found

    @cached_property
    def bands(self) -> dict[str, list[tuple[int, int, str]]]:
        """Dimensions whose values are ranges of whole numbers: (first, last, value) of each."""
        found = {}
        for name, dim in self.model.dimensions.items():
            bounds = [(_BAND.match(value), value) for value in dim.labels]
            if bounds and all(match for match, _ in bounds):
                found[name] = [(int(m[1]), int(m[2]) if m[2] else 10**6, value) for m, value in bounds if m]
        return found


def only_named(dim: Dimension) -> bool:
    """Whether its values are read only where its name stands beside them."""
    return dim.named or dim.several


def base_count(model: SemanticModel, entity: str) -> str:
    """The metric that counts all of an entity, or ''."""
    plain = [name for name, one in model.metrics.items() if one.count == entity and not one.where]
    return next((name for name in plain if not model.metrics[name].date), plain[0] if plain else "")


def _may_be_meant(model: SemanticModel, dim: str) -> bool:
    """Whether a misspelt word may stand for a value: names of people and the prose of code lists are left alone."""
    return model.dimensions[dim].privacy == "public" and model.dimensions[dim].codes is None


def _forms(phrase: Phrase) -> tuple[Phrase, ...]:
    """A noun in the singular and the plural."""
    last = singular(phrase[-1]) if phrase else ""
    plural = (
        last[:-1] + "ies" if last.endswith("y") and last[-2:-1] not in "aeiou" else last[:-2] + "es" if last.endswith("sis") else f"{last}s"
    )
    return tuple(dict.fromkeys((phrase, (*phrase[:-1], last), (*phrase[:-1], plural))))


def _entries(model: SemanticModel, values: Values) -> Iterator[tuple[str, Reading]]:
    for name, metric in model.metrics.items():
        yield from ((text, Reading("METRIC", name)) for text in (metric.label, *metric.words))
    yield from ((word, Reading("STATE", name)) for word, name in _states(model))
    for name, entity in model.entities.items():
        yield from ((text, Reading("NOUN", name)) for text in (entity.label, *entity.words))
    for word, metrics in model.ambiguous.items():
        yield from ((word, Reading("METRIC", metric, value=word)) for metric in metrics)
    for reason, words in model.unanswerable.items():
        yield from ((word, Reading("CLOSED", reason)) for word in words)
    for name, dim in model.dimensions.items():
        yield from ((text, Reading("NOUN", dim=name)) for text in (dim.label, *dim.words))
        yield from ((text, Reading("VERB", dim=name)) for text in dim.verbs)
        for text, value in () if only_named(dim) else _value_words(model, name, dim, values):
            plain = text if text.isalpha() and len(text) <= _SHORT else ""
            yield text, Reading("VALUE", dim=name, value=value, exact=plain.upper())


def _states(model: SemanticModel) -> Iterator[tuple[str, str]]:
    """The word that with a counted noun is the name of a metric, where it means nothing else: "late" of "late loans"."""
    taken = {text for one in model.dimensions.values() for value in one.labels.values() for text in (value.label, *value.words)}
    taken |= {text for one in model.dimensions.values() for text in one.verbs} | {
        text for one in model.metrics.values() for text in one.words
    }
    for name, metric in model.metrics.items():
        nouns = {singular(word) for word in model.entities[metric.count].words} if metric.count and metric.where else set()
        for first, *last in (text.split() for text in (metric.label, *metric.words)):
            if len(last) == 1 and singular(last[0]) in nouns and first not in taken and singular(first) not in nouns:
                yield first, name


def _value_words(model: SemanticModel, name: str, dim: Dimension, values: Values) -> Iterator[tuple[str, str]]:
    """(text, value): the words of declared values, of code lists and of the data."""
    for value, named in dim.labels.items():
        yield from ((text, value) for text in (value, named.label, *named.words))
    listed = dim.codes or dim.ranges
    if listed and listed.list in model.codes:
        for row in model.codes[listed.list].rows:
            yield row[listed.label], row[listed.value]
            if not row[listed.value].isdigit():
                yield row[listed.value], row[listed.value]
    for value, words in dim.words_of_values.items():
        yield from ((text, value) for text in words)
    names = {
        row[key]: text for row in _names(model, dim) for key in row for text in row.values() if text != row[key] and len(row[key]) == 2
    }
    for entry in values.of.get(name, ()):
        label = entry.label or names.get(entry.value, "")
        yield entry.value, entry.value
        if label and label != entry.value:
            yield label, entry.value


def _names(model: SemanticModel, dim: Dimension) -> tuple[dict[str, str], ...]:
    return model.codes[dim.names].rows if dim.names in model.codes else ()


def _merged(readings: list[Reading], model: SemanticModel) -> Iterator[Reading]:
    """A noun's entity and dimension as one reading; the metric that only counts the noun goes without saying."""
    entities = [one.id for one in readings if one.kind == "NOUN" and one.id]
    dims = [one.dim for one in readings if one.kind == "NOUN" and one.dim]
    for number in range(max(len(entities), len(dims))):
        yield Reading("NOUN", entities[number] if number < len(entities) else "", dims[number] if number < len(dims) else "")
    counted = {base_count(model, entity) for entity in entities}
    seen: set[tuple[str, str]] = set()
    for one in readings:
        if one.kind == "NOUN" or (one.kind == "METRIC" and one.id in counted and not one.value):
            continue
        if one.kind == "VALUE":
            same = (model.dimensions[one.dim].sql, one.value)
            if same in seen and model.dimensions[one.dim].sql:
                continue
            seen.add(same)
        yield one
