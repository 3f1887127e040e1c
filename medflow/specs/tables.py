"""The tables of a knowledge base alone, for readers: bronze, silver and gold, without what builds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medflow.specs.contract import Contract
from medflow.specs.declarations import Declarations
from medflow.specs.gold import GoldHeader, GoldTable, split_file
from medflow.specs.source import Source, read_source
from medflow.specs.table import TableSpec
from medflow.specs.tables_file import table_spec

CONTRACT_FILE = "silver/claim_line.yaml"


def load_tables(root: Path) -> dict[str, TableSpec]:
    """Full name -> table, in build order.

    Raises:
        DeclarationError: all problems, each as `file:line: what`.
    """
    files = Declarations(root)
    contract = files.built(root / CONTRACT_FILE, Contract)[1] if (root / CONTRACT_FILE).is_file() else None
    tables = [*declared_tables(files, contract), *(gold.spec for _, gold in gold_tables(files))]
    files.raise_problems()
    return {table.name: table for table in tables}


def declared_tables(files: Declarations, contract: Contract | None) -> Iterator[TableSpec]:
    """Bronze and silver tables in the order of their files; `contract` is what they may take columns from."""
    for path in (*files.files("bronze"), *files.files("silver")):
        source = None if path == files.root / CONTRACT_FILE else files.read(path)
        spec = None if source is None else table_spec(source, contract)
        if spec is not None:
            yield spec


def gold_tables(files: Declarations) -> Iterator[tuple[Source, GoldTable]]:
    """Gold tables with their headers; the key `query` of a source is the line where the query begins."""
    for path in files.files("gold", "sql"):
        files.hashed(path)
        parts = split_file(path.read_text(encoding="utf-8"))
        if parts is None:
            files.problems.add(path, 1, "a gold file is a comment header (/* on the first line, */ alone on its last) and one SELECT")
            continue
        source = read_source(path, files.problems, text=parts[0], first_line=2)
        header = None if source is None else source.build(GoldHeader, source.data)
        if source is None or header is None:
            continue
        source.lines["query",] = parts[0].count("\n") + 4  # below the header and its two comment marks
        try:
            yield source, GoldTable.of(header, parts[1], source.name)
        except ValueError as error:
            source.problem(("partition",), str(error))
