"""What can be retrieved: one text for each table, metric, dimension, term, rule and approved question of the knowledge base.

A text is made from declarations alone: no value that only the data know is in it. Each says what a role must be granted to read it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

from medflow.specs.examples import Examples
from medflow.specs.glossary import Glossary
from medflow.specs.policy import Policy
from medflow.specs.semantic import SemanticModel
from medflow.specs.table import TableSpec
from rag_backend.definitions.catalogue import Catalogue
from rag_backend.definitions.sentences import explained
from rag_backend.query.expressions import all_where
from rag_backend.query.typed_query import TypedQuery
from rag_backend.retrieval.needs import Reads, Ways, granted

CollectionName = Literal["table_schemas", "example_queries", "healthcare_glossary", "business_rules"]
TABLES, EXAMPLES, GLOSSARY, RULES = COLLECTIONS = get_args(CollectionName)
_COLLECTION_OF: Mapping[str, CollectionName] = {"metric": TABLES, "dimension": TABLES, "term": GLOSSARY, "rule": RULES}
_SENTENCE = re.compile(r"(?<=[.!?]) ")
_NAME = re.compile(r"[a-z]+(?:_[a-z0-9]+)+(?:\.[a-z0-9_]+)?")


@dataclass(frozen=True)
class Document:
    """One text. `subject` is a reference as definitions use it, or `example:<id>`; `id` differs where a subject has several texts.

    `names` is what people call it, `text` what it means: for an example its typed query, unless values in it are not public. `needs`:
    for each thing that it names, the ways in which it can be read.
    """

    id: str
    subject: str
    collection: CollectionName
    title: str
    names: tuple[str, ...] = ()
    text: str = ""
    needs: tuple[Ways, ...] = ()

    @property
    def entries(self) -> tuple[str, ...]:
        """The texts that it is found by: what it is called, each by itself; of prose also what it says."""
        return (self.title, *self.names, *((self.text,) if self.collection in (GLOSSARY, RULES) else ()))

    def shown_to(self, policy: Policy) -> bool:
        """Whether everything that it names is open to the policy, which itself opens something."""
        return bool(policy.tables) and all(granted(ways, policy) for ways in self.needs)


@dataclass(frozen=True)
class Knowledge:
    """The declarations that documents are made from; `policies` are all of them, since a table has a text for each grant of it."""

    model: SemanticModel
    glossary: Glossary
    examples: Examples
    tables: Mapping[str, TableSpec]
    policies: Mapping[str, Policy]

    @cached_property
    def reads(self) -> Reads:
        return Reads(self.model, self.tables)

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.model, self.glossary, self.tables, {})


@dataclass(frozen=True)
class Documents:
    """Every document, and those that a policy may read."""

    all: tuple[Document, ...]
    _shown: dict[str, Mapping[str, Document]] = field(default_factory=dict, compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the texts that they are found by."""
        content = [[one.id, one.collection, *one.entries] for one in self.all]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()

    def shown_to(self, policy: Policy) -> Mapping[str, Document]:
        """By id, the documents that a policy may read: of the texts of one subject, the one that names most."""
        if policy.hash not in self._shown:
            fullest: dict[str, Document] = {}
            for one in self.all:
                if one.shown_to(policy) and (one.subject not in fullest or len(one.text) > len(fullest[one.subject].text)):
                    fullest[one.subject] = one
            self._shown[policy.hash] = {one.id: one for one in fullest.values()}
        return self._shown[policy.hash]


def documents_of(knowledge: Knowledge) -> Documents:
    """All documents, in a fixed order."""
    made = [*_tables(knowledge), *_semantics(knowledge), *_prose(knowledge), *_examples(knowledge)]
    return Documents(tuple(sorted(made, key=lambda one: (one.collection, one.id))))


def _tables(knowledge: Knowledge) -> Iterator[Document]:
    """A text for each set of columns that some role may read of a table, and none for what no role may."""
    for name, spec in knowledge.tables.items():
        grants = {policy.tables[name] for policy in knowledge.policies.values() if name in policy.tables}
        for columns in sorted(grants):
            shown = [column for column in spec.columns if column.name in columns]
            told = ", ".join(f"{one.name} {one.type}{f' ({one.about})' if one.about else ''}" for one in shown)
            grain = [one for one in spec.grain if one in columns]
            text = " ".join([spec.about, *([f"One row for each {', '.join(grain)}."] if grain else []), f"Columns: {told}."])
            key = hashlib.sha256(" ".join(columns).encode()).hexdigest()[:8]
            names = _names_of_table(spec, columns, knowledge)
            yield Document(f"table:{name}:{key}", f"table:{name}", TABLES, name, names, text, (({name: frozenset(columns)},),))


