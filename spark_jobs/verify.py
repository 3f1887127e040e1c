"""Verification: what a run built, counted again from the data files of the branch by SQL of its own, in DuckDB.

Never uses the build's SELECTs: lines and cents are counted from bronze's text, current versions are told another way, and
every additive gold column is tied to claims_clean. A disagreement blocks the release.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from medflow.errors import VerificationError
from medflow.specs.gold import GoldTable
from medflow.specs.knowledge_base import REFERENCE, KnowledgeBase
from medflow.specs.payer import PayerLayout
from medflow.sql.compile import compile_sql
from medflow.sql.text import in_list, literal
from spark_jobs.engines.duckdb import DuckDBEngine
from spark_jobs.run import CLEAN, HISTORY, PROVIDERS, QUARANTINE, RAW

Files = Callable[[str], list[str]]


@dataclass(frozen=True)
class Finding:
    """One check: how many rows were looked at and how many disagree."""

    layer: str
    check: str
    checked: int
    failed: int


@dataclass
class Verifier:
    """Checks the tables whose data files `files` names. `batch_id` narrows line checks to one load, None = the whole lake."""

    engine: DuckDBEngine
    knowledge_base: KnowledgeBase
    files: Files
    batch_id: str | None = None

    def bronze(self, records: dict[str, int]) -> list[Finding]:
        """claims_raw has each record of each file once. `records`: file_id to the count that framing made."""
        self._load("v_raw", RAW)
        self.engine.rows("v_expected", pa.table({"file_id": list(records), "records": list(records.values())}, _EXPECTED))
        counts = self._one(
            "SELECT count(*) AS n, count(DISTINCT row_id) AS ids, count(DISTINCT (file_id, record_number)) AS numbers "
            f"FROM v_raw WHERE {self._of_batch()}"
        )
        files = self._one(
            "SELECT count(*) AS n, count(*) FILTER (e.records IS DISTINCT FROM coalesce(r.n, 0)) AS failed FROM v_expected e "
            f"LEFT JOIN (SELECT file_id, count(*) AS n FROM v_raw WHERE {self._of_batch()} GROUP BY file_id) r USING (file_id)"
        )
        return [
            Finding("bronze", "row_id_unique", counts["n"], counts["n"] - min(counts["ids"], counts["numbers"])),
            Finding("bronze", "records_counted", files["n"], files["failed"]),
        ]

    def silver(self) -> list[Finding]:
        """Every line read is in exactly one of history and queue, in rows and in cents; clean holds the current versions."""
        for name, table in (("v_raw", RAW), ("v_history", HISTORY), ("v_queue", QUARANTINE), ("v_clean", CLEAN)):
            self._load(name, table)
        self.engine.define_native("v_lines", self._lines_sql())
        found = [self._reconciled(), self._cents(), self._unique("silver", HISTORY, "v_history", ("row_id",))]
        found += [self._unique("silver", QUARANTINE, "v_queue", ("row_id",))]
        found += [self._unique("silver", CLEAN, "v_clean", ("payer_id", "claim_id", "line_number")), *self._current()]
        self.engine.drop("v_lines")
        return found

    def providers(self) -> list[Finding]:
        """One row a provider; every provider record of bronze is there or in the queue. Call after `silver`."""
        self._load("v_providers", PROVIDERS)
        row = self._one(
            "SELECT count(*) AS n, count(*) FILTER (p.npi IS NULL AND q.row_id IS NULL) AS failed FROM v_raw r "
            "LEFT JOIN v_providers p ON p.npi = trim(r.fields['npi']) "
            "LEFT JOIN v_queue q ON q.file_id = r.file_id AND q.record_number = r.record_number "
            f"WHERE r.payer_id = '{REFERENCE}'"
        )
        unique = self._unique("silver", PROVIDERS, "v_providers", ("npi",))
        return [unique, Finding("silver", "providers_complete", row["n"], row["failed"])]

    def gold(self, table: GoldTable, months: Collection[date] | None) -> list[Finding]:
        """Keys, ties and row checks of one gold table, for the partitions of these months (years for a yearly table)."""
        part = table.spec.partition[0].column
        scope = "TRUE" if months is None else in_list(part, sorted({m.year for m in months}) if _yearly(table) else list(months))
        scope = compile_sql(f"SELECT 1 WHERE {scope}", "duckdb").partition(" WHERE ")[2]
        self._load("v_gold_all", table.spec.name)
        self.engine.define_native("v_gold", f"SELECT * FROM v_gold_all WHERE {scope}", keep=False)
        self._load("claims_clean", CLEAN)
        findings = [self._unique("gold", table.spec.name, "v_gold", table.spec.grain), self._tied(table, part, scope)]
        for number, check in enumerate(table.checks):
            condition = compile_sql(f"SELECT 1 WHERE {check}", "duckdb").partition(" WHERE ")[2]
            row = self._one(f"SELECT count(*) AS n, count(*) FILTER (NOT ({condition})) AS failed FROM v_gold")
            findings.append(Finding("gold", f"{table.spec.short_name}_check_{number + 1}", row["n"], row["failed"]))
        return findings

    def _load(self, relation: str, table: str) -> None:
        self.engine.files(relation, self.files(table), self.knowledge_base.spec(table))

    def _one(self, sql: str) -> dict[str, int]:
        return {name: int(value or 0) for name, value in self.engine.fetch_native(sql)[0].items()}

    def _of_batch(self) -> str:
        return "TRUE" if self.batch_id is None else f"batch_id = {literal(self.batch_id)}"

    def _unique(self, layer: str, table: str, relation: str, key: tuple[str, ...]) -> Finding:
        row = self._one(f"SELECT count(*) AS n, count(DISTINCT ({', '.join(key)})) AS keys FROM {relation}")
        return Finding(layer, f"{table.split('.')[1]}_key_unique", row["n"], row["n"] - row["keys"])

    def _lines_sql(self) -> str:
        """Every line of bronze with its row_id and billed cents, read from the record's text."""
        selects = [_payer_lines(payer, layout, self._of_batch()) for payer, layout in self.knowledge_base.payers.items()]
        return " UNION ALL ".join(selects)

    def _reconciled(self) -> Finding:
        sides = (
            "SELECT row_id, 1 AS side FROM v_lines UNION ALL "
            f"SELECT row_id, -1 AS side FROM v_history WHERE {self._of_batch()} UNION ALL SELECT row_id, -1 AS side FROM v_queue "
            f"WHERE {self._of_batch()} AND status IN ('open', 'waived') AND payer_id <> '{REFERENCE}'"
        )
        failed = f"SELECT row_id FROM ({sides}) GROUP BY row_id HAVING sum(side) <> 0 OR count(*) <> 2"
        row = self._one(f"SELECT (SELECT count(*) FROM v_lines) AS n, (SELECT count(*) FROM ({failed})) AS failed")
        return Finding("silver", "lines_reconciled", row["n"], row["failed"])

    def _cents(self) -> Finding:
        row = self._one(
            "SELECT count(*) AS n, count(*) FILTER (l.cents IS DISTINCT FROM CAST(h.billed_amount * 100 AS BIGINT)) AS failed "
            f"FROM (SELECT row_id, billed_amount FROM v_history WHERE {self._of_batch()}) h JOIN v_lines l USING (row_id)"
        )
        return Finding("silver", "cents_reconciled", row["n"], row["failed"])

    def _current(self) -> list[Finding]:
        """The batch's claims: present once in clean, by their newest version, with that version's lines and amounts."""
        self.engine.define_native("v_claims", f"SELECT DISTINCT payer_id, claim_id FROM v_history WHERE {self._of_batch()}")
        self.engine.define_native(
            "v_newest",
            "SELECT payer_id, claim_id, max(version_key) AS version_key, count(DISTINCT version_key) AS versions, "
            "count(DISTINCT file_id) AS files FROM v_history SEMI JOIN v_claims USING (payer_id, claim_id) GROUP BY ALL",
        )
        claims = self._one(
            "WITH expected AS (SELECT payer_id, claim_id, count(DISTINCT line_number) AS lines FROM v_history "
            "SEMI JOIN v_newest USING (payer_id, claim_id, version_key) GROUP BY ALL), "
            "found AS (SELECT payer_id, claim_id, count(*) AS lines, min(claim_version) AS low, max(claim_version) AS high FROM v_clean "
            "SEMI JOIN v_claims USING (payer_id, claim_id) GROUP BY ALL) "
            "SELECT count(*) AS n, count(*) FILTER (f.lines IS NULL OR f.low <> n.versions OR f.high <> n.versions "
            "OR (n.files = 1 AND f.lines <> e.lines)) AS failed FROM v_newest n JOIN expected e USING (payer_id, claim_id) "
            "LEFT JOIN found f USING (payer_id, claim_id)"
        )
        lines = self._one(
            "SELECT count(*) AS n, count(*) FILTER (h.row_id IS NULL OR h.version_key <> n.version_key "
            "OR CASE WHEN c.claim_status = 'reversed' THEN c.billed_amount <> 0 OR c.paid_amount <> 0 OR h.billed_amount >= 0 "
            "ELSE c.billed_amount <> h.billed_amount OR c.paid_amount IS DISTINCT FROM h.paid_amount "
            "OR c.allowed_amount IS DISTINCT FROM h.allowed_amount END) AS failed "
            "FROM v_clean c JOIN v_newest n USING (payer_id, claim_id) LEFT JOIN v_history h ON h.row_id = c.row_id"
        )
        self.engine.drop("v_claims", "v_newest")
        return [
            Finding("silver", "current_claims", claims["n"], claims["failed"]),
            Finding("silver", "current_lines", lines["n"], lines["failed"]),
        ]

    def _tied(self, table: GoldTable, part: str, scope: str) -> Finding:
        names = list(table.ties)
        gold = ", ".join(f"sum({name}) AS {name}" for name in names)
        ties = ", ".join(f"coalesce({expression}, 0) AS {name}" for name, expression in table.ties.items())
        when = "YEAR(claim_service_date)" if _yearly(table) else f"CAST(DATE_TRUNC('MONTH', {table.touched_by}) AS DATE)"
        clean = compile_sql(f"SELECT {when} AS {part}, payer_id, {ties} FROM {table.ties_from} GROUP BY {when}, payer_id", "duckdb")
        unequal = " OR ".join(f"g.{name} IS DISTINCT FROM c.{name}" for name in names)
        row = self._one(
            f"SELECT count(*) AS n, count(*) FILTER ({unequal}) AS failed "
            f"FROM (SELECT {part}, payer_id, {gold} FROM v_gold GROUP BY ALL) g "
            f"FULL JOIN (SELECT * FROM ({clean}) WHERE {scope}) c USING ({part}, payer_id)"
        )
        return Finding("gold", f"{table.spec.short_name}_tied", row["n"], row["failed"])


