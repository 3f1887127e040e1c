"""All declarations of a knowledge base, loaded and checked at once: every problem is reported with file and line.

What comes in is a folder; what goes out is one frozen value. Nothing outside the folder is read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from medflow.errors import DeclarationError, UsageError
from medflow.specs.codes import CodeList, Gate
from medflow.specs.contract import Contract
from medflow.specs.gold import GoldHeader, GoldTable, split_file
from medflow.specs.payer import PayerLayout
from medflow.specs.source import Model, Problems, Source, read_source
from medflow.specs.table import TableSpec
from medflow.specs.tables_file import table_spec

REFERENCE = "reference"
CONTRACT_FILE = "silver/claim_line.yaml"
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
        return _digest(*(f"{name}={digest}" for name, digest in sorted(self.file_hashes.items())))

    def layout_hash(self, payer: str) -> str:
        """Hash of one payer's declaration: a rejected file is tried again when it changes."""
        folder = REFERENCE if payer == REFERENCE else "payers"
        return next((digest for name, digest in self.file_hashes.items() if name == f"{folder}/{_file_of(self.layouts[payer])}"), "")

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """What each table (`table` or `table#payer`) is computed from: a rebuild is due where a release has another value."""
        silver = [self.file_hashes[CONTRACT_FILE], self.file_hashes.get(DIAGNOSIS_CODES, ""), self._code_hash("place_of_service")]
        prints = {f"healthcare.claims_history#{payer}": _digest(*silver, self.layout_hash(payer)) for payer in self.payers}
        prints["healthcare.claims_clean"] = _digest(self.file_hashes.get("silver/claims_clean.yaml", ""))
        prints["healthcare.providers"] = _digest(self.layout_hash(REFERENCE), self.file_hashes.get("silver/providers.yaml", ""))
        for name, gold in self.gold.items():
            prints[name] = _digest(self.file_hashes[f"gold/{gold.spec.short_name}.sql"], *map(self._code_hash, gold.reads_codes))
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
    loader = _Loader(root)
    loaded = loader.load()
    if loader.problems.found or loaded is None:
        raise DeclarationError(loader.problems.found)
    return loaded


class _Loader:
    """Reads the folder once, keeping problems."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems = Problems(root)
        self.hashes: dict[str, str] = {}

    def load(self) -> KnowledgeBase | None:
        contract_source, contract = self._built(self.root / CONTRACT_FILE, Contract)
        _, gate = self._built(self.root / "gate.yaml", Gate)
        codes = self._code_lists()
        if contract_source is None or contract is None:
            return None
        payers = self._layouts("payers", contract)
        reference = self._reference()
        tables = self._tables(contract)
        gold = self._gold(codes)
        self._check_expressions(contract_source, contract, payers, codes, gold)
        if gate is None or reference is None or self.problems.found:
            return None
        layouts = {payer: layout for payer, (_, layout) in payers.items()}
        return KnowledgeBase(
            self.root, layouts, reference, contract, tables, {n: g for n, (_, g) in gold.items()}, codes, gate, dict(self.hashes)
        )

    def _read(self, path: Path) -> Source | None:
        if not path.is_file():
            self.problems.add(path, 1, "is missing")
            return None
        self._hash(path)
        return read_source(path, self.problems)

    def _built(self, path: Path, model: type[Model]) -> tuple[Source | None, Model | None]:
        source = self._read(path)
        return source, None if source is None else source.build(model, source.data)

    def _hash(self, path: Path) -> None:
        self.hashes[path.relative_to(self.root).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()

    def _layouts(self, folder: str, contract: Contract) -> dict[str, tuple[Source, PayerLayout]]:
        targets = frozenset(contract.columns)
        required = frozenset(name for name, column in contract.columns.items() if column.required)
        found: dict[str, tuple[Source, PayerLayout]] = {}
        for path in sorted((self.root / folder).glob("*.yaml")):
            source, layout = self._built(path, PayerLayout)
            if source is None or layout is None:
                continue
            for spot, what in layout.problems(targets - {"principal_diagnosis"}, required):
                source.problem(spot, what)
            if layout.payer in found or layout.payer == REFERENCE or path.stem != layout.payer:
                source.problem(("payer",), f"payer {layout.payer}: the file is named after it, once, and {REFERENCE} is taken")
            found[layout.payer] = (source, layout)
        if not found:
            self.problems.add(self.root / folder, 1, "no payer is declared; add payers/<payer>.yaml")
        return found

    def _reference(self) -> PayerLayout | None:
        return self._built(self.root / "reference/providers.yaml", PayerLayout)[1]

    def _tables(self, contract: Contract) -> dict[str, TableSpec]:
        paths = [*sorted((self.root / "bronze").glob("*.yaml")), *sorted((self.root / "silver").glob("*.yaml"))]
        found: dict[str, TableSpec] = {}
        for path in paths:
            if path == self.root / CONTRACT_FILE:
                continue
            source = self._read(path)
            spec = None if source is None else table_spec(source, contract)
            if spec is not None:
                found[spec.name] = spec
        return found

    def _gold(self, codes: dict[str, CodeList]) -> dict[str, tuple[Source, GoldTable]]:
        found: dict[str, tuple[Source, GoldTable]] = {}
        for path in sorted((self.root / "gold").glob("*.sql")):
            self._hash(path)
            parts = split_file(path.read_text(encoding="utf-8"))
            if parts is None:
                self.problems.add(path, 1, "a gold file is a comment header (/* on the first line, */ alone on its last) and one SELECT")
                continue
            source = read_source(path, self.problems, text=parts[0], first_line=2)
            header = None if source is None else source.build(GoldHeader, source.data)
            if source is None or header is None:
                continue
            source.lines["query",] = parts[0].count("\n") + 4  # below the header and its two comment marks
            for name in header.reads_codes:
                if name not in codes:
                    source.problem(("reads_codes",), f"no code list {name}; there are: {', '.join(sorted(codes))}")
            try:
                found[header.table] = (source, GoldTable.of(header, parts[1]))
            except ValueError as error:
                source.problem(("partition",), str(error))
        return found

    def _code_lists(self) -> dict[str, CodeList]:
        found = {}
        for path in sorted((self.root / "codes").glob("*.yaml")):
            _, listed = self._built(path, CodeList)
            if listed is not None:
                found[listed.codes] = listed
        if (self.root / DIAGNOSIS_CODES).is_file():
            self._hash(self.root / DIAGNOSIS_CODES)
        else:
            self.problems.add(self.root / DIAGNOSIS_CODES, 1, "is missing; `make icd10cm` writes it")
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


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _file_of(layout: PayerLayout) -> str:
    return "providers.yaml" if layout.payer == REFERENCE else f"{layout.payer}.yaml"
