"""What a model reads beside a question: the nearest tables, metrics, dimensions, terms, rules and examples, as bounded text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medflow.specs.policy import Policy
from rag_backend.retrieval.documents import EXAMPLES, GLOSSARY, RULES, TABLES, CollectionName, Document
from rag_backend.retrieval.tables import tables_of

if TYPE_CHECKING:
    from rag_backend.retrieval.retriever import Retriever

_MOST = 8_000  # characters in all
_LINE = 2_400  # of one document
_NAMES = 8
# Heading, collection, kind of subject, how many.
_SECTIONS: tuple[tuple[str, CollectionName, str, int], ...] = (
    ("Metrics", TABLES, "metric", 8),
    ("Dimensions", TABLES, "dimension", 8),
    ("Terms", GLOSSARY, "term", 4),
    ("Rules", RULES, "rule", 4),
    ("Approved questions and their typed queries", EXAMPLES, "example", 5),
    ("Tables", TABLES, "table", 5),
)


def context_of(retriever: Retriever, question: str, policy: Policy) -> str:
    """Sections of lines, the nearest first; a line that no longer fits is left out whole."""
    parts: list[str] = []
    left = _MOST
    for heading, collection, kind, n in _SECTIONS:
        if kind == "table":
            found = tables_of(retriever, question, policy, n).found
        else:
            found = retriever.search(question, policy, collections=(collection,), kinds=(kind,), n=n).found
        lines = [_line(hit.document) for hit in found if hit.document.text]
        section = [f"## {heading}"]
        for line in lines:
            if len(line) < left:
                section.append(line)
                left -= len(line) + 1
        if len(section) > 1:
            parts.append("\n".join(section))
    return "\n\n".join(parts)


def _line(document: Document) -> str:
    """One document on one line: what it is called in queries, what people call it, and its meaning."""
    kind, _, name = document.subject.partition(":")
    if kind == "example":
        told = f"{document.title} {document.text}"
    elif kind == "table":
        told = f"{name}: {document.text}"
    else:
        told = f"{name}: {', '.join(dict.fromkeys((document.title, *document.names[:_NAMES])))}. {document.text}"
    return f"- {' '.join(told.split())}"[:_LINE]
