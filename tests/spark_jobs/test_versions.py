"""Current versions are a pure function of the set of accepted lines: arrival order, files and duplicates never matter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from hashlib import md5
from itertools import groupby
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medflow.settings import packaged_knowledge_base
from medflow.specs.knowledge_base import load_knowledge_base
from medflow.sql.compile import compile_sql
from spark_jobs.run import CLEAN, HISTORY
from spark_jobs.versions import MONEY, current_sql, version_steps

_BASE = load_knowledge_base(packaged_knowledge_base())
_STEPS = {name: compile_sql(sql, "duckdb") for name, sql in version_steps(_BASE.contract).items()}
_CURRENT = compile_sql(current_sql(_BASE.contract, _BASE.tables[CLEAN].column_names), "duckdb")
_TYPES = {"string": "VARCHAR", "array<string>": "VARCHAR[]"}
_COLUMNS = {column.name: _TYPES.get(column.type, column.type) for column in _BASE.tables[HISTORY].columns}


@dataclass(frozen=True)
class Accepted:
    """One accepted line as far as versions look at it."""

    version: int
    line: int
    kind: str
    billed: int
    adjudicated: int | None
    file: str
    row: str

    @property
    def content(self) -> str:
        return md5(f"{self.kind}{self.billed}{self.adjudicated}".encode()).hexdigest()


def as_row(line: Accepted) -> dict[str, Any]:
    """The line as a row of claims_history."""
    sign = -1 if line.kind == "reversal" else 1
    amounts = dict.fromkeys(MONEY, Decimal(sign * line.billed))
    return {
        **dict.fromkeys(_COLUMNS),
        **amounts,
        "payer_id": "p",
        "claim_id": "C",
        "line_number": line.line,
        "version_key": f"{line.version:06d}",
        "version_kind": line.kind,
        "member_id": "M",
        "service_from": date(2026, 1, line.line),
        "received_date": date(2026, 2, 1),
        "adjudicated_date": None if line.adjudicated is None else date(2026, 3, line.adjudicated),
        "claim_status": "reversed" if line.kind == "reversal" else "paid",
        "quality_warnings": [],
        "row_id": line.row,
        "file_id": line.file,
    }


def current(lines: list[Accepted]) -> set[tuple[Any, ...]]:
    """What the SQL makes of the lines: line, row, version rank, billed, warnings."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE affected_history ({', '.join(f'{name} {kind}' for name, kind in _COLUMNS.items())})")
    rows = [as_row(line) for line in lines]
    incoming = pa.table({name: [row[name] for row in rows] for name in _COLUMNS})
    connection.register("incoming", incoming)
    connection.execute(f"INSERT INTO affected_history SELECT {', '.join(f'CAST({n} AS {k})' for n, k in _COLUMNS.items())} FROM incoming")
    connection.execute("CREATE TABLE member_keys AS SELECT 'p' AS payer_id, 'M' AS member_id, 'k' AS member_key")
    for name, sql in _STEPS.items():
        connection.execute(f"CREATE TABLE {name} AS {sql}")
    found = connection.execute(f"SELECT line_number, row_id, claim_version, billed_amount, quality_warnings FROM ({_CURRENT})").fetchall()
    return {(line, row, version, int(billed), tuple(sorted(warnings))) for line, row, version, billed, warnings in found}


def meant(lines: list[Accepted]) -> set[tuple[Any, ...]]:
    """The same told in Python: the newest version, of it the delivery decided last, of equal lines the smallest row."""
    versions = sorted({line.version for line in lines})
    newest, conflict = winning([line for line in lines if line.version == versions[-1]])
    warnings = set()
    if conflict:
        warnings.add("key_conflict")
    if not any(line.kind == "original" for line in lines):
        warnings.add("original_unknown")
    reversal = next(iter(newest.values())).kind == "reversal"
    if reversal and len(versions) > 1:
        before, _ = winning([line for line in lines if line.version == versions[-2]])
        signed = {number: (-1 if line.kind == "reversal" else 1) * line.billed for number, line in before.items()}
        if signed != {number: line.billed for number, line in newest.items()}:
            warnings.add("reversal_mismatch")
    return {(number, line.row, len(versions), 0 if reversal else line.billed, tuple(sorted(warnings))) for number, line in newest.items()}


def winning(lines: list[Accepted]) -> tuple[dict[int, Accepted], bool]:
    """The lines of one version that stand, by number, and whether files disagreed."""
    by_file = {file: list(of) for file, of in groupby(sorted(lines, key=lambda line: line.file), key=lambda line: line.file)}
    says = {file: frozenset((line.line, line.content) for line in of) for file, of in by_file.items()}
    order = {
        file: (max(str(line.adjudicated or "").zfill(3) for line in of) if of[0].adjudicated else "", file) for file, of in by_file.items()
    }
    best = says[max(by_file, key=lambda file: order[file])]
    standing = [line for file, of in by_file.items() if says[file] == best for line in of]
    chosen: dict[int, Accepted] = {}
    for line in sorted(standing, key=lambda line: line.row):
        chosen.setdefault(line.line, line)
    return chosen, len(set(says.values())) > 1


@st.composite
def histories(draw: st.DrawFn) -> list[Accepted]:
    """Chains of original, replacement and reversal, each version brought by one to three files, lines sometimes twice."""
    lines: list[Accepted] = []
    rows = iter(draw(st.permutations([f"r{n:03d}" for n in range(72)])))
    for version in draw(st.sets(st.integers(0, 3), min_size=1)):
        kind = "original" if version == 0 else draw(st.sampled_from(["replacement", "reversal"]))
        numbers = draw(st.sets(st.integers(1, 2), min_size=1))
        for file in draw(st.sets(st.sampled_from(["fa", "fb", "fc"]), min_size=1)):
            billed, decided = draw(st.sampled_from([100, 200])), draw(st.sampled_from([None, 1, 2]))
            for number in numbers:
                line = Accepted(version, number, kind, billed, decided, f"{file}{version}", next(rows))
                lines.append(line)
                if draw(st.integers(0, 5)) == 0:
                    lines.append(replace(line, row=next(rows)))
    return lines


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), st.randoms(use_true_random=False))
def test_current_versions_equal_the_plain_telling_in_any_order(lines: list[Accepted], random: Any) -> None:
    """The SQL agrees with a telling in Python, and shuffled rows give the same."""
    shuffled = list(lines)
    random.shuffle(shuffled)
    assert current(lines) == meant(lines)
    assert current(shuffled) == meant(lines)


@pytest.mark.parametrize(
    ("years", "band"),
    [(0, "0-17"), (17, "0-17"), (18, "18-34"), (34, "18-34"), (35, "35-49"), (64, "50-64"), (74, "65-74"), (84, "75-84"), (85, "85+")],
)
def test_age_bands_have_the_declared_edges(years: int, band: str) -> None:
    """Age is the year of service less the year of birth."""
    connection = duckdb.connect()
    case = compile_sql(current_sql(_BASE.contract, ("age_band",)), "duckdb").split(" AS age_band")[0].removeprefix("SELECT ")
    row = connection.execute(
        f"SELECT {case} FROM (SELECT 2026 - {years} AS birth_year) AS r, (SELECT DATE '2026-05-01' AS claim_service_date) AS claims"
    ).fetchone()
    assert row == (band,)
