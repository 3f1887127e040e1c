"""`medflow bench`: the plain ways do the product's work, a difference is found, and what is measured is the whole process tree."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from medflow.bench.measure import measured
from medflow.bench.outputs import Outputs, differences
from medflow.bench.plain_files import TABLES
from tests.support.lake import Lake

_MB = 1 << 20
_HUNGRY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; b = bytearray(b\"x\") * {}; time.sleep(1.5)'])"


def bench(lake: Lake, *arguments: str, code: int = 0) -> str:
    """What the command prints, or says where it ends with a code."""
    done = lake.command("bench", *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def two_ways(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """The answer and the folder of one run of (a) and (b)."""
    lake = Lake(tmp_path_factory.mktemp("bench") / "lake")
    work = lake.home.parent / "work"
    answer = json.loads(bench(lake, "--claims", "500", "--only", "a,b", "--work", str(work), "--keep", "--json"))
    return answer["results"][0], work / "500"


def test_duckdb_by_hand_writes_what_the_product_writes(two_ways) -> None:
    """Nine tables, equal row by row; a sample has all kinds of lines."""
    result, _ = two_ways
    assert result["differences"] == []
    assert set(result["rows"]) == set(TABLES)
    assert min(result["rows"].values()) > 0


def test_duckdb_by_hand_finds_the_same_errors(two_ways) -> None:
    """Every quarantined line has the same rules and columns in both."""
    _, folder = two_ways
    by_hand, product = (errors_by_row(outputs) for outputs in (Outputs.of_folder(folder / "a"), Outputs.of_lake(folder / "b")))
    assert by_hand == product
    assert len({rule for found in by_hand.values() for rule, _ in found}) > 4


def errors_by_row(outputs: Outputs) -> dict[str, list[tuple[str, str]]]:
    """Rule and column of each error, by row id."""
    rows = [row for path in outputs.files["claims_quarantined"] for row in pq.read_table(path, partitioning=None).to_pylist()]
    return {row["row_id"]: sorted((error["rule_id"], error["column"]) for error in row["errors"]) for row in rows}


def test_every_run_is_measured(two_ways) -> None:
    """Seconds of pipeline and process, CPU, memory, bytes."""
    result, _ = two_ways
    for timing in result["timings"]:
        assert timing["failure"] is None
        assert 0 < timing["pipeline_seconds"] < timing["process_seconds"]
        assert timing["cpu_seconds"] > 0
        assert timing["peak_bytes"] > 20 * _MB
        assert timing["written_bytes"] > 0


@pytest.mark.parametrize("table", ["claims_history", "claims_clean", "claims_quarantined", "denial_reasons"])
def test_a_difference_is_found(two_ways, tmp_path: Path, table: str) -> None:
    """A row less, and the same number of rows with another one, are told without any value of theirs."""
    _, folder = two_ways
    lake = Outputs.of_lake(folder / "b")
    shutil.copytree(folder / "a", tmp_path / "a")
    path = tmp_path / "a" / table / "bluecross.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.slice(1), path)
    assert any(
        found.startswith(f"{table}: ") and found.endswith(" rows")
        for found in differences(lake, Outputs.of_folder(tmp_path / "a"), deep=True)
    )
    pq.write_table(rows.take([0, *range(len(rows) - 1)]), path)
    (found,) = differences(lake, Outputs.of_folder(tmp_path / "a"), deep=True)
    assert found.startswith(f"{table}: ")


def test_a_process_is_measured_with_its_children() -> None:
    """A child's memory counts; what it wrote and how it ended is known."""
    found = measured([sys.executable, "-c", _HUNGRY.format(150 * _MB)])
    assert found.code == 0
    assert found.peak_bytes is not None
    assert 150 * _MB < found.peak_bytes < 400 * _MB
    broken = measured([sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"])
    assert (broken.code, broken.output, broken.said) == (3, "out\n", "err\n")


def test_the_table_names_machine_and_ways(lake: Lake, tmp_path: Path) -> None:
    """What is printed says where and on what it was measured; the page has the same table. Nothing stays behind."""
    page = tmp_path / "page.md"
    printed = bench(lake, "--claims", "20", "--only", "a", "--seed", "3", "--out", str(page))
    for text in (printed, page.read_text(encoding="utf-8")):
        assert "seed 3" in text
        assert "cores" in text
        assert "(a) DuckDB by hand" in text
        assert "(b)" not in text
    assert list(lake.home.glob("bench-*")) == []


def test_the_assistant_is_measured(lake: Lake, tmp_path: Path) -> None:
    """The service's milliseconds, alone and side by side, and the command's seconds from cold, on questions of a bank."""
    bank, page = tmp_path / "bank.jsonl", tmp_path / "page.md"
    asked = [("claims by payer", "answerable"), ("claims for Cigna", "answerable"), ("forecast the claims", "unanswerable")]
    lines = [json.dumps({"question": question, "kind": kind, "role": "analyst"}) for question, kind in asked]
    bank.write_text("\n".join(lines), encoding="utf-8")
    found = json.loads(bench(lake, "--claims", "300", "--only", "q", "--bank", str(bank), "--out", str(page), "--json"))
    assert found["results"] == []
    (answers,) = found["answers"]
    assert (answers["claims"], answers["questions"], answers["answered"]) == (300, 2, 1)
    assert 0 < answers["p50_ms"] <= answers["p95_ms"]
    assert 0 < answers["side_p50_ms"] <= answers["side_p95_ms"]
    assert 0 < answers["kept_p50_ms"] <= answers["kept_p95_ms"]
    assert answers["kept"] == 1
    assert not any(one["cached"] for one in answers["slowest"])
    assert answers["first_seconds"] > 0
    assert answers["cold_seconds"] > 0
    assert min(answers["service_peak_bytes"], answers["first_peak_bytes"], answers["cold_peak_bytes"]) > 20 * _MB
    assert "2 questions, 1 answered" in page.read_text(encoding="utf-8")


def test_bad_use(lake: Lake, tmp_path: Path) -> None:
    """Unknown ways, a folder that holds something, a lake of one's own."""
    assert "allowed: a, b, c, d" in bench(lake, "--only", "a,x", code=2)
    (tmp_path / "mine").write_text("x")
    (tmp_path / "empty.jsonl").write_text("")
    assert "no question" in bench(lake, "--only", "q", "--bank", str(tmp_path / "empty.jsonl"), code=2)
    assert "is not empty" in bench(lake, "--work", str(tmp_path), code=2)
    done = lake.command("bench", environment={"MEDFLOW_CATALOG": f"sqlite:///{tmp_path}/x.db"})
    assert done.returncode == 2
    assert "MEDFLOW_CATALOG names a lake of yours" in done.stderr
