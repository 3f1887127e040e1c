"""All declarations of a knowledge base, loaded and checked at once: every problem is reported with file and line.

What comes in is a folder; what goes out is one frozen value. Nothing outside the folder is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from medflow.errors import UsageError
from medflow.specs.codes import CodeList, Gate, code_lists
from medflow.specs.contract import Contract
from medflow.specs.declarations import Declarations, digest, digest_of
from medflow.specs.gold import GoldTable
from medflow.specs.payer import PayerLayout
from medflow.specs.source import Source
from medflow.specs.table import TableSpec
from medflow.specs.tables import CONTRACT_FILE, declared_tables, gold_tables

REFERENCE = "reference"
DIAGNOSIS_CODES = "codes/icd10cm.csv.gz"


@dataclass(frozen=True)
class KnowledgeBase:
    """Payers, the silver contract, tables, gold queries, code lists and the gate, with the hash of each file."""

    root: Path
    payers: dict[str, PayerLayout]
    reference: PayerLayout
    contract: Contract
    tables: dict[str, TableSpec]
    gold: dict[str, GoldTable]
    codes: dict[str, CodeList]
    gate: Gate
    file_hashes: dict[str, str]

    @property
    def layouts(self) -> dict[str, PayerLayout]:
        """Every folder below LANDING that is read: the payers and `reference`."""
        return {**self.payers, REFERENCE: self.reference}

    @property
    def table_specs(self) -> tuple[TableSpec, ...]:
        """Bronze, silver and gold tables, in build order."""
        return (*self.tables.values(), *(gold.spec for gold in self.gold.values()))

    def spec(self, table: str) -> TableSpec:
        """The declared table of this name, gold or below."""
        gold = self.gold.get(table)
        return gold.spec if gold else self.tables[table]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all declarations that the pipeline reads."""
        return digest_of(self.file_hashes)

    def layout_hash(self, payer: str) -> str:
        """Hash of one payer's declaration: a rejected file is tried again when it changes."""
        folder = REFERENCE if payer == REFERENCE else "payers"
        return next((found for name, found in self.file_hashes.items() if name == f"{folder}/{_file_of(self.layouts[payer])}"), "")

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """What each table (`table` or `table#payer`) is computed from: a rebuild is due where a release has another value."""
        silver = [self.file_hashes[CONTRACT_FILE], self.file_hashes.get(DIAGNOSIS_CODES, ""), self._code_hash("place_of_service")]
        prints = {f"healthcare.claims_history#{payer}": digest(*silver, self.layout_hash(payer)) for payer in self.payers}
        prints["healthcare.claims_clean"] = digest(self.file_hashes.get("silver/claims_clean.yaml", ""))
        prints["healthcare.providers"] = digest(self.layout_hash(REFERENCE), self.file_hashes.get("silver/providers.yaml", ""))
        for name, gold in self.gold.items():
            prints[name] = digest(self.file_hashes[f"gold/{gold.spec.short_name}.sql"], *map(self._code_hash, gold.reads_codes))
        return prints

    def _code_hash(self, name: str) -> str:
        return self.file_hashes.get(f"codes/{name}.yaml", "")


def load_knowledge_base(root: Path) -> KnowledgeBase:
    """Load and check every declaration below `root`.

    Raises:
        UsageError: there is no such folder.
        DeclarationError: all problems, each as `file:line: what`.
    """
    if not (root / CONTRACT_FILE).is_file():
        raise UsageError(f"no knowledge base at {root}: {CONTRACT_FILE} is not there; MEDFLOW_KNOWLEDGE_BASE names the folder")
    files = Declarations(root)
    loaded = _Loader(files).load()
    files.raise_problems()
    assert loaded is not None  # without a problem, nothing is missing
    return loaded


class _Loader:
    """Puts the knowledge base together from its files."""

    def __init__(self, files: Declarations) -> None:
        self.files = files

    def load(self) -> KnowledgeBase | None:
        root = self.files.root
        contract_source, contract = self.files.built(root / CONTRACT_FILE, Contract)
        _, gate = self.files.built(root / "gate.yaml", Gate)
        codes = code_lists(self.files)
        self.files.hashed(root / DIAGNOSIS_CODES, "; `make icd10cm` writes it")
        if contract_source is None or contract is None:
            return None
        payers = self._layouts("payers", contract)
        _, reference = self.files.built(root / "reference/providers.yaml", PayerLayout)
        tables = {spec.name: spec for spec in declared_tables(self.files, contract)}
        gold = self._gold(codes)
        self._check_expressions(contract_source, contract, payers, codes, gold)
        if gate is None or reference is None or self.files.problems.found:
            return None
        layouts = {payer: layout for payer, (_, layout) in payers.items()}
        golden = {name: table for name, (_, table) in gold.items()}
        return KnowledgeBase(root, layouts, reference, contract, tables, golden, codes, gate, dict(self.files.hashes))

    def _layouts(self, folder: str, contract: Contract) -> dict[str, tuple[Source, PayerLayout]]:
        targets = frozenset(contract.columns)
        required = frozenset(name for name, column in contract.columns.items() if column.required)
        found: dict[str, tuple[Source, PayerLayout]] = {}
        for source, layout in self.files.each(folder, PayerLayout):
            for spot, what in layout.problems(targets - {"principal_diagnosis"}, required):
                source.problem(spot, what)
            if layout.payer in found or layout.payer == REFERENCE or source.path.stem != layout.payer:
                source.problem(("payer",), f"payer {layout.payer}: the file is named after it, once, and {REFERENCE} is taken")
            found[layout.payer] = (source, layout)
        if not found:
            self.files.problems.add(self.files.root / folder, 1, "no payer is declared; add payers/<payer>.yaml")
        return found

    def _gold(self, codes: dict[str, CodeList]) -> dict[str, tuple[Source, GoldTable]]:
        found = {}
        for source, table in gold_tables(self.files):
            for name in table.reads_codes:
                if name not in codes:
                    source.problem(("reads_codes",), f"no code list {name}; there are: {', '.join(sorted(codes))}")
            found[table.spec.name] = (source, table)
        return found

    def _check_expressions(
        self,
        contract_source: Source,
        contract: Contract,
        payers: dict[str, tuple[Source, PayerLayout]],
        codes: dict[str, CodeList],
        gold: dict[str, tuple[Source, GoldTable]],
    ) -> None:
        from medflow.sql.check import contract_problems, derive_problems, gold_problems

        for spot, what in contract_problems(contract, codes):
            contract_source.problem(spot, what)
        for source, layout in payers.values():
            for spot, what in derive_problems(layout, contract):
                source.problem(spot, what)
        for source, table in gold.values():
            for spot, what in gold_problems(table):
                source.problem(spot, what)


def _file_of(layout: PayerLayout) -> str:
    return "providers.yaml" if layout.payer == REFERENCE else f"{layout.payer}.yaml"
