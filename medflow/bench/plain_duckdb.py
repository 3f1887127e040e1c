"""Way (a): the same outputs by hand-written DuckDB, as fast as one machine can: `python -m medflow.bench.plain_duckdb --help`.

Plain Parquet, one file a payer and table; no catalog, ledger, checks of its own or declarations. The payers go side by
side, each with one pass over its file for raw and one for its lines; everything after that stays in memory.
"""

from __future__ import annotations

import argparse
import hmac
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from string import Template

import duckdb
import yaml

from medflow.bench import rules
from medflow.bench.plain_files import PAYERS, TABLES, PayerFile, file_of

_SQL = Path(__file__).parent / "duckdb_sql"
# A blank cell is '' and a cell that a short record lacks is NULL; a field too many lands in `_spare`.
_FRAMING = "header = false, skip = 1, auto_detect = false, null_padding = true, parallel = false, nullstr = '\x01'"
_KEY_BYTES = 16


def main() -> None:
    """Build all tables of a landing folder; prints seconds as JSON."""
    parser = argparse.ArgumentParser(description="Claim files to plain Parquet tables, by hand-written DuckDB.")
    parser.add_argument("landing", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--date", required=True, help="the day that the files were first seen")
    parser.add_argument("--knowledge-base", type=Path, required=True, help="where the code lists lie")
    parser.add_argument("--key-file", type=Path, required=True, help="the key of member pseudonyms")
    parser.add_argument("--cores", type=int, required=True)
    given = parser.parse_args()
    begun = time.perf_counter()
    build(given)
    print(json.dumps({"pipeline_seconds": round(time.perf_counter() - begun, 3)}))


def build(given: argparse.Namespace) -> None:
    """Every payer's tables, the payers side by side."""
    for table in TABLES:
        (given.out / table).mkdir(parents=True)
    key = given.key_file.read_bytes().strip()
    values = {
        "run_date": given.date,
        "out": str(given.out).replace("'", "''"),
        "format": "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1",
    }
    config = {"threads": given.cores, "preserve_insertion_order": False, "temp_directory": str(given.out / "spill")}
    with duckdb.connect(config=config) as database:
        database.execute(Template((_SQL / "macros.sql").read_text()).substitute())
        _load_lists(database, given.knowledge_base)
        with ThreadPoolExecutor() as pool:
            payers = [_Payer(file_of(given.landing, name), values) for name in (*PAYERS, "reference")]
            work = [pool.submit(payer.build, database.cursor(), key) for payer in payers]
            for one in work:
                one.result()


def _load_lists(database: duckdb.DuckDBPyConnection, knowledge_base: Path) -> None:
    codes = knowledge_base / "codes"
    listed = f"read_csv({_quoted(str(codes / 'icd10cm.csv.gz'))}, header = true, columns = {{'code': 'VARCHAR', 'leaf': 'INTEGER'}})"
    database.execute(f"CREATE TABLE icd10cm AS SELECT DISTINCT code, leaf, replace(code, '.', '') AS bare FROM {listed}")
    places = yaml.safe_load((codes / "place_of_service.yaml").read_text())["rows"]
    database.execute("CREATE TABLE places (code VARCHAR)")
    database.executemany("INSERT INTO places VALUES (?)", [(row["code"],) for row in places])
    conditions = yaml.safe_load((codes / "conditions.yaml").read_text())["rows"]
    database.execute("CREATE TABLE conditions (condition VARCHAR, first VARCHAR, last VARCHAR)")
    database.executemany("INSERT INTO conditions VALUES (?, ?, ?)", [(row["condition"], row["first"], row["last"]) for row in conditions])


@dataclass(frozen=True)
class _Payer:
    """One payer's file on its way through: `values` fill the SQL files."""

    file: PayerFile
    values: Mapping[str, str]

    def build(self, cursor: duckdb.DuckDBPyConnection, key: bytes) -> None:
        """Bronze; of claims also silver and gold."""
        cursor.execute(self._keep_sql())
        if self.file.payer not in PAYERS:
            return
        cursor.execute(self._filled(f"dx_{self.file.payer}.sql", cells=f"FROM {self._cells}"))
        cells = self._filled(f"{self.file.payer}.sql", records=self._records)
        cursor.execute(f"CREATE TEMP TABLE lines AS {self._filled('judged.sql', cells=cells, **_judging())}")
        cursor.execute(self._filled("silver.sql", **_splitting()))
        self._make_member_keys(cursor, key)
        cursor.execute(self._filled("clean.sql", **_cleaning()))
        cursor.execute(self._filled("gold.sql", money=_gold_money()))

    @property
    def _cells(self) -> str:
        """The file's cells as text."""
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in (*self.file.names, "_spare"))
        quote = "''" if self.file.payer == "unitedhealth" else "'\"'"
        dialect = f"delim = '{self.file.delimiter}', quote = {quote}, columns = {{{columns}}}"
        return f"read_csv({_quoted(str(self.file.path))}, {dialect}, {_FRAMING})"

    @property
    def _records(self) -> str:
        """The file's records in order, with record_number (the header is 1), damaged, and a damaged record's raw_line."""
        cells = [f'"{name}"' for name in (*self.file.names, "_spare")]
        damaged = f"_spare IS NOT NULL OR {cells[-2]} IS NULL"
        if self.file.payer == "aetna":
            cells = [f"'\"' || replace({cell}, '\"', '\"\"') || '\"'" for cell in cells]
        raw_line = f"CASE WHEN damaged THEN concat_ws('{self.file.delimiter}', {', '.join(cells)}) END AS raw_line"
        trailer = " WHERE clm_no <> 'TRL'" if self.file.payer == "unitedhealth" else ""
        numbered = f"SELECT row_number() OVER () + 1 AS record_number, * FROM {self._cells}"
        return f"SELECT *, {damaged} AS damaged, {raw_line} FROM ({numbered}){trailer}"

    def _keep_sql(self) -> str:
        file, cells = self.file, ", ".join(f'"{name}"' for name in self.file.names)
        select = (
            f"SELECT '{file.payer}' AS payer_id, '{file.file_id}' AS file_id, {_quoted(file.path.name)} AS file_name, record_number, "
            f"sha256('{file.file_id}:' || record_number || ':0') AS row_id, {cells}, raw_line, "
            f"CASE WHEN damaged THEN 'wrong number of fields' END AS parse_error, DATE '{self.values['run_date']}' AS ingested_at"
        )
        target = f"'{self.values['out']}/claims_raw/{file.payer}.parquet'"
        return f"COPY ({select} FROM ({self._records})) TO {target} ({self.values['format']})"

    def _filled(self, sql: str, **texts: str) -> str:
        values = {**self.values, **texts, "payer": self.file.payer, "file_id": self.file.file_id}
        return Template((_SQL / sql).read_text()).substitute(values)

    def _make_member_keys(self, cursor: duckdb.DuckDBPyConnection, key: bytes) -> None:
        members = [row[0] for row in cursor.execute("SELECT DISTINCT member_id FROM heads").fetchall()]
        prefix = f"{self.file.payer}\x1f".encode()
        keys = [hmac.digest(key, prefix + member.encode(), "sha256")[:_KEY_BYTES].hex() for member in members]
        cursor.execute("CREATE TEMP TABLE member_keys AS SELECT unnest(?) AS member_id, unnest(?) AS member_key", [members, keys])


