"""Write docs/reference/ from knowledge_base/: tables, rules, payers, what can be asked, the glossary. `tests/test_docs.py` checks them."""

from pathlib import Path

from medflow.specs.examples import load_examples
from medflow.specs.glossary import load_glossary
from medflow.specs.knowledge_base import KnowledgeBase, load_knowledge_base
from medflow.specs.semantic import load_semantic_model
from rag_backend.definitions.catalogue import Catalogue
from rag_backend.definitions.sentences import Explained, explained

ROOT = Path(__file__).parents[1]
_MADE = "Written by `make docs` from `knowledge_base/`; change it there.\n"


def pages(base: KnowledgeBase) -> dict[str, str]:
    """File name below docs/reference/ to its text."""
    model = load_semantic_model(base.root)
    catalogue = Catalogue(model, load_glossary(base.root, model), {spec.name: spec for spec in base.table_specs}, {})
    return {
        "tables.md": _tables(base),
        "rules.md": _rules(base),
        "payers.md": _payers(base),
        "metrics.md": _metrics(catalogue),
        "glossary.md": _glossary(catalogue),
        "examples.md": _examples(base),
    }


def _metrics(catalogue: Catalogue) -> str:
    """What can be asked for: metrics and dimensions, as a definition tells them."""
    parts = [f"# Metrics and dimensions\n\n{_MADE}"]
    for title, kind, names in (("Metrics", "metric", catalogue.model.metrics), ("Dimensions", "dimension", catalogue.model.dimensions)):
        rows = [f"| `{name}` | {_line(explained((f'{kind}:{name}',), catalogue)[0])} |" for name in names]
        parts.append("\n".join([f"## {title}\n", "| id | what |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _glossary(catalogue: Catalogue) -> str:
    glossary = catalogue.glossary
    parts = [f"# Glossary and business rules\n\n{_MADE}"]
    terms = [explained((f"term:{name}",), catalogue) for name, term in sorted(glossary.terms.items()) if term.text]
    parts.append("\n".join(["## Glossary\n", *(f"- {_line(told[0])}" for told in terms)]) + "\n")
    rules = [explained((f"rule:{name}",), catalogue) for name in sorted(glossary.rules)]
    parts.append("\n".join(["## Business rules\n", *(f"- {_line(told[0])}" for told in rules)]) + "\n")
    return "\n".join(parts)


def _line(told: Explained) -> str:
    return f"**{told.term}**: {told.text}".replace("|", "&#124;")


def _examples(base: KnowledgeBase) -> str:
    examples = load_examples(base.root)
    rows = [f"- {example.question} (`{name}`)" for name, example in examples.by_id.items()]
    return "\n".join([f"# Approved questions\n\n{_MADE}", *rows]) + "\n"


def _tables(base: KnowledgeBase) -> str:
    parts = [f"# Tables\n\n{_MADE}"]
    for spec in base.table_specs:
        partition = ", ".join(f.column if f.transform == "identity" else f"{f.transform}({f.column})" for f in spec.partition) or "none"
        parts.append(f"## {spec.name}\n\n{spec.about} One row: {', '.join(spec.grain)}. Owner: {spec.owner}. Partition: {partition}.\n")
        rows = [f"| {c.name} | {c.type} | {c.about}{' (private)' if c.private else ''} |" for c in spec.columns]
        parts.append("\n".join(["| column | type | what |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _rules(base: KnowledgeBase) -> str:
    contract = base.contract
    rows = [
        f"| {r.id} | {r.severity} | {', '.join(r.columns)} | {r.message.replace('{column}', 'it')} | {r.reason} |" for r in contract.rules
    ]
    table = "\n".join(["| rule | severity | columns | what fails | why |", "|---|---|---|---|---|", *rows])
    warnings = "\n".join(f"- `{name}`: {about}" for name, about in contract.version_warnings.items())
    sibling = f"`{contract.sibling_rule.id}`: {contract.sibling_rule.message}; not counted as an error of the line's own.\n"
    return f"# Rules\n\n{_MADE}\n{table}\n\n## Siblings\n\n{sibling}\n## Warnings against other versions of the claim\n\n{warnings}\n"


def _payers(base: KnowledgeBase) -> str:
    parts = [f"# Payers\n\n{_MADE}"]
    for layout in base.payers.values():
        file = layout.file
        shape = f"delimiter `{file.delimiter}`, quote {file.quote or 'none'}, {file.encoding}, trailer {file.trailer or 'none'}"
        parts.append(
            f"## {layout.label} (`{layout.payer}`)\n\n{layout.grain[0].upper()}{layout.grain[1:]}. {shape[0].upper()}{shape[1:]}.\n"
        )
        rows = []
        for name, feeds in layout.record_columns.items():
            fed = ", ".join(f"{target} by `{parser}`" for target, parser in feeds.items()) or "bronze only"
            rows.append(f"| {name} | {fed.replace('|', '&#124;')} | {'yes' if name in layout.optional else ''} |")
        parts.append("\n".join(["| column | feeds | optional |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def main() -> None:
    folder = ROOT / "docs/reference"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(load_knowledge_base(ROOT / "knowledge_base")).items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