def _names_of_table(spec: TableSpec, columns: Sequence[str], knowledge: Knowledge) -> tuple[str, ...]:
    """What a table is found by: its name, the lines or entities that it lists, and what it can be split by.

    Not its metrics: most tables keep the common ones, and then whatever joins for a dimension comes last. A table that no dimension is
    read from is found by what it is said to hold, and by its columns.
    """
    model, name = knowledge.model, spec.name
    found = [spec.short_name.replace("_", " ")]
    found += [model.fact.label] if name == model.fact.table else []
    found += [word for one in model.entities.values() if one.table == name for word in (one.label, *one.words)]
    split = [
        declared.label
        for dim, declared in model.dimensions.items()
        if any(name in way and way[name] <= set(columns) for way in knowledge.reads.of_dimension(dim))
    ]
    return _once([*found, *(split or (spec.about, *(column.replace("_", " ") for column in columns)))])


def _semantics(knowledge: Knowledge) -> Iterator[Document]:
    """A text for each metric and each dimension; the values of a dimension stand in it only where they are declared and public."""
    model, reads = knowledge.model, knowledge.reads
    for name, metric in model.metrics.items():
        yield from _by_what_is_named(_document(f"metric:{name}", metric.words, knowledge, (reads.of_metric(name),)), knowledge)
    for name, dim in model.dimensions.items():
        made = _document(f"dimension:{name}", dim.words, knowledge, (reads.of_dimension(name),))
        if dim.privacy == "public":
            yield from _by_what_is_named(replace(made, names=_once([*made.names, *_value_words(name, model)])), knowledge)
        else:
            yield replace(made, text=dim.about)  # what is derived from a declaration may list its values


def _by_what_is_named(made: Document, knowledge: Knowledge) -> Iterator[Document]:
    """A document, and where its text names columns, one without those sentences for who may read the thing and not the columns."""
    named = _named_by((made.text,), (), knowledge)
    yield replace(made, needs=(*made.needs, *named))
    if named:
        plain = " ".join(one for one in _SENTENCE.split(made.text) if not _named_by((one,), (), knowledge))
        yield replace(made, id=f"{made.id}:plain", text=plain)


def _value_words(dim: str, model: SemanticModel) -> Iterator[str]:
    declared = model.dimensions[dim]
    for named in declared.labels.values():
        yield from (named.label, *named.words)
    if listed := declared.codes or declared.ranges:
        yield from (row[listed.label] for row in model.codes[listed.list].rows)
    for words in declared.words_of_values.values():
        yield from words


def _prose(knowledge: Knowledge) -> Iterator[Document]:
    """Terms and rules."""
    for name, term in knowledge.glossary.terms.items():
        needs = _named_by((term.label, *term.words, term.text), term.parts, knowledge)
        yield _document(f"term:{name}", term.words, knowledge, needs)
    for name, rule in knowledge.glossary.rules.items():
        needs = _named_by((rule.label, *rule.words, rule.text), rule.about, knowledge)
        yield _document(f"rule:{name}", rule.words, knowledge, needs)


def _document(subject: str, words: Iterable[str], knowledge: Knowledge, needs: tuple[Ways, ...]) -> Document:
    told = explained((subject,), knowledge.catalogue)[0]
    names = _once(word for word in words if word.casefold() != told.term.casefold())
    return Document(subject, subject, _COLLECTION_OF[subject.partition(":")[0]], told.term, names, told.text, needs)


def _examples(knowledge: Knowledge) -> Iterator[Document]:
    for name, example in knowledge.examples.by_id.items():
        query = TypedQuery.model_validate(example.query)
        tested = (knowledge.model.dimensions[one.dim] for one in all_where(query) if one.values)
        told = query.model_dump_json(exclude_defaults=True) if all(one.privacy == "public" for one in tested) else ""
        yield Document(f"example:{name}", f"example:{name}", EXAMPLES, example.question, (), told, (knowledge.reads.of_query(query),))


def _named_by(texts: Iterable[str], references: Iterable[str], knowledge: Knowledge) -> tuple[Ways, ...]:
    """The ways of everything that prose refers to, and of every table and column that it names as such."""
    found = [ways for reference in references for ways in _of_reference(reference, knowledge)]
    names = sorted({name for text in texts for name in _NAME.findall(text)})
    return (*found, *(ways for ways in map(knowledge.reads.of_name, names) if ways))


def _of_reference(reference: str, knowledge: Knowledge) -> Iterator[Ways]:
    kind, _, name = reference.partition(":")
    reads, glossary = knowledge.reads, knowledge.glossary
    if kind == "metric":
        yield reads.of_metric(name)
    elif kind in ("dimension", "value"):
        yield reads.of_dimension(name.partition(":")[0])
    elif kind in ("term", "rule"):
        entry = glossary.terms[name] if kind == "term" else glossary.rules[name]
        yield from _named_by((entry.text,), (), knowledge)


def _once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple({word.casefold(): word for word in reversed(list(words))}.values())[::-1]
