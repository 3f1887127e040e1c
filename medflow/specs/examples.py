"""Approved questions as declared in `examples/`: each with its typed query, and with SQL that a person wrote beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from medflow.specs.declarations import Declarations, digest_of
from medflow.specs.table import Declared

EXAMPLES = "examples"


class Example(Declared):
    """One approved question; `query` is a typed query as plain data, `sql` one SELECT for DuckDB over the lake's tables."""

    question: str = Field(min_length=1)
    query: dict[str, Any]
    sql: str = Field(pattern=r"(?is)^\s*(select|with)\b")


class _ExamplesFile(Declared):
    examples: dict[str, Example]


@dataclass(frozen=True)
class Examples:
    """Examples by their ids, and the file that each stands in."""

    by_id: Mapping[str, Example] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    file_hashes: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def version(self) -> str:
        """SHA-256 over the files."""
        return digest_of(self.file_hashes)


def load_examples(root: Path) -> Examples:
    """Load and check `root/examples/`; a folder that is not there holds nothing. What a query may name is checked by its reader.

    Raises:
        DeclarationError: all problems, each as `file:line: what`: also an id or a question that stands twice.
    """
    files = Declarations(root)
    found: dict[str, Example] = {}
    origin: dict[str, str] = {}
    questions: dict[str, str] = {}
    for source, file in files.each(EXAMPLES, _ExamplesFile):
        for name, example in file.examples.items():
            if name in found:
                source.problem(("examples", name), f"{name} is declared in {origin[name]} already")
            asked = questions.setdefault(example.question.casefold(), name)
            if asked != name:
                source.problem(("examples", name, "question"), f"{asked} asks the same")
            found[name], origin[name] = example, source.name
    files.raise_problems()
    return Examples(found, origin, dict(files.hashes))
