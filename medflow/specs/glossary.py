"""The glossary and the business rules as declared in `glossary/` and `business_rules/`: what words mean, and what always holds.

What metrics, dimensions, code lists and tables say of themselves is not repeated here; `parts` and `about` name it. A reference is
`metric:<id>`, `dimension:<id>`, `entity:<id>`, `value:<dimension>:<value>`, `term:<id>` or `rule:<id>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydantic import Field

from medflow.specs.declarations import Declarations, digest_of
from medflow.specs.semantic import SemanticModel
from medflow.specs.source import Source, Spot
from medflow.specs.table import Declared

GLOSSARY, BUSINESS_RULES = "glossary", "business_rules"
_ID = re.compile(r"[a-z][a-z0-9_]*\Z")


class Term(Declared):
    """A word of the field. `text` says what it means; `parts` are what it is made up of and what is told along with it."""

    label: str
    words: tuple[str, ...] = ()
    text: str = ""
    parts: tuple[str, ...] = ()


class BusinessRule(Declared):
    """What always holds; told whenever something that it is `about` is asked for."""

    label: str
    words: tuple[str, ...] = ()
    text: str = Field(min_length=1)
    about: tuple[str, ...] = ()


class _TermsFile(Declared):
    terms: dict[str, Term]


class _RulesFile(Declared):
    rules: dict[str, BusinessRule]


@dataclass(frozen=True)
class Glossary:
    """Terms and rules by their ids, and the file that each stands in (`files`, by `term:<id>` and `rule:<id>`)."""

    terms: Mapping[str, Term] = field(default_factory=dict)
    rules: Mapping[str, BusinessRule] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    file_hashes: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def version(self) -> str:
        """SHA-256 over the files."""
        return digest_of(self.file_hashes)

    def rules_about(self, reference: str) -> tuple[str, ...]:
        """The rules that are told with a term."""
        return tuple(f"rule:{name}" for name, rule in self.rules.items() if reference in rule.about)


def load_glossary(root: Path, model: SemanticModel) -> Glossary:
    """Load and check both folders below `root`; a folder that is not there holds nothing.

    Raises:
        DeclarationError: all problems, each as `file:line: what`: also a reference to what nothing declares, and a word that two
        terms or rules claim.
    """
    files = Declarations(root)
    terms, rules = list(_terms(files)), list(_rules(files))
    entries = [*terms, *rules]
    _check_words(entries)
    known = {reference for reference, _, _, _ in entries}
    for _, source, spot, declared in entries:
        key = "parts" if isinstance(declared, Term) else "about"
        for index, reference in enumerate(declared.parts if isinstance(declared, Term) else declared.about):
            if reference not in known and not _in_model(model, reference):
                source.problem((*spot, key, index), f"{reference} is not declared; a reference is metric:<id>, dimension:<id>, ...")
    files.raise_problems()
    return Glossary(
        {reference.partition(":")[2]: term for reference, _, _, term in terms if isinstance(term, Term)},
        {reference.partition(":")[2]: rule for reference, _, _, rule in rules if isinstance(rule, BusinessRule)},
        {reference: source.name for reference, source, _, _ in entries},
        dict(files.hashes),
    )


_Entry = tuple[str, Source, Spot, Term | BusinessRule]


def _terms(files: Declarations) -> Iterator[_Entry]:
    for source, file in files.each(GLOSSARY, _TermsFile):
        for name, term in file.terms.items():
            if not term.text and not term.parts:
                source.problem(("terms", name), f"{name} has neither text nor parts: it says nothing")
            yield f"term:{_named(source, ('terms', name))}", source, ("terms", name), term


def _rules(files: Declarations) -> Iterator[_Entry]:
    for source, file in files.each(BUSINESS_RULES, _RulesFile):
        for name, rule in file.rules.items():
            yield f"rule:{_named(source, ('rules', name))}", source, ("rules", name), rule


def _named(source: Source, spot: tuple[str, str]) -> str:
    if not _ID.match(spot[1]):
        source.problem(spot, f"{spot[1]}: an id is lower-case letters, digits and underscores")
    return spot[1]


def _check_words(entries: list[_Entry]) -> None:
    """Ids and words that stand twice."""
    seen: dict[str, str] = {}
    for reference, source, spot, declared in entries:
        if reference in seen:
            source.problem(spot, f"{reference} is declared twice")
        seen[reference] = reference
        for word in dict.fromkeys(word.casefold() for word in (declared.label, *declared.words)):
            if seen.setdefault(f"word {word}", reference) != reference:
                source.problem(spot, f"{word!r} already means {seen[f'word {word}']}: one word, one term")


def _in_model(model: SemanticModel, reference: str) -> bool:
    kind, _, name = reference.partition(":")
    if kind == "value":
        dim, _, value = name.partition(":")
        return dim in model.dimensions and value in model.values_of(dim)
    known: Mapping[str, Mapping[str, object]] = {"metric": model.metrics, "dimension": model.dimensions, "entity": model.entities}
    return name in known.get(kind, {})
