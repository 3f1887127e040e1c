"""Every parser, rule and gold expression, row by row: Spark and DuckDB read the same strings and rows alike."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
import yaml

from medflow.settings import packaged_knowledge_base
from medflow.specs.knowledge_base import load_knowledge_base
from medflow.sql.parsers import parser_of
from spark_jobs import rules
from spark_jobs.engines.base import BuildEngine
from spark_jobs.lines import relation_columns
from spark_jobs.pipeline import Engines
from spark_jobs.reference import load_code_lists
from spark_jobs.run import CLEAN
from tests.support.claims import GOOD_NPI, OTHER_NPI

_BASE = load_knowledge_base(packaged_knowledge_base())
_STRINGS = yaml.safe_load((Path(__file__).parents[1] / "data/parsers.yaml").read_text(encoding="utf-8"))
_CODES = {"status": {"PAID": "paid", "DENIED": "denied"}}
_ROWS, _SEED = 4000, 20261121
_ARROW = {"string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "date": pa.date32(), "boolean": pa.bool_()}
_ARROW |= {"array<string>": pa.list_(pa.string()), "decimal(12,2)": pa.decimal128(12, 2)}
_TEXTS = {
    "payer_id": ["bluecross", "aetna", "unitedhealth"],
    "file_id": ["f1", "f2"],
    "claim_id": [f"C{n}" for n in range(40)],
    "version_key": ["000000", "000001", "000002"],
    "version_kind": ["original", "replacement", "reversal"],
    "member_id": ["M1", "M2", " ", "m1"],
    "sex": ["F", "M", "U", "f"],
    "billing_npi": [GOOD_NPI, OTHER_NPI, "1234567890", "12345", "123456789x", "0000000000", chr(0xFF19) * 10],
    "rendering_npi": [GOOD_NPI, OTHER_NPI, "1234567890", "99999999999"],
    "place_of_service": ["11", "21", "00", "1", "99"],
    "principal_diagnosis": ["E11.9", "E11", "I10", "Z99.99", "e11.9"],
    "procedure_code": ["99213", "J1234", "0001F", "9921", "A0428", "99213 "],
    "claim_status": ["paid", "denied", "pending", "rejected", "reversed"],
    "denial_group": ["CO", "PR", "XX"],
    "denial_code": ["97", "18", "zz"],
    "diagnosis_codes": ["E11.9", "I10", "E11", "X"],
}


def rows_of(engine: BuildEngine, sql: str) -> list[str]:
    """A result as sorted text, decimals and doubles in full."""
    return sorted(repr({name: _plain(value) for name, value in row.items()}) for row in engine.fetch(sql))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value


def columns_of(names: list[tuple[str, str]], random: Random) -> pa.Table:
    """Random rows of these columns and types, dense in edge cases."""
    values = {name: [_value(name, kind, random) for _ in range(_ROWS)] for name, kind in names}
    values |= {"row_id": [f"r{n}" for n in range(_ROWS)]} if "row_id" in values else {}
    return pa.table({name: pa.array(values[name], _ARROW[kind.replace(" ", "")]) for name, kind in names})


def _value(name: str, kind: str, random: Random) -> Any:
    if random.random() < (0.02 if name in ("payer_id", "file_id", "claim_service_date", "received_date") else 0.12):
        return None if name not in ("payer_id", "file_id", "claim_service_date", "received_date", "claim_id") else _some(name, kind, random)
    return _some(name, kind, random)


def _some(name: str, kind: str, random: Random) -> Any:
    kind = kind.replace(" ", "")
    if kind == "boolean":
        return random.random() < 0.05
    if kind == "date":
        return date(2026, 1, 1) + timedelta(days=random.choice([0, 1, 30, 31, 58, 59, 90, 181, 200]))
    if kind.startswith("decimal"):
        return Decimal(random.choice(["0.00", "0.01", "-0.01", "100.00", "60.00", "40.00", "-100.00", "9999999999.99"]))
    if kind in ("int", "bigint"):
        return random.choice([0, 1, 2, 999, 1000, -1, 1950, 2026])
    if kind == "array<string>":
        return random.sample(_TEXTS["diagnosis_codes"], random.randint(0, 3))
    return random.choice(_TEXTS.get(name, ["", "x", "y", "É", "a'b"]))


@pytest.mark.parametrize("name", _STRINGS)
def test_spark_reads_every_string_as_the_table_says(name: str, engines: Engines) -> None:
    """Value or nothing, never an error: the same table that DuckDB is held to."""
    texts = list(_STRINGS[name])
    engines.build.rows("strings", pa.table({"place": pa.array(range(len(texts)), pa.int32()), "x": pa.array(texts, pa.string())}))
    rows = engines.build.fetch(f"SELECT place, CAST({parser_of(name, _CODES).sql('x')} AS STRING) AS value FROM strings")
    assert {texts[row["place"]]: row["value"] for row in rows} == _STRINGS[name]


def _judged(engine: BuildEngine, lines: pa.Table, codes: pa.Table) -> None:
    engine.rows("lines", lines)
    engine.rows("icd10cm", codes)
    engine.define("flagged", rules.flagged_sql(_BASE))
    engine.define("noted", rules.noted_sql())
    engine.define("judged", rules.judged_sql())


def _lines(random: Random) -> pa.Table:
    contract = _BASE.contract
    types = {name: column.type for name, column in contract.columns.items()}
    types |= {"line_index": "bigint", "record_number": "bigint", "ingest_date": "date"}
    kinds = [(name, "boolean" if name.endswith("__bad") else types.get(name, "string")) for name in relation_columns(contract)]
    table = columns_of(kinds, random)
    errors = [None if random.random() < 0.97 else "3 fields where the header has 4" for _ in range(_ROWS)]
    texts = [",".join(codes or []) for codes in table["diagnosis_codes"].to_pylist()]
    place = {name: table.schema.get_field_index(name) for name in ("parse_error", "diagnosis_text")}
    table = table.set_column(place["parse_error"], "parse_error", pa.array(errors, pa.string()))
    return table.set_column(place["diagnosis_text"], "diagnosis_text", pa.array(texts, pa.string()))


def test_every_rule_says_the_same_of_every_row(engines: Engines) -> None:
    """4,000 random lines, most of them broken in several ways: each rule on each of its columns, verdict, errors, warnings."""
    lines = _lines(Random(_SEED))
    codes = pa.table({"code": ["E11.9", "E11", "I10"], "leaf": pa.array([1, 0, 1], pa.int32())})
    for engine in (engines.build, engines.verifier):
        _judged(engine, lines, codes)
    asked = ["SELECT row_id, verdict, found FROM judged", rules.failed_sql(_BASE.contract), rules.accepted_sql(_BASE.contract, "b")]
    asked.append(rules.rule_counts_sql(_BASE.contract))
    for sql in asked:
        assert rows_of(engines.build, sql) == rows_of(engines.verifier, sql)
    counts = engines.verifier.fetch(
        f"SELECT {', '.join(f'COUNT_IF({f.is_found}) AS {f.name}' for f in rules.rule_flags(_BASE.contract))} FROM judged"
    )
    silent = [flag.rule.id for flag in rules.rule_flags(_BASE.contract) if counts[0][flag.name] in (0, None)]
    assert len(set(silent)) <= 4, silent  # the rows make nearly every rule speak


def _clean(random: Random) -> pa.Table:
    kinds = [(column.name, column.type) for column in _BASE.tables[CLEAN].columns]
    table = columns_of(kinds, random)
    claims = [f"C{random.randrange(_ROWS // 2)}" for _ in range(_ROWS)]
    return table.set_column(table.schema.get_field_index("claim_id"), "claim_id", pa.array(claims, pa.string()))


@pytest.mark.parametrize("name", list(_BASE.gold))
def test_every_gold_table_is_the_same_to_the_last_digit(name: str, engines: Engines) -> None:
    """Shares, medians and Wilson bounds are equal as doubles, not nearly."""
    clean = _clean(Random(_SEED))
    found = []
    for engine in (engines.build, engines.verifier):
        load_code_lists(engine, _BASE)
        engine.rows("claims_clean", clean)
        spec = _BASE.gold[name].spec
        typed = ", ".join(f"CAST({column.name} AS {column.type}) AS {column.name}" for column in spec.columns)
        found.append(rows_of(engine, f"SELECT {typed} FROM ({_BASE.gold[name].query}) AS gold"))
    assert found[0] == found[1]
    assert len(found[0]) > 10
