"""The tables of a knowledge base alone, for readers: bronze, silver and gold, without what builds them."""

from __future__ import annotations

from pathlib import Path

from medflow.errors import DeclarationError
from medflow.specs.contract import Contract
from medflow.specs.gold import GoldHeader, GoldTable, split_file
from medflow.specs.source import Problems, read_source
from medflow.specs.table import TableSpec
from medflow.specs.tables_file import table_spec

_CONTRACT = "silver/claim_line.yaml"


def load_tables(root: Path) -> dict[str, TableSpec]:
    """Full name -> table, in build order.

    Raises:
        DeclarationError: all problems, each as `file:line: what`.
    """
    problems = Problems(root)
    contract = _contract(root, problems)
    tables = [*_declared(root, contract, problems), *_gold(root, problems)]
    if problems.found:
        raise DeclarationError(problems.found)
    return {table.name: table for table in tables}


def _contract(root: Path, problems: Problems) -> Contract | None:
    path = root / _CONTRACT
    source = read_source(path, problems) if path.is_file() else None
    return None if source is None else source.build(Contract, source.data)


def _declared(root: Path, contract: Contract | None, problems: Problems) -> list[TableSpec]:
    found = []
    for path in (path for folder in ("bronze", "silver") for path in sorted((root / folder).glob("*.yaml"))):
        source = None if path == root / _CONTRACT else read_source(path, problems)
        spec = None if source is None else table_spec(source, contract)
        if spec is not None:
            found.append(spec)
    return found


def _gold(root: Path, problems: Problems) -> list[TableSpec]:
    found = []
    for path in sorted((root / "gold").glob("*.sql")):
        parts = split_file(path.read_text(encoding="utf-8"))
        source = read_source(path, problems, text=parts[0], first_line=2) if parts else None
        header = None if source is None else source.build(GoldHeader, source.data)
        if parts and header is not None:
            found.append(GoldTable.of(header, parts[1]).spec)
    return found