def refuse_disagreement(findings: list[Finding]) -> None:
    """Stop where a check failed.

    Raises:
        VerificationError: names every check that disagrees, with counts.
    """
    failed = [f"{finding.layer}.{finding.check}: {finding.failed} of {finding.checked} disagree" for finding in findings if finding.failed]
    if failed:
        raise VerificationError(
            "verification disagrees with what was built; nothing was published:\n  " + "\n  ".join(failed) + "\n"
            "keep the lake as it is and report this: the build and its second computation differ"
        )


def _yearly(table: GoldTable) -> bool:
    return table.touched_by == "service_year"


def _payer_lines(payer: str, layout: PayerLayout, of_batch: str) -> str:
    amount, parser = next((column, feeds["billed_amount"]) for column, feeds in layout.record_columns.items() if "billed_amount" in feeds)
    rows = f"v_raw WHERE payer_id = {literal(payer)} AND {of_batch}"
    if layout.line_groups is None:
        index = "CASE WHEN parse_error IS NULL THEN 1 ELSE 0 END"
        return f"SELECT {_row_id(index)} AS row_id, {_cents_sql(amount, parser)} AS cents FROM {rows}"
    groups = ", ".join(
        f"{{index: {k}, filled: parse_error IS NULL AND {_any(names)}, cents: {_cents_sql(amount.replace('{k}', str(k)), parser)}}}"
        for k, names in enumerate(layout.group_names, start=1)
    )
    every = f"SELECT file_id, record_number, [{groups}] AS groups FROM {rows}"
    lines = "list_filter(groups, lambda g: g.filled)"
    none = "[{index: 0, filled: TRUE, cents: NULL::BIGINT}]"
    each = f"SELECT file_id, record_number, unnest(CASE WHEN len({lines}) > 0 THEN {lines} ELSE {none} END) AS line FROM ({every})"
    return f"SELECT {_row_id('line.index')} AS row_id, line.cents AS cents FROM ({each})"


def _any(names: tuple[str, ...]) -> str:
    listed = ", ".join(f"coalesce(fields[{literal(name)}], '')" for name in names)
    return f"(trim(concat({listed})) <> '')"


def _row_id(index: str) -> str:
    return f"sha256(file_id || ':' || record_number || ':' || {index})"


def _cents_sql(column: str, parser: str) -> str:
    """Signed cents told by the digits alone: every amount shape but money_plain writes both decimals."""
    text = f"fields[{literal(column)}]"
    if parser == "money_plain":
        return f"CAST(round(TRY_CAST(trim({text}) AS DECIMAL(18, 4)) * 100) AS BIGINT)"
    sign = f"CASE WHEN contains({text}, '-') OR contains({text}, '(') THEN -1 ELSE 1 END"
    return f"{sign} * TRY_CAST(regexp_replace({text}, '[^0-9]', '', 'g') AS BIGINT)"


_EXPECTED = pa.schema([("file_id", pa.string()), ("records", pa.int64())])