def _judging() -> dict[str, str]:
    errors, warnings = rules.line_errors(), rules.line_warnings()
    flags = [f"COALESCE(t_{name} <> '' AND {name} IS NULL, FALSE) AS {name}_bad" for name in rules.READ]
    decided = [f"CASE WHEN claim_status IN ('pending', 'rejected') THEN NULL ELSE {name} END AS {name}" for name in rules.MONEY[1:]]
    return {
        "flags": ", ".join(flags),
        "wrong": " OR ".join(f"({check.condition})" for check in errors),
        "worth_telling": " OR ".join(f"({check.condition})" for check in warnings),
        "errors": ", ".join(f"CASE WHEN {check.condition} THEN {_told(check)} END" for check in errors),
        "warnings": ", ".join(f"CASE WHEN {check.condition} THEN '{check.rule}' END" for check in warnings),
        "damaged": _told(rules.DAMAGED),
        "decided": ", ".join(decided),
        "header_bad": " OR ".join(rules.HEADER_BAD),
    }


def _splitting() -> dict[str, str]:
    checks = {"header_differs": rules.HEADER_DIFFERS, "version_differs": rules.VERSION_DIFFERS, "sibling": rules.SIBLING}
    return {
        **{name: _told(check) for name, check in checks.items()},
        "unequal": " OR ".join(f"sum(COALESCE({name}, 0)) <> 0" for name in rules.MONEY),
        "contract": ", ".join(f"lines.{name}" for name in rules.COLUMNS),
    }


def _cleaning() -> dict[str, str]:
    age = "year(h.claim_service_date) - birth_year"
    amounts = [f"CASE WHEN claim_status = 'reversed' THEN CAST(0 AS DECIMAL(12, 2)) ELSE {name} END AS {name}" for name in rules.MONEY]
    sums = [f"sum(CASE WHEN claim_status = 'reversed' THEN 0 ELSE {name} END) AS {name}" for name in rules.MONEY[:3]]
    return {
        "sums": ", ".join(sums),
        "bands": " ".join(f"WHEN {age} < {below} THEN '{label}'" for below, label in rules.AGE_BANDS),
        "amounts": ", ".join(amounts),
    }


def _gold_money() -> str:
    names = ("billed_amount", "allowed_amount", "paid_amount")
    return ", ".join(f"CAST(COALESCE(sum({name}), 0) AS DECIMAL(18, 2)) AS {name}" for name in names)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _told(check: rules.Check) -> str:
    return f"{{'rule_id': '{check.rule}', 'column': '{check.column}', 'message': {_quoted(check.message)}}}"


if __name__ == "__main__":
    main()
