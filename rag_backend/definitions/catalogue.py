"""Everything that has a definition, by the phrases that people use for it: a model, a glossary and tables in, references out.

A reference is `metric:<id>`, `dimension:<id>`, `entity:<id>`, `value:<dimension>:<value>`, `term:<id>`, `rule:<id>`, `word:<ambiguous
word>`, `table:<name>` or `column:<table>.<name>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from medflow.specs.glossary import Glossary
from medflow.specs.semantic import SemanticModel
from medflow.specs.table import TableSpec
from rag_backend.planners.grammar.tokens import singular, tokens_of

Phrase = tuple[str, ...]
_KINDS = ("term", "rule", "word", "metric", "dimension", "entity", "value")
_ARTICLES = frozenset({"a", "an", "the"})


@dataclass(frozen=True)
class Catalogue:
    """A model, its glossary and its tables, which say what their columns hold.

    `readable`: the tables and columns that the asker may read, which alone can be asked about by name.
    """

    model: SemanticModel
    glossary: Glossary
    tables: Mapping[str, TableSpec]
    readable: Mapping[str, tuple[str, ...]]

    @cached_property
    def phrases(self) -> Mapping[Phrase, tuple[str, ...]]:
        """Folded phrases to references, in the order in which they are told."""
        found: dict[Phrase, list[str]] = {}
        for text, reference in (*_spoken(self.model, self.glossary), *_stored(self.readable)):
            listed = found.setdefault(folded(text), [])
            if reference not in listed:
                listed.append(reference)
        return {phrase: _chosen(self.model, references) for phrase, references in found.items() if phrase}

    @cached_property
    def values(self) -> Mapping[tuple[str, Phrase], str]:
        """Values of dimensions by dimension and folded phrase."""
        return {(dim, folded(text)): value for dim in self.model.dimensions for text, value in _value_words(self.model, dim)}

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What can be proposed instead of an unknown term."""
        entries = (self.glossary.terms, self.glossary.rules, self.model.metrics, self.model.dimensions)
        return tuple(one.label for group in entries for one in group.values())

    def named(self, phrase: Phrase) -> tuple[str, ...]:
        """What a phrase names, in any number; () = nothing."""
        return self.phrases.get(tuple(map(singular, phrase)), ())

    def value_of(self, dims: Iterable[str], phrase: Phrase) -> str:
        """The value of one of the dimensions, as a reference, or ''."""
        key = tuple(map(singular, phrase))
        return next((f"value:{dim}:{self.values[dim, key]}" for dim in dims if (dim, key) in self.values), "")

    def has_content(self, reference: str) -> bool:
        """Whether more can be said of it than that it is a value of its dimension."""
        kind, _, name = reference.partition(":")
        dim = name.partition(":")[0]
        declared = self.model.dimensions[dim] if kind == "value" else None
        return declared is None or bool(declared.codes or declared.ranges or self.group_labels(dim))

    def group_labels(self, dim: str) -> Mapping[str, str]:
        """Labels of a dimension's values where they are the groups of a code list."""
        declared = set(self.model.dimensions[dim].labels)
        for listing in self.model.codes.values():
            for key in listing.groups[0] if listing.groups else ():
                if declared == {row.get(key) for row in listing.groups}:
                    return {row[key]: text for row in listing.groups for name, text in row.items() if name != key}
        return {}


def folded(text: str) -> Phrase:
    """Words as they are looked up: in lower case and the singular, without articles; `_` parts words."""
    return tuple(singular(word) for word in words_of(text) if word not in _ARTICLES)


def words_of(text: str) -> list[str]:
    """Words, numbers and codes in lower case, with the commas and signs that join them; other signs say nothing."""
    tokens = tokens_of(text.replace("_", " ").replace(":", " , "))
    return [token.norm for token in tokens if token.norm in (",", "&", "/") or any(letter.isalnum() for letter in token.norm)]


def _spoken(model: SemanticModel, glossary: Glossary) -> Iterator[tuple[str, str]]:
    for kind, entries in (("term", glossary.terms), ("rule", glossary.rules)):
        for name, entry in entries.items():
            yield from ((text, f"{kind}:{name}") for text in (entry.label, *entry.words))
    for word in model.ambiguous:
        yield word, f"word:{word}"
    for name, metric in model.metrics.items():
        yield from ((text, f"metric:{name}") for text in (name, metric.label, *metric.words))
    for name, dim in model.dimensions.items():
        yield from ((text, f"dimension:{name}") for text in (name, dim.label, *dim.words))
        yield from ((text, f"value:{name}:{value}") for text, value in _value_words(model, name) if not text.isdigit())
    for name, entity in model.entities.items():
        yield from ((text, f"entity:{name}") for text in (name, entity.label, *entity.words))


def _stored(readable: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    for name, columns in readable.items():
        yield from ((text, f"table:{name}") for text in (name, name.rpartition(".")[2]))
        yield from ((column, f"column:{name}.{column}") for column in columns)


def _value_words(model: SemanticModel, dim: str) -> Iterator[tuple[str, str]]:
    declared = model.dimensions[dim]
    for value, named in declared.labels.items():
        yield from ((text, value) for text in (value, named.label, *named.words))
    listed = declared.codes or declared.ranges
    if listed:
        for row in model.codes[listed.list].rows:
            yield from ((text, row[listed.value]) for text in (row[listed.value], row[listed.label]))
    for value, words in declared.words_of_values.items():
        yield from ((text, value) for text in words)


def _chosen(model: SemanticModel, found: list[str]) -> tuple[str, ...]:
    """In the order in which they are told; columns and tables only where nothing else has the name, and of columns one."""
    spoken = [one for kind in _KINDS for one in found if one.startswith(f"{kind}:")]
    if not spoken:
        return tuple(found[:1])
    counted = {f"metric:{name}" for name, metric in model.metrics.items() if f"entity:{metric.count}" in spoken and not metric.where}
    return tuple(one for one in spoken if one not in counted)
